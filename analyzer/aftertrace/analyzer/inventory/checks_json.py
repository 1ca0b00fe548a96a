"""What `inventory check` found as one JSON object, for a program that tells people of it (`posted_texts`).

`aftertrace inventory check --format json` has the exact texts.
"""

from __future__ import annotations

import json
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.expectations.posted_texts import MOST_FINDINGS, checked_at, shown
from aftertrace.analyzer.inventory.checks import Checked

FORMAT: Final = "aftertrace-inventory-check/1"
_TOLD: Final = (
    "verdict", "kind", "agent_name", "service_name", "environment", "owner", "subject", "found", "expected", "runs",
    "calls", "run_id",
)  # fmt: skip
MEMBERS: Final = {
    "format": f"`{FORMAT}`",
    "text": "the result in one sentence, in which nothing of a sender stands",
    "checked_at": "when, in UTC",
    "broken": "findings that are broken",
    "unknown": "findings of which it cannot be told",
    "agents": "how many agents are `registered`, `unregistered` and `silent`",
    "findings": f"at most {MOST_FINDINGS}, broken before unknown: " + ", ".join(f"`{name}`" for name in _TOLD),
    "findings_left_out": "how many more there are",
}
"""The members of the object, and what they mean."""


def written(checked: Checked, now_ns: int) -> str:
    """The object, in ASCII, members in the order of their names. What is declared for nothing is not posted."""
    rows: list[dict[str, Any]] = [
        row for verdict in ("broken", "unknown") for row in checked.findings.filter(verdict=verdict).rows(named=True)
    ]
    states = {
        state: checked.agents.filter(pl.col("state") == state).height
        for state in ("registered", "unregistered", "silent")
    }
    broken, unknown = checked.count("broken"), checked.count("unknown")
    found = {
        "format": FORMAT,
        "text": (
            f"aftertrace inventory check: {broken} broken, {unknown} not known to hold; agents: "
            + ", ".join(f"{many} {state}" for state, many in states.items())
        ),
        "checked_at": checked_at(now_ns),
        "broken": broken,
        "unknown": unknown,
        "agents": states,
        "findings": [{name: shown(row[name]) for name in _TOLD} for row in rows[:MOST_FINDINGS]],
        "findings_left_out": max(0, len(rows) - MOST_FINDINGS),
    }
    return json.dumps(found, ensure_ascii=True, sort_keys=True) + "\n"
