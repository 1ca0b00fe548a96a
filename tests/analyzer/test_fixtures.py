"""Recorded telemetry of real agents: what became of every call, who decided, and how long it took.

The truth comes from the scripted model and from the tools' own logs, not from the telemetry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from . import frames, seen

FATES: Final = {"error": "failed"}
"""Words of the truth that the analyzer has another for."""
WAIT_TOLERANCE: Final = 0.1
WAIT_FLOOR_MS: Final = 60
"""Times in the truth are rounded: a wait of milliseconds may be off by this."""

IN_SCOPE: Final = (
    "claude-code/*",
    "claude-agent-sdk/*",
    "copilot-cli/*",
    "codex/*",
    "pydantic-ai/*",
    "agent-framework/*",
    "langchain/*",
    "openai-agents/*",
    "google-adk/*",
    "gemini-cli/*",
    "strands/*",
    "ai-sdk-6/*",
    "ai-sdk-7/*",
    "opencode/*",
    "mastra/*",
    "crewai/*",
    "openhands/*",
    "cline/*",
    "mcp/*",
    "langfuse/*",
    "otel-genai/*",
    "smolagents/*",
)
"""Recordings whose dialect is read by now."""

EXCEPTIONS: Final = {
    ("ai-sdk-6/approve_reject_no_content", "pay", "waited_ms"): "without content nothing tells when it was proposed",
    ("ai-sdk-6/pending", "delete_db", "approval_asked"): "an ask is told with its answer, a client's call looks alike",
    ("ai-sdk-6/pending", "pay", "approval_asked"): "an ask is told with its answer, a client's call looks alike",
    ("ai-sdk-7/rules", "pay", "decided_by"): "the ids of automatic approvals are not sent",
    ("claude-code/v2_1_329_headless_default", "Bash", "approval_asked"): "an unanswered ask reads like a deny rule",
    ("claude-code/v2_1_329_headless_default", "Write", "approval_asked"): "an unanswered ask reads like a deny rule",
    ("claude-code/v2_1_330_mcp", "mcp__tiny__drop_table", "approval_asked"): "an unanswered ask reads like a deny rule",
    ("claude-code/v2_1_330_permission_request_hook", "Bash", "approval_asked"): (
        "an unanswered ask reads like a deny rule"
    ),
    ("cline/sdk_approvals", "delete_db", "approval_asked"): "the SDK does not tell whether anybody was asked",
    ("cline/sdk_approvals", "delete_db", "decided_by"): "the SDK tells a refusal as a failure",
    ("cline/sdk_approvals", "delete_db", "outcome"): "the SDK tells a refusal as a failure",
    ("cline/sdk_approvals", "pay", "approval_asked"): "the SDK does not tell whether anybody was asked",
    ("cline/sdk_approvals", "pay", "decided_by"): "the SDK does not tell whether anybody was asked",
    ("cline/sdk_approvals", "wipe", "outcome"): "the SDK tells an unknown tool as a failure",
    ("codex/exec_hook", "exec_command", "decided_by"): "a hook that lets a call through reads like the configuration",
    ("otel-genai/langchain_reject_edit", "delete_db", "waited_ms"): "the question has no record, its answer is a text",
    ("otel-genai/langchain_reject_edit", "pay", "waited_ms"): "the question has no record, its answer is a text",
}
"""What the telemetry cannot tell, and why: `(recording, tool, column)`."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is compared of a call. None is not asked for."""

    tool: str
    outcome: str
    decided_by: str | None
    explicit: bool | None
    """Of a refusal: whether a field or record states it."""
    approval_asked: bool
    waited_ms: float | None


@dataclass(slots=True)
class Tally:
    """How many calls of an emitter are right."""

    calls: int = 0
    wrong: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("outcome", "decider", "basis", "wait"), 0))


def recordings() -> list[tuple[str, Path]]:
    """Name and file of every recording in scope."""
    return sorted(
        (f"{path.parent.name}/{path.name.removesuffix('.otlp.jsonl')}", path)
        for pattern in IN_SCOPE
        for path in frames.RECORDINGS.glob(f"{pattern}.otlp.jsonl")
    )


def truth_of(path: Path) -> Iterator[tuple[str | None, Call]]:
    """Id and truth of every call that the telemetry mentions at all."""
    told = json.loads(path.with_name(path.name.replace(".otlp.jsonl", ".truth.json")).read_text("utf-8"))
    for run in told["runs"]:
        for call in run["calls"]:
            if call["visible_in_telemetry"]:
                yield call["call_id"], _truth(call)


def _truth(call: dict[str, Any]) -> Call:
    edited = call["approval"]["decision"] == "edited"
    return Call(
        tool=call["tool"],
        outcome="modified" if edited else FATES.get(call["fate"], call["fate"]),
        decided_by=call["decided_by"],
        explicit=call["decision_explicit_in_telemetry"] if call["fate"] == "denied" else None,
        approval_asked=call["approval"]["requested"],
        waited_ms=call["approval"]["waited_ms_about"] or None,
    )


