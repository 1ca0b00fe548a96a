"""What aftertrace says of a case, against what the script made happen. Pure: rows in, faults out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .agent import Agent, Call

WAIT_TOLERANCE: Final = 0.1
WAIT_FLOOR_S: Final = 0.4
"""A program on a busy machine wakes up late: a wait, which is of seconds, may be off by this."""
RAN: Final = ("executed", "failed", "modified")
"""Outcomes of calls whose tool began to run."""
_OPEN: Final = ("unresolved", "pending")
"""Outcomes that claim nothing of what became of a call."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was told otherwise than it was."""

    tool: str
    """Empty where it is about the whole case."""
    column: str
    true: object
    told: object

    def __str__(self) -> str:
        """For people."""
        return f"{self.tool or 'case'}: {self.column} is {self.told!r}, in truth {self.true!r}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case went."""

    calls: int
    """Calls of the truth."""
    right: int
    """Calls of which everything was told as it was."""
    faults: tuple[Fault, ...]
    in_part: int = 0
    """Calls of which everything was told as it was but for what the telemetry cannot tell."""
    untold: tuple[str, ...] = ()
    """What it cannot tell, and why."""


def compare(agent: Agent, calls: Sequence[Mapping[str, Any]], runs: int, ran: Sequence[str] | None) -> Verdict:
    """The verdict on a case.

    Args:
        agent: the case.
        calls: rows of the table `calls`.
        runs: rows of the table `runs`.
        ran: names of the tools that ran, as they logged it themselves; None where they log nothing.
    """
    left = list(calls)
    found = {index: _take(call, left, faultless=True) for index, call in enumerate(agent.calls)}
    for index, call in enumerate(agent.calls):
        if found[index] is None:
            found[index] = _take(call, left, faultless=False)
    faults: list[Fault] = []
    untold: list[str] = []
    right = in_part = 0
    for index, call in enumerate(agent.calls):
        wrong = _faults(call, found[index])
        excused = [fault for fault in wrong if _is_excused(call, fault, found[index])]
        held = [fault for fault in wrong if fault not in excused]
        stale = sorted(call.untold.keys() - {fault.column for fault in wrong})
        held += [Fault(call.tool, f"excuse of {column}", "needed", "stale") for column in stale]
        untold += _reasons(call, excused)
        right += not wrong and not held
        in_part += bool(wrong) and not held
        faults += held
    faults += [Fault(str(row["tool_name"]), "tool", None, row["outcome"]) for row in left]
    if agent.runs is not None and runs != agent.runs:
        faults.append(Fault("", "runs", agent.runs, runs))
    if ran is not None:
        faults += _of_the_truth(agent.calls, ran)
    return Verdict(len(agent.calls), right, tuple(faults), in_part, tuple(untold))


def _is_excused(call: Call, fault: Fault, row: Mapping[str, Any] | None) -> bool:
    """Whether the telemetry cannot tell it, and what is told instead is what was stated, or claims nothing."""
    if fault.column not in call.untold:
        return False
    if fault.column in call.told:
        return fault.told == call.told[fault.column]
    return fault.column != "outcome" or fault.told in _OPEN or (row is not None and row["basis"] == "inferred")


def _reasons(call: Call, excused: Sequence[Fault]) -> list[str]:
    """What is told instead, by reason."""
    told: dict[str, list[str]] = {}
    for fault in excused:
        told.setdefault(call.untold[fault.column], []).append(f"{fault.column} is {fault.told}, in truth {fault.true}")
    return [f"{call.tool}: {', and '.join(columns)}: {reason}" for reason, columns in told.items()]


def _take(call: Call, left: list[Mapping[str, Any]], *, faultless: bool) -> Mapping[str, Any] | None:
    """The first row that is about the call, taken out of `left`: one without a fault, or any of its tool."""
    for row in left:
        if row["tool_name"] == call.tool and not (faultless and _faults(call, row)):
            left.remove(row)
            return row
    return None


def _faults(call: Call, row: Mapping[str, Any] | None) -> list[Fault]:
    if row is None:
        return [Fault(call.tool, "tool", call.outcome, None)]
    pairs: list[tuple[str, object, object]] = [
        ("outcome", call.outcome, row["outcome"]),
        ("decided_by", call.decided_by, row["decided_by"]),
        ("asked", call.asked, row["approval_asked"]),
    ]
    faults = [Fault(call.tool, column, true, told) for column, true, told in pairs if true != told]
    if row["basis"] not in call.bases:
        faults.append(Fault(call.tool, "basis", " or ".join(call.bases), row["basis"]))
    if call.wait_s is not None and not _is_near(call.wait_s, row["wait_ns"]):
        told_s = None if row["wait_ns"] is None else row["wait_ns"] / 1e9
        faults.append(Fault(call.tool, "wait_s", call.wait_s, told_s))
    if call.arguments is not None and row["arguments"] is not None and _object(row["arguments"]) != call.arguments:
        faults.append(Fault(call.tool, "arguments", json.dumps(call.arguments), row["arguments"]))
    return faults


def _is_near(true_s: float, told_ns: int | None) -> bool:
    return told_ns is not None and abs(told_ns / 1e9 - true_s) <= max(WAIT_TOLERANCE * true_s, WAIT_FLOOR_S)


def _object(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _of_the_truth(calls: Iterable[Call], ran: Sequence[str]) -> list[Fault]:
    """Where the truth itself is wrong: the tools' own log says what ran."""
    true, told = (
        Counter(call.body or call.tool for call in calls if call.outcome in RAN and call.body is not None),
        Counter(ran),
    )
    return [
        Fault(tool, "times run (truth)", told[tool], true[tool])
        for tool in sorted({*true, *told})
        if true[tool] != told[tool]
    ]
