"""The page of `aftertrace inventory check`: each agent with what is off its declaration, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer.inventory.checks import Checked
    from aftertrace.analyzer.inventory.declared import DeclaredAgent, Inventory

_LISTED: Final = 20
"""Unregistered agents, and findings of one agent, on the page; the other formats hold all."""
_NAME_CHARACTERS: Final = 100
_STATES: Final = {"broken": "BROKEN ", "unknown": "UNKNOWN", "idle": "IDLE   ", "holds": "HOLDS  "}


def page(checked: Checked, inventory: Inventory) -> list[str]:
    """Agents that nobody declared, then each entry of the file. Every text from telemetry in it is made visible."""
    import polars as pl

    seen = checked.agents.filter(pl.col("runs") > 0)
    states = checked.agents.group_by("state").agg(pl.col("entry").n_unique(), pl.len())
    told = {state: (entries, agents) for state, entries, agents in states.rows()}
    silent, unregistered = told.get("silent", (0, 0))[0], told.get("unregistered", (0, 0))[1]
    declared = f"{count(len(inventory.agents), 'entry' if len(inventory.agents) == 1 else 'entrie')}"
    lines = [
        f"{count(seen.height, 'agent')} seen, {unregistered:,} unregistered; {declared} declared, {silent:,} silent",
        (
            f"{count(checked.count('broken'), 'finding')} broken, {checked.count('unknown'):,} unknown, "
            f"{checked.count('idle'):,} idle"
        ),
    ]
    strangers = checked.agents.filter(pl.col("entry").is_null())
    for row in strangers.head(_LISTED).rows(named=True):
        lines += ["", _header("broken", row, None, [row])]
        lines += _told(checked.findings.filter(_is_of(row)))
    if strangers.height > _LISTED:
        lines += ["", f"… and {strangers.height - _LISTED:,} more that are unregistered: --format json"]
    for nth, entry in enumerate(inventory.agents, start=1):
        agents = checked.agents.filter(pl.col("entry") == nth).rows(named=True)
        findings = checked.findings.filter(pl.col("entry") == nth)
        if agents or findings.height:
            lines += ["", _header(_state(findings), agents[0] if agents else {}, entry, agents)]
            lines += _told(findings, is_named=len(agents) > 1)
    return lines


def _is_of(row: dict[str, Any]) -> pl.Expr:
    import polars as pl

    names = ("agent_name", "service_name", "environment", "tenant", "source")
    return pl.col("entry").is_null() & pl.all_horizontal(pl.col(name).eq_missing(pl.lit(row[name])) for name in names)


def _state(findings: pl.DataFrame) -> str:
    verdicts = findings["verdict"].to_list()
    return next((verdict for verdict in ("broken", "unknown", "idle") if verdict in verdicts), "holds")


def _header(state: str, first: dict[str, Any], entry: DeclaredAgent | None, agents: list[dict[str, Any]]) -> str:
    name = first.get("agent_name") if entry is None else entry.name
    where = [first.get(key) for key in ("service_name", "environment")] if entry is None else [
        entry.service, entry.environment,
    ]  # fmt: skip
    placed = ", ".join(text for text in where if text)
    told = name if name is not None else "an agent without a name"
    owner = f", of {entry.owner}" if entry is not None and entry.owner else ""
    runs, calls = (sum(agent[key] for agent in agents) for key in ("runs", "calls"))
    did = f"{count(runs, 'run')}, {count(calls, 'call')}" if runs else "no run"
    placed = f" ({placed})" if placed else ""
    return f"{_STATES[state]}  " + plain(f"{told}{placed}{owner}", most=_NAME_CHARACTERS) + f": {did}"


def _told(findings: pl.DataFrame, *, is_named: bool = False) -> Iterator[str]:
    for row in findings.head(_LISTED).rows(named=True):
        who = f"{row['agent_name']} ({row['service_name']}, {row['environment']}): " if is_named else ""
        line = f"{row['verdict']}: {who}{row['found']}{_how_often(row)}, expected {row['expected']}"
        latest = f" · {'latest ' if (row['runs'] or 0) > 1 else ''}run {row['run_id']}" if row["run_id"] else ""
        yield "    " + plain(line, most=500) + latest
    if findings.height > _LISTED:
        yield f"    … and {findings.height - _LISTED:,} more: --format json"


def _how_often(row: dict[str, Any]) -> str:
    from aftertrace.analyzer.documents.document import moment

    if row["kind"] == "unregistered" or row["runs"] is None:
        return ""
    calls = f"{count(row['calls'], 'call')} in " if row["calls"] is not None else ""
    since = f" since {moment(row['first_ns'])}" if row["first_ns"] is not None else ""
    return f" ({calls}{count(row['runs'], 'run')}{since})"