def found_for(call_id: str | None, truth: Call, rows: list[dict[str, Any]]) -> Call:
    """What the analyzer made of a call of the truth; its row is taken out of `rows`."""
    fits = [row for row in rows if row["tool_call_id"] == call_id and row["tool_name"] == truth.tool]
    unnamed = [row for row in rows if row["tool_call_id"] is None and row["tool_name"] == truth.tool]
    assert fits or unnamed, f"no call {call_id} of {truth.tool} was found"
    row = (fits or unnamed)[0]
    rows.remove(row)
    return Call(
        tool=row["tool_name"],
        outcome=row["outcome"],
        decided_by=row["decided_by"],
        explicit=None if truth.explicit is None else row["basis"] == "explicit",
        approval_asked=row["approval_asked"],
        waited_ms=_about(row["wait_ns"], truth.waited_ms),
    )


def _about(wait_ns: int | None, truth_ms: float | None) -> float | None:
    """The wait as the truth has it where it is near enough, else as it is."""
    if truth_ms is None or wait_ns is None:
        return None
    waited_ms = wait_ns / 1e6
    return truth_ms if abs(waited_ms - truth_ms) <= max(WAIT_TOLERANCE * truth_ms, WAIT_FLOOR_MS) else waited_ms


def compare(name: str, path: Path) -> list[tuple[Call, Call]]:
    """Pairs of what is true and what was found, exceptions settled; fails on a call that never was."""
    rows = frames.told_of(path).calls.to_dicts()
    pairs = [(truth, found_for(call_id, truth, rows)) for call_id, truth in truth_of(path)]
    assert [(row["tool_name"], row["tool_call_id"], row["outcome"]) for row in rows] == []
    return [(truth, _excused(name, truth, found)) for truth, found in pairs]


def _excused(name: str, truth: Call, found: Call) -> Call:
    columns = [column for recording, tool, column in EXCEPTIONS if (recording, tool) == (name, truth.tool)]
    values = {column: getattr(truth if column in columns else found, column) for column in Call.__slots__}
    return Call(**values)


@pytest.mark.parametrize(("name", "path"), recordings(), ids=[name for name, _ in recordings()])
def test_every_call_of_a_recording_is_told_as_it_was(name: str, path: Path) -> None:
    """Outcome, decider, basis of a refusal, whether somebody was asked, and the wait; and no call that never was."""
    pairs = compare(name, path)
    assert [found for _, found in pairs] == [truth for truth, _ in pairs]


def test_the_table_of_all_recordings_is_a_hundred_percent(capsys: pytest.CaptureFixture[str]) -> None:
    """Per emitter, printed into the test output."""
    tallies: dict[str, Tally] = {}
    for name, path in recordings():
        tally = tallies.setdefault(name.split("/")[0], Tally())
        for truth, found in compare(name, path):
            tally.calls += 1
            tally.wrong["outcome"] += truth.outcome != found.outcome
            tally.wrong["decider"] += truth.decided_by != found.decided_by
            tally.wrong["basis"] += truth.explicit != found.explicit
            tally.wrong["wait"] += (truth.approval_asked, truth.waited_ms) != (found.approval_asked, found.waited_ms)
    with capsys.disabled():
        print(f"\n\n{'emitter':<18}{'calls':>6}{'outcome':>9}{'decider':>9}{'basis':>9}{'wait':>9}")
        for emitter, tally in tallies.items():
            shares = "".join(f"{100 * (1 - wrong / tally.calls):>7.0f} %" for wrong in tally.wrong.values())
            print(f"{emitter:<18}{tally.calls:>6}{shares}")
        for (name, tool, column), reason in EXCEPTIONS.items():
            print(f"{name} {tool}: {column} is not held against it: {reason}")
    assert {emitter: sum(tally.wrong.values()) for emitter, tally in tallies.items()} == dict.fromkeys(tallies, 0)


@pytest.mark.parametrize(("recording", "tool", "column"), EXCEPTIONS)
def test_an_exception_is_still_needed(recording: str, tool: str, column: str) -> None:
    """One that the analyzer has outgrown must go."""
    path = dict(recordings())[recording]
    rows = frames.told_of(path).calls.to_dicts()
    pairs = [(truth, found_for(call_id, truth, rows)) for call_id, truth in truth_of(path)]
    assert [truth.tool for truth, found in pairs if getattr(truth, column) != getattr(found, column)].count(tool) == 1


def test_the_comparison_sees_a_wrong_outcome() -> None:
    """The control: a refusal whose decision was lost on the way is not told as it was."""
    path = frames.RECORDINGS / "claude-code" / "hook_deny.otlp.jsonl"
    whole = frames.of_recording(path)
    decisions = whole.events["event"].is_in(["policy.evaluated", "approval.rejected"])
    refusals = whole.events["state"].is_in(["refused"]).fill_null(value=False)
    rows = frames.Frames(whole.spans, whole.events.filter(~(decisions | refusals))).analysis().calls.to_dicts()
    truths = [truth for _, truth in truth_of(path)]
    assert {row["outcome"] for row in rows}.isdisjoint({"denied"})
    assert [truth.outcome for truth in truths].count("denied") == 3


def test_the_page_of_what_is_seen_is_true() -> None:
    """Measured anew; `make docs` writes it."""
    assert seen.PAGE.read_text(encoding="utf-8") == seen.text(), "stale: run make docs"
