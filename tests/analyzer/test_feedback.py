"""What harnesses say of calls in messages, again and again: each is told once, whatever was lost."""

from __future__ import annotations

import json
from typing import Any, Final

from .stories import calls_of, event

RAN: Final = "<returncode>0</returncode>"


def ran(place: int, *, s: float, text: str = RAN, replayed: bool = False, **columns: Any) -> dict[str, Any]:
    """A harness tells the model call at `s` of the command that the agent's message at `place` asked for."""
    attributes = {"message": place, "after": f"asked at {place}", **({"replayed": True} if replayed else {})}
    told = {
        "call_id": None,
        "tool_name": "bash",
        "group": "feedback",
        "basis": "inferred",
        "rule": "text:mini_swe_ran",
        "content_digest": text,
        "attributes": json.dumps(attributes, separators=(",", ":")),
        "span_id": f"{int(s):016d}",
    }
    return event("tool.called", "completed", s=s, **told | columns)


def command(*, s: float, text: str = RAN) -> dict[str, Any]:
    """The run of a command, as its own span tells it."""
    told = {"call_id": None, "tool_name": "bash", "content_digest": text, "span_id": f"9{int(s):015d}"}
    return event("tool.called", "completed", s=s, **told)


def outcomes(*events: dict[str, Any]) -> list[tuple[str, str]]:
    """Outcome and basis of the calls that are told."""
    return [*calls_of(*events).select("outcome", "basis").iter_rows()]


def test_a_run_that_its_span_and_the_harness_tell_of_is_one_call() -> None:
    """Told by the harness after each, and again in the history."""
    told = (command(s=1), ran(1, s=2), command(s=3), ran(3, s=4), ran(1, s=4, replayed=True))
    assert outcomes(*told) == [("executed", "explicit")] * 2


def test_a_run_whose_span_is_lost_is_known_from_the_harness() -> None:
    """Though all commands gave the same output: no run lies between the first thing said and the second."""
    assert outcomes(command(s=1), ran(1, s=2), ran(3, s=4), command(s=5), ran(5, s=6)) == [
        ("executed", "explicit"),
        ("executed", "inferred"),
        ("executed", "explicit"),
    ]


def test_what_is_only_heard_of_in_a_repetition_counts_once() -> None:
    """The span of the command and the model call that was told of it are both lost; two later ones repeat it."""
    again = [ran(3, s=s, text="other", replayed=True) for s in (6, 8)]
    told = (command(s=1), ran(1, s=2), command(s=5), ran(5, s=6), ran(7, s=8, text="more"), *again)
    assert outcomes(*told) == [
        ("executed", "explicit"),
        ("executed", "inferred"),
        ("executed", "explicit"),
        ("executed", "inferred"),
    ]


def test_a_repetition_of_what_a_span_told_is_no_call_of_its_own() -> None:
    """The model call that was told first is lost, the command's own span is not: the output is the same."""
    told = (command(s=1, text="a"), command(s=3, text="b"), ran(3, s=4, text="b"), ran(1, s=4, text="a", replayed=True))
    assert outcomes(*told) == [("executed", "explicit")] * 2


def refused(place: int, *, s: float, **columns: Any) -> dict[str, Any]:
    """A harness tells the model call at `s` of a refusal, always in the same words."""
    told = {"reason": "refused", "content_digest": None, "rule": "text:drift", "decided_by": "guardrail"}
    return ran(place, s=s, **told | columns) | {"state": "refused"}


def test_a_model_call_that_is_made_again_is_told_of_the_same_refusal() -> None:
    """A client that repeats a failed request sends the same messages."""
    assert outcomes(refused(1, s=1), refused(1, s=2)) == [("denied", "inferred")]


def test_two_refusals_in_the_same_words_are_two() -> None:
    """The control: the second answers a later message of the agent."""
    assert outcomes(refused(1, s=1), refused(3, s=2)) == [("denied", "inferred")] * 2


def test_one_message_that_refuses_two_calls_of_a_tool_is_told_of_both() -> None:
    """DRIFT lists the calls that it refuses together; each later model call repeats the list."""
    first, again = ([refused(1, s=s, seq=s, ordinal=n, replayed=s > 1) for n in range(2)] for s in (1, 2))
    assert outcomes(*first, *again) == [("denied", "inferred")] * 2


def test_a_refusal_that_its_own_span_tells_in_the_same_words_is_one_call() -> None:
    """Some instrumentations open a span for it."""
    spoken = event("tool.called", "refused", s=1, call_id=None, tool_name="bash", reason="refused", basis="inferred")
    assert outcomes(spoken, refused(1, s=2)) == [("denied", "inferred")]


def entered(text: str, *, s: float) -> dict[str, Any]:
    """LangGraph's node of tools is entered with a command; the tool's own span lies below it."""
    told = {"call_id": None, "tool_name": "bash", "rule": "langgraph_tools", "span_id": f"9{int(s):015d}"}
    return event("tool.called", "entered", s=s, arguments=text, arguments_digest=text, **told)


def below(*, s: float, text: str = RAN) -> dict[str, Any]:
    """The tool's own span."""
    return command(s=s, text=text) | {"span_id": f"8{int(s):015d}", "parent_span_id": f"9{int(s):015d}"}


def arguments(*events: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Arguments, outcome and basis of the calls that are told."""
    return [*calls_of(*events).select("arguments", "outcome", "basis").iter_rows()]


def test_a_tool_that_is_entered_and_has_run_is_one_call() -> None:
    """The node knows the arguments, the span below it the result, and neither an id."""
    told = (entered("ls", s=1), below(s=1.5), ran(1, s=2), entered("cat", s=3), below(s=3.5), ran(3, s=4))
    assert arguments(*told) == [("ls", "executed", "explicit"), ("cat", "executed", "explicit")]


def test_what_is_said_next_is_of_the_tool_that_was_entered() -> None:
    """Where the span of the run is lost, the harness still tells of it; all commands gave the same output."""
    told = (entered("ls", s=1), ran(1, s=2), entered("cat", s=3), below(s=3.5), ran(3, s=4))
    assert arguments(*told) == [("ls", "executed", "inferred"), ("cat", "executed", "explicit")]


def test_what_is_said_after_two_runs_is_of_the_second() -> None:
    """The model call that was told of the first run is lost, and so is the span of the second."""
    told = (entered("ls", s=1), below(s=1.5), entered("cat", s=3), ran(3, s=4), ran(1, s=4, replayed=True))
    assert arguments(*told) == [("ls", "executed", "explicit"), ("cat", "executed", "inferred")]


def test_a_tool_of_which_nothing_more_is_heard_has_no_result() -> None:
    """The control: what is said before it was entered is of another."""
    told = (entered("ls", s=1), below(s=1.5), ran(1, s=2), entered("cat", s=3))
    assert arguments(*told) == [("ls", "executed", "explicit"), ("cat", "pending", "inferred")]
