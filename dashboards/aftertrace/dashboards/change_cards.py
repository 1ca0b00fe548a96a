"""Pieces of the page Changes: one change in full, and what moved after it as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.analyzer.configurations.changes import Moment, prompt_diff
from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.records.version_words import PARTS
from aftertrace.dashboards import zones
from aftertrace.dashboards.cards import badge, facts
from aftertrace.dashboards.marks import CHANGED, UNSTATED
from aftertrace.dashboards.plain import DIGEST, plain
from aftertrace.dashboards.quantities import count, instant, share
from aftertrace.dashboards.run_list import AFTER

_MOST_LINES: Final = 400
_MOST_CHARACTERS: Final = 2_000
_CONTEXT_LINES: Final = 3
_STATES: Final = {
    "replaced": "The old one is gone.",
    "beside": "Both are in use.",
    "withdrawn": "Withdrawn since: the old one goes on.",
}
_NAMES: Final = {"near_misses": "near misses", "approval_wait": "approval wait", "cost_usd": "cost"}
_SHARES: Final = ("near_misses", "denials", "errors")
_SECONDS: Final = "approval_wait"
_UNITS: Final = {"cost_usd": " US$"}
_VERDICTS: Final = {
    "up": "up",
    "down": "down",
    "not_shown": "not shown",
    "too_few": "too few runs",
    "not_told": "not told",
}


def change(row: Mapping[str, Any], templates: Mapping[str, str | None], moment: Moment | None) -> None:
    """A change in full: what was changed, since when and how.

    Args:
        row: columns as in `schemas.CONFIGURATION_CHANGES`.
        templates: prompts without what differs from run to run, by configuration.
        moment: it and what was changed at about the same run, with the runs on both sides.
    """
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badge(CHANGED)
            st.text(plain(f"{row['agent_name'] or UNSTATED.word}: {PARTS[row['part']]}", most=160))
        facts(
            [
                ("First run with it", instant(row["first_ns"])),
                ("Version", f"{row['version_before']} → {row['version_after']}"),
                ("Runs with it", count(row["runs"])),
            ]
        )
        st.caption(" ".join(_told(row)), help=zones.hint(row["overlap_until"]) if row["overlap_runs"] else None)
        st.code("\n".join(sides(row, templates)), language=None, wrap_lines=True)
        if row["part"] == "prompt":
            st.caption("Whole prompts, where the evidence holds them")
            st.code(f"aftertrace changes --diff {row['change_id'][:8]}", language=None)
        runs = (("Last run before", row["last_run_before"]), ("First run with it", row["first_run_id"]))
        with st.container(horizontal=True, gap="small"):
            if moment is not None and moment.after:
                st.page_link(
                    "views/runs.py",
                    label=f"{count(len(moment.after), 'run')} after {'these' if len(moment.change_ids) > 1 else 'it'}",
                    icon=":material/list_alt:",
                    query_params={AFTER: row["change_id"]},
                )
            for label, run_id in runs:
                if run_id is not None:
                    st.page_link(
                        "views/run.py", label=label, icon=":material/arrow_forward:", query_params={"run": run_id}
                    )
            if all(run_id is not None for _, run_id in runs):
                both = dict(zip(("a", "b"), (str(run_id) for _, run_id in runs), strict=True))
                st.page_link(
                    "views/compare.py", label="Compare them", icon=":material/compare_arrows:", query_params=both
                )


def _told(row: Mapping[str, Any]) -> list[str]:
    lines = [_STATES[row["state"]]]
    if row["is_return"]:
        lines.append("Back to what it had been.")
    if row["is_silent"]:
        lines.append("The model that is asked for is the same.")
    if row["overlap_runs"]:
        lines.append(
            f"{count(row['overlap_runs'], 'run')} still had the old one, until {zones.moment(row['overlap_until'])}."
        )
    if row["with_parts"]:
        parts = ", ".join(part.replace("_", " ") for part in row["with_parts"])
        lines.append(f"At about the same run: {parts}; what moved after one cannot be told from the other.")
    return lines


def sides(row: Mapping[str, Any], templates: Mapping[str, str | None]) -> list[str]:
    """What went and what came as lines of a diff: of a prompt with some lines around, of tools by name."""
    if row["part"] == "tools":
        lines = [f"{sign} {name}" for sign, of in (("-", "removed"), ("+", "added")) for name in row[of]]
    elif row["part"] == "prompt" and (made := _prompt(row, templates)):
        lines = made
    else:
        both = (("-", row["before"]), ("+", row["after"]))
        lines = [f"{sign} " + DIGEST.sub(r"\1…", value or UNSTATED.word) for sign, value in both]
    left = len(lines) - _MOST_LINES
    shown = [line[:1] + plain(line[1:], most=_MOST_CHARACTERS) for line in lines[:_MOST_LINES]]
    return [*shown, f"@@ {left:,} more lines"] if left > 0 else shown


def _prompt(row: Mapping[str, Any], templates: Mapping[str, str | None]) -> list[str]:
    before, after = (templates.get(row[name]) for name in ("configuration_before", "configuration_after"))
    if before is None or after is None:
        return []
    return prompt_diff(before, after, context=_CONTEXT_LINES)


def measures(looks: pl.DataFrame) -> pl.DataFrame:
    """What was looked at after a change as a table shows it: what moved first.

    Args:
        looks: columns as in `schemas.CHANGE_MEASURES`.
    """
    rows = [
        {
            "measure": _NAMES.get(row["measure"], row["measure"]),
            "verdict": _VERDICTS[row["verdict"]],
            "was": _value(row, "before"),
            "is": _value(row, "after"),
            "by": _difference(row),
            "q_told": None if row["q"] is None else "below 0.001" if row["q"] < 0.001 else f"{row['q']:.3f}",
            "looked_at": _looked_at(row),
        }
        for row in looks.sort(~pl.col("verdict").is_in(("up", "down")), "q", nulls_last=True).iter_rows(named=True)
    ]
    names = ("measure", "verdict", "was", "is", "by", "q_told", "looked_at")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _value(row: Mapping[str, Any], side: str) -> str | None:
    if row[side] is None:
        return None
    if row["measure"] in _SHARES:
        return share(row[side])
    if row["measure"] == _SECONDS:
        return length(row[side])
    return f"{_amount(row[side])}{_UNITS.get(row['measure'], '')}"


def _difference(row: Mapping[str, Any]) -> str | None:
    if row["difference"] is None:
        return None
    if row["measure"] in _SHARES:
        by, low, high = (f"{100 * row[name]:+.1f}" for name in ("difference", "low", "high"))
        return f"{by} points ({low} to {high})"
    told = length if row["measure"] == _SECONDS else _amount
    by, low, high = (f"{'+' if row[name] > 0 else ''}{told(row[name])}" for name in ("difference", "low", "high"))
    return f"{by}{_UNITS.get(row['measure'], '')} ({low} to {high})"


def _looked_at(row: Mapping[str, Any]) -> str:
    floor = ", floors" if row["floor"] and row["measure"] in _SHARES[:2] else ""
    runs = f"{row['runs_before']:,} and {row['runs_after']:,} runs"
    if row["measure"] not in _SHARES:
        return runs
    return f"{row['count_before']:,} and {row['count_after']:,} calls in {runs}{floor}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
