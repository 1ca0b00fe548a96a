"""Runs as data for `drawings`: a row each, and its steps by tool, filled where a call ran and hollow where it did not.

A fingerprint is read at a glance: runs that do the same look the same, and one that does not stands out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.documents.lengths import length
from aftertrace.dashboards.addresses import run_address
from aftertrace.dashboards.blocks import Drawn
from aftertrace.dashboards.blocks import instant as instant_drawn
from aftertrace.dashboards.call_cards import dot
from aftertrace.dashboards.marks import RUN_STATES, UNSTATED
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import UNKNOWN, instant, money
from aftertrace.dashboards.zones import Zone, chosen

STEPS_AT_MOST: Final = 60
"""Calls of one run that are drawn; how many there are stands beside them."""
TOOLS_AT_MOST: Final = 8
"""Rows of a fingerprint: of more tools, the last row holds all others."""
_NAME_CHARACTERS: Final = 40
_PROMPT_CHARACTERS: Final = 160
_TONES: Final = {
    "denied": "critical",
    "modified": "high",
    "expired": "high",
    "cancelled": "high",
    "failed": "failed",
    "rejected_by_model": "high",
    "unresolved": "medium",
    "unknown_tool": "medium",
    "invalid_arguments": "medium",
}
_LEGEND: Final = (
    ("filled", "plain", "ran"),
    ("filled", "high", "ran with an edit"),
    ("filled", "failed", "ran and failed"),
    ("filled", "critical", "ran past a control"),
    ("hollow", "critical", "refused"),
    ("hollow", "high", "expired, cancelled or dropped"),
    ("hollow", "medium", "unknown tool or invalid arguments"),
    ("half", "medium", "nobody says what became of it"),
    ("half", "plain", "pending"),
)
_OF_STEPS: Final = ("tool_name", "outcome", "signals")
_OTHER: Final = "other tools"
CALL_COLUMNS: Final = ("run_id", "ordinal", "first_ns", "call_key", *_OF_STEPS)


def drawn(
    rows: pl.DataFrame,
    calls: pl.DataFrame,
    failures: Mapping[str, int],
    snippets: Mapping[str, str],
    kept: Mapping[str, str],
    *,
    are_large: bool,
    zone: Zone | None = None,
) -> Drawn:
    """The runs of a page, as `drawings.runs` draws them.

    Args:
        rows: rows of `runs`, in their order.
        calls: the calls of these runs, with at least `CALL_COLUMNS`.
        failures: in how many calls, effects and runs a control failed, by run.
        snippets: by run, where a text that was looked for stands.
        kept: what the address of each run says besides.
        are_large: whether fingerprints are drawn large, with the names of tools.
        zone: what times are told in; that of the page by itself.
    """
    by_run = {
        run_id: part
        for (run_id,), part in calls.sort("first_ns", "ordinal", "call_key", nulls_last=True)
        .partition_by("run_id", as_dict=True)
        .items()
    }
    used = Counter(
        name for part in by_run.values() for name in part["tool_name"].fill_null(UNSTATED.word).unique().to_list()
    )
    rank = {name: nth for nth, name in enumerate(sorted(used, key=lambda name: (-used[name], name)))}
    told_in = zone or chosen()
    # A list names the zone above them.
    has_offset = are_large or not told_in.has_one_offset(rows["started_at"])
    told = [
        {
            **_run(row, by_run.get(row["run_id"]), rank, snippets, kept),
            "failures": failures.get(row["run_id"], 0),
            "began": {"text": UNKNOWN} if at is None else instant_drawn(at, told_in, has_offset=has_offset),
        }
        for row, at in zip(rows.iter_rows(named=True), map(instant, rows["started_at"]), strict=True)
    ]
    present = {(step["dot"], step["tone"]) for run in told for step in run["steps"]}
    return {
        "large": are_large,
        "zone": told_in.place,
        "legend": [
            {"dot": of_dot, "tone": tone, "word": word} for of_dot, tone, word in _LEGEND if (of_dot, tone) in present
        ],
        "runs": told,
    }


def _run(
    row: dict[str, Any],
    calls: pl.DataFrame | None,
    rank: Mapping[str, int],
    snippets: Mapping[str, str],
    kept: Mapping[str, str],
) -> Drawn:
    run_id = row["run_id"]
    told = snippets.get(run_id) or row["prompt"]
    first = [] if calls is None else calls.head(STEPS_AT_MOST).select(_OF_STEPS).to_dicts()
    # In the order of the page, so that runs that do the same look the same.
    tools = sorted({each["tool_name"] or UNSTATED.word for each in first}, key=rank.__getitem__)
    named = tools if len(tools) <= TOOLS_AT_MOST else [*tools[: TOOLS_AT_MOST - 1], _OTHER]
    return {
        "id": run_id,
        "to": run_address(run_id, kept),
        "state": row["state"] or UNSTATED.word,
        "colour": RUN_STATES.get(row["state"], UNSTATED).colour,
        "agent": plain(row["agent_name"] or UNSTATED.word, most=_NAME_CHARACTERS),
        "model": plain(row["model"], most=_NAME_CHARACTERS) if row["model"] else "",
        "lasted": length(row["duration_ns"] / 1e9) if row["duration_ns"] is not None else "",
        "calls": row["calls"],
        "near_misses": row["near_misses"],
        "consequential": row["consequential"],
        "cost": money(row["cost_usd"]) if row["cost_usd"] is not None else "",
        "told": plain(told, most=_PROMPT_CHARACTERS) if told else "",
        "found": run_id in snippets,
        "tools": [plain(name, most=_NAME_CHARACTERS) for name in named],
        "steps": [_step(nth, each, named) for nth, each in enumerate(first, start=1)],
    }


def _step(nth: int, call: dict[str, Any], named: Sequence[str]) -> Drawn:
    tool = call["tool_name"] or UNSTATED.word
    outcome = call["outcome"] or UNSTATED.word
    tone = "critical" if call["signals"] else _TONES.get(outcome, "plain")
    odd = f": {', '.join(call['signals'])}" if call["signals"] else ""
    return {
        "row": named.index(tool) if tool in named else len(named) - 1,
        "dot": dot(call["outcome"]),
        "tone": tone,
        "title": plain(f"{nth} · {tool} · {outcome.replace('_', ' ')}{odd}", most=2 * _NAME_CHARACTERS),
    }
