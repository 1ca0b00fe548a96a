"""Pieces of the page Agents: one agent in full, and who can answer what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.documents.document import Block, Code, Fact, Facts, Line, Mark, Paragraph, Strong, Table, Tone
from aftertrace.analyzer.reports import coverage_report
from aftertrace.analyzer.reports.agent_coverage import AgentCoverage
from aftertrace.dashboards import drawings
from aftertrace.dashboards.addresses import run_address
from aftertrace.dashboards.blocks import Drawn, drawn
from aftertrace.dashboards.cards import badge
from aftertrace.dashboards.data import Filter
from aftertrace.dashboards.marks import DECLARED, UNSTATED
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import UNKNOWN, count, instant, interval, share

_MOST_ROWS: Final = 12
_NAME_CHARACTERS: Final = 80
_MATRIX: Final = "Who can answer what"
_TONES: Final[Mapping[str, Tone]] = {"broken": "critical", "unknown": "medium", "idle": "low"}
_WAYS: Final = (
    ("Its runs", "views/runs.py", ":material/list_alt:"),
    ("Its near misses", "views/near_misses.py", ":material/block:"),
    ("Its changes", "views/changes.py", ":material/difference:"),
)


def with_agent_id(agents: pl.DataFrame) -> pl.DataFrame:
    """Agents, each with an `agent_id` that stays the same in any version of the store."""
    names = agents.select(ROLE).rows()
    ids = [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:8] for row in names]
    return agents.with_columns(agent_id=pl.Series(ids, dtype=pl.String))


def only(agent: Mapping[str, Any], chosen: Filter) -> Filter:
    """What lets through the rows of one agent, of those that a filter does."""
    return Filter(
        agent=agent["agent_name"],
        tenant=agent["tenant"],
        environment=agent["environment"],
        since_ns=chosen.since_ns,
        until_ns=chosen.until_ns,
    )


def of_role(agent: Mapping[str, Any]) -> pl.Expr:
    """Which rows with the columns of `ROLE` are of one agent."""
    return pl.all_horizontal(pl.col(name).eq_missing(pl.lit(agent[name], pl.String)) for name in ROLE)


def agent(
    row: Mapping[str, Any], findings: pl.DataFrame, used: pl.DataFrame, systems: pl.DataFrame, versions: pl.DataFrame
) -> None:
    """One agent in full.

    Args:
        row: columns as in `checks.AGENTS`.
        findings: what is off its declaration, columns as in `findings.FINDINGS`.
        used: the tools that it called, columns as in `uses.tools`.
        systems: what it changed, columns as in `uses.systems`.
        versions: its configurations, columns as in `schemas.CONFIGURATIONS`.
    """
    sides = (
        (_facts(row), *_findings(findings)),
        (*_tools(used), *_systems(systems), *_versions(versions)),
    )
    runs = [row["last_run_id"], *(name for frame, name in ((findings, "run_id"), (used, "last_run_id"),
            (systems, "last_run_id"), (versions, "first_run_id")) for name in frame[name])]  # fmt: skip
    links = {run_id: run_address(run_id) for run_id in runs if run_id is not None}
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if row["state"] is not None:
                badge(DECLARED[row["state"]])
            st.text(plain(row["agent_name"] or "an agent without a name", most=_NAME_CHARACTERS))
            if row["agent_name"] is not None and row["runs"]:
                _ways(row)
        for side, blocks, name in zip(st.columns(2, gap="large"), sides, ("who", "what"), strict=True):
            with side:
                drawings.document(drawn(blocks, links), key=f"agent_{name}_{row['agent_id']}")


def _ways(row: Mapping[str, Any]) -> None:
    """To what the other pages say of an agent."""
    query = {
        name: row[column]
        for name, column in (("agent", "agent_name"), ("tenant", "tenant"), ("environment", "environment"))
        if row[column] is not None
    }
    for label, page, icon in _WAYS:
        st.page_link(page, label=label, icon=icon, query_params=query)


def answers(found: AgentCoverage, now_ns: int) -> None:
    """Who can answer what about their runs, and, folded, what each of them would have to switch on."""
    runs = {run_id: run_address(run_id) for ids in found.answered["run_ids"] for run_id in ids}
    blocks: list[Drawn] = []
    for part in coverage_report.told(found, now_ns).parts:
        inner = drawn(part.blocks, runs)
        if part.title in ("", _MATRIX):
            blocks += inner
        else:
            if not any(block["is"] == "folded" for block in blocks):
                blocks += drawn([Paragraph((Strong("What to switch on"),))])
            blocks.append({"is": "folded", "title": plain(part.title, most=_NAME_CHARACTERS), "blocks": inner})
    drawings.document(blocks, key="coverage")


def _facts(row: Mapping[str, Any]) -> Facts:
    latest: Line = instant(row["last_at"]) or UNKNOWN
    if row["last_run_id"] is not None:
        latest = (instant(row["last_at"]) or UNKNOWN, " ", Code(row["last_run_id"]))
    did = f"{count(row['calls'], 'call')} in {count(row['runs'], 'run')}"
    told: list[tuple[str, Line]] = [
        ("Service", row["service_name"] or UNSTATED.word),
        ("Environment", row["environment"] or UNSTATED.word),
        ("Sent by", " · ".join(filter(None, (row["source"], row["tenant"]))) or UNSTATED.word),
        ("First run", instant(row["first_at"]) or UNKNOWN),
        ("Last heard of", latest),
        ("It did", f"{did}, {count(row['near_misses'], 'near miss')}"),
        ("Models", ", ".join(row["models"]) or UNSTATED.word),
    ]
    if row["state"] is not None:
        told.append(("Owner", row["owner"] or "nobody is named"))
    return Facts(tuple(Fact(name, value) for name, value in told))


def _findings(findings: pl.DataFrame) -> list[Block]:
    if findings.is_empty():
        return []
    rows = tuple(
        (
            (Mark(row["verdict"], _TONES[row["verdict"]]),),
            row["found"],
            row["expected"],
            f"{row['runs']:,}" if row["runs"] is not None else "",
            (Code(row["run_id"]),) if row["run_id"] else "",
        )
        for row in findings.head(_MOST_ROWS).iter_rows(named=True)
    )
    columns = ("", "what was found", "what was declared", "runs:", "latest run")
    return [Table(columns, rows, _more(findings), frozenset(("latest run",)))]


def _tools(used: pl.DataFrame) -> list[Block]:
    if used.is_empty():
        return [Paragraph("No call of a tool names it.")]
    rows = tuple(
        (
            row["tool_name"] or UNSTATED.word,
            (row["risk"] or "unknown") + (" ?" if row["risk_basis"] == "guess" else ""),
            f"{row['calls']:,}",
            f"{row['ran']:,}",
            f"{'≥ ' if row['floor'] else ''}{row['near_misses']:,}",
            f"{share(row['rate'])} ({interval(row['low'], row['high'])})" if row["counted"] else "",
        )
        for row in used.head(_MOST_ROWS).iter_rows(named=True)
    )
    columns = ("tool", "risk", "calls:", "ran:", "near misses:", "near misses per call, 95 %:")
    return [Table(columns, rows, _more(used), frozenset(("risk",)))]


def _systems(systems: pl.DataFrame) -> list[Block]:
    if systems.is_empty():
        return []
    rows = tuple(
        (row["system"] or UNSTATED.word, row["operation"] or UNSTATED.word, f"{row['applied']:,}",
         f"{row['blocked']:,}", f"{row['objects']:,}", (Code(row["last_run_id"]),))
        for row in systems.head(_MOST_ROWS).iter_rows(named=True)
    )  # fmt: skip
    columns = ("system", "operation", "applied:", "blocked:", "objects:", "latest run")
    return [Table(columns, rows, _more(systems), frozenset(("latest run",)))]


def _versions(versions: pl.DataFrame) -> list[Block]:
    if versions.is_empty():
        return []
    latest = versions.sort("version", "first_ns", descending=True, nulls_last=True)
    rows = tuple(
        (
            f"{row['version']:,}",
            row["model_served"] or row["model"] or UNSTATED.word,
            row["agent_version"] or UNSTATED.word,
            f"{len(row['tool_names']):,}" if row["tool_names"] is not None else UNSTATED.word,
            f"{row['runs']:,}",
            (instant(row["first_ns"]) or UNKNOWN, " ", Code(row["first_run_id"])),
        )
        for row in latest.head(_MOST_ROWS).iter_rows(named=True)
    )
    columns = ("version:", "model", "agent version", "tools:", "runs:", "first run")
    return [Table(columns, rows, _more(versions))]


def _more(frame: pl.DataFrame) -> str:
    return f"{frame.height - _MOST_ROWS:,} more" if frame.height > _MOST_ROWS else ""
