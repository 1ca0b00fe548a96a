"""What `check` found as one JSON object, for a program that tells people of it (`posted_texts`).

`aftertrace check --format json` has the exact texts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from aftertrace.analyzer.expectations.checks import Checked
from aftertrace.analyzer.expectations.posted_texts import MOST_FINDINGS, checked_at, shown

FORMAT: Final = "aftertrace-check/1"
MEMBERS: Final = {
    "format": f"`{FORMAT}`",
    "text": "the result in one sentence, in which nothing of a sender stands",
    "checked_at": "when, in UTC",
    "broken": "rules that are broken",
    "unknown": "rules that hold as far as is told, and of which not all is told",
    "rules": (
        "each rule of the file: `name`, `state` (`broken`, `unknown`, `idle`, `holds`), `calls` and `runs` that it is "
        "about, `broken` and `unknown` among them"
    ),
    "findings": (
        f"at most {MOST_FINDINGS}: `rule`, `verdict`, `found`, `expected`, `agent_name`, `tool_name`, "
        "`tool_call_id`, `run_id`"
    ),
    "findings_left_out": "how many more there are",
}
"""The members of the object, and what they mean."""
_TOLD: Final = ("rule", "verdict", "found", "expected", "agent_name", "tool_name", "tool_call_id", "run_id")


def written(checked: Sequence[Checked], now_ns: int) -> str:
    """The object, in ASCII, members in the order of their names."""
    states = [each.state for each in checked]
    rows: list[dict[str, Any]] = [row for each in checked for row in each.findings.head(MOST_FINDINGS).rows(named=True)]
    broken, unknown = states.count("broken"), states.count("unknown")
    found = {
        "format": FORMAT,
        "text": f"aftertrace check: {broken} of {len(checked)} rules broken, {unknown} not known to hold",
        "checked_at": checked_at(now_ns),
        "broken": broken,
        "unknown": unknown,
        "rules": [
            {
                "name": shown(each.rule.name),
                "state": each.state,
                "calls": each.calls,
                "runs": each.runs,
                "broken": each.broken,
                "unknown": each.unknown,
            }
            for each in checked
        ],
        "findings": [{name: shown(row[name]) for name in _TOLD} for row in rows[:MOST_FINDINGS]],
        "findings_left_out": max(0, sum(each.broken + each.unknown for each in checked) - MOST_FINDINGS),
    }
    return json.dumps(found, ensure_ascii=True, sort_keys=True) + "\n"
