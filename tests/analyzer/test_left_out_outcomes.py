"""What became of a call is the same whether its content is kept or left out; what cannot be known then is marked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

import polars as pl
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.analyzer import Analysis
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES
from aftertrace.ingest import redact
from aftertrace.ingest.carried import texts
from aftertrace.ingest.left_out import LeavingOut
from aftertrace.ingest.redact_tokens import READING
from aftertrace.ingest.redaction_policy import Capture, make_policy

from . import frames
from .test_fixtures import recordings

MODES: Final[tuple[Capture, ...]] = ("digest-only", "metadata-only")
RECORDINGS: Final = dict(recordings())
_CALL: Final = ("tool_name", "tool_call_id", "ordinal")
_NAMES: Final = ("tool_name", "tool_call_id", "agent_name", "agent_id", "conversation_id", "run_id", "model")


class Judged(NamedTuple):
    """A call, and what it is said to be with its content and without."""

    recording: str
    tool: str | None
    full: str
    left_out: str
    content_left_out: bool


def stored(recording: str, mode: Capture) -> frames.Frames:
    """What is stored of a recording in a mode."""
    return frames.of_requests(frames.lines(RECORDINGS[recording]), make_policy(capture=mode))


@cache
def told(recording: str, mode: Capture) -> Analysis:
    """What is told of it: the same for all tests."""
    return stored(recording, mode).analysis()


def judged(recording: str, left_out: Analysis) -> Iterator[Judged]:
    """Every call of a recording; each is there with its content and without."""
    full = frames.told_of(RECORDINGS[recording]).calls.sort(_CALL)
    left = left_out.calls.sort(_CALL)
    assert full.select(_CALL).rows() == left.select(_CALL).rows()
    outcomes = full["tool_name"], full["outcome"], left["outcome"], left["content_left_out"]
    return (Judged(recording, *call) for call in zip(*outcomes, strict=True))


def is_contradiction(call: Judged) -> bool:
    """Whether the weaker telling says what is not so, or does not say that it may be weaker.

    A call that was edited ran; one that was refused, and is said to have run, must be marked.
    """
    if call.full == call.left_out:
        return False
    never = call.full in RAN_OUTCOMES and call.left_out not in RAN_OUTCOMES
    return never or not call.content_left_out


WEAKER: Final[dict[Capture, list[Judged]]] = {
    "digest-only": [],
    "metadata-only": [
        Judged("claude-agent-sdk/callback_edit", "Bash", "modified", "executed", True),
        Judged("claude-code/v2_1_330_hook_edit", "Bash", "modified", "executed", True),
        Judged("claude-code/v2_1_330_permission_prompt_tool", "Bash", "modified", "executed", True),
        Judged("claude-code/v2_1_330_permission_request_hook", "Bash", "modified", "executed", True),
        Judged("pydantic-ai/edited_by_reviewer", "pay", "modified", "executed", True),
    ],
}
"""Edits that nothing tells but the arguments before and after."""


@pytest.mark.parametrize("mode", MODES)
def test_outcomes_of_all_recordings_are_those_of_the_full_content(mode: Capture) -> None:
    """Refusals, unknown tools and invalid arguments too, that nothing but a text tells; and what is not, is marked."""
    calls = [call for recording in RECORDINGS for call in judged(recording, told(recording, mode))]
    assert [call for call in calls if call.full != call.left_out] == WEAKER[mode]
    assert [call for call in calls if is_contradiction(call)] == []
    counted = Counter("same" if call.full == call.left_out else f"{call.full} -> {call.left_out}" for call in calls)
    expected = {
        "digest-only": {"same": 326},
        "metadata-only": {"same": 321, "modified -> executed": 5},
    }
    assert (len(RECORDINGS), counted) == (103, expected[mode])


def test_the_comparison_sees_what_is_judged_from_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where records do not carry what was read of them, refusals are lost, and what ran is denied."""
    monkeypatch.setattr(redact, "carry", lambda *_: None)
    lost, made_up = "langchain/langsmith_twice_the_same", "pydantic-ai/external_toolset"
    refused = judged(lost, stored(lost, "metadata-only").analysis())
    assert Counter((call.full, call.left_out) for call in refused)["denied", "executed"] == 1
    external = judged(made_up, stored(made_up, "digest-only").analysis())
    (ran,) = (call for call in external if call.full != call.left_out)
    assert (ran.full, ran.left_out, is_contradiction(ran)) == ("executed", "denied", True)
    assert is_contradiction(Judged("made up", "pay", "denied", "executed", content_left_out=False))


@pytest.mark.parametrize("mode", MODES)
def test_no_mark_is_a_name_or_an_id(mode: Capture) -> None:
    """Of a tool, a call, an agent or a run of any recording."""
    for recording in RECORDINGS:
        analysis = told(recording, mode)
        for table in (analysis.calls, analysis.runs, analysis.agents):
            named = table.select(pl.col(name) for name in _NAMES if name in table.columns)
            assert not named.select(pl.any_horizontal(pl.all().str.contains("[[", literal=True)).any()).item()


def carried_by(recording: str) -> Iterator[tuple[Any, set[str]]]:
    """What each record carries, and the other texts that are kept of it."""
    for signal, record in stored(recording, "metadata-only").evidence.select("signal", "record").iter_rows():
        message = (Span if signal == "traces" else LogRecord).FromString(record)
        for text in [pair.value.string_value for pair in message.attributes if pair.key == READING]:
            yield json.loads(text), {kept for kept in texts(message) if kept != text}


def _phrases(value: Any) -> Iterator[str]:
    """The texts in a JSON value that have blanks in them."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _phrases(item)
    elif isinstance(value, str) and len(value.split()) > 1:
        yield value


def _told_in_carried() -> tuple[int, list[str]]:
    """How many records carry something, and the texts of several words in it that stand nowhere else in the record."""
    carried = [each for recording in RECORDINGS for each in carried_by(recording)]
    return len(carried), [phrase for read, kept in carried for phrase in _phrases(read) if phrase not in kept]


def test_what_is_carried_holds_no_text_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the 1,405 records of real agents that had content. The control: where no text is marked in it, many show."""
    assert _told_in_carried() == (1_405, [])
    monkeypatch.setattr(LeavingOut, "whole", lambda _, value: value)
    records, found = _told_in_carried()
    assert (records, len(found) > 1_000) == (1_405, True)
