"""Records that lie in no turn of their conversation are part of the run of one."""

from __future__ import annotations

from typing import Any

from .frames import recording
from .stories import PROPOSED, event, span, stored

TURN_1, TURN_2, OPENING = "a" * 32, "b" * 32, "c" * 32
OF_RUN = {"tool_name": None, "call_id": None}


def prompt(trace_id: str, s: float) -> dict[str, Any]:
    """A turn begins."""
    return event("input.resolved", "user_prompt", s=s, trace_id=trace_id, content=trace_id[0], **OF_RUN)


def streamed(s: float, **columns: Any) -> dict[str, Any]:
    """A model call that lies in no trace."""
    return event("model.called", s=s, trace_id=None, input_tokens=10, **OF_RUN, **columns)


def settings(s: float, trace_id: str | None = OPENING) -> dict[str, Any]:
    """What holds in a conversation from now on."""
    return event("input.resolved", "other", s=s, trace_id=trace_id, **OF_RUN)


def runs_of(*events: dict[str, Any]) -> dict[str, tuple[int | None, int]]:
    """By prompt: tokens and number of records of each run."""
    runs = stored(*events).analysis().runs.to_dicts()
    return {run["prompt"]: (run["input_tokens"], run["records"]) for run in runs}


def test_what_lies_in_no_trace_belongs_to_the_turn_under_way() -> None:
    """Tokens are those of the turn that spent them; the order of arrival changes nothing."""
    told = [prompt(TURN_1, 1), streamed(2), streamed(3), prompt(TURN_2, 5), streamed(6)]
    assert runs_of(*told) == runs_of(*reversed(told)) == {"a": (20, 3), "b": (10, 2)}


def test_settings_belong_to_the_turn_after_them() -> None:
    """Also where a request of their own set them; those that no turn follows stay with the last."""
    assert runs_of(settings(0), prompt(TURN_1, 1), settings(4), prompt(TURN_2, 5)) == {"a": (None, 2), "b": (None, 2)}
    assert runs_of(prompt(TURN_1, 1), settings(4, None)) == {"a": (None, 2)}


def test_a_record_before_every_turn_belongs_to_the_first() -> None:
    """A clock that is a little off makes no run."""
    assert runs_of(streamed(0.5), prompt(TURN_1, 1), prompt(TURN_2, 5)) == {"a": (10, 2), "b": (None, 1)}


def test_other_conversations_and_turns_that_are_named_are_left_alone() -> None:
    """The control: a session without traces is one run, and so is a turn that a record names itself."""
    assert runs_of(prompt(TURN_1, 1), streamed(2, conversation_id="s-2")) == {"a": (None, 1), None: (10, 1)}
    assert runs_of(prompt(TURN_1, 1), streamed(2, turn_id="t-2")) == {"a": (None, 1), None: (10, 1)}
    assert runs_of(streamed(1), streamed(2)) == {None: (20, 2)}


def test_a_command_that_the_program_itself_answers_is_no_run() -> None:
    """Claude Code's `/exit`: a prompt and the span about it. One whose prompt went to a model is a run."""
    said = {"state": "user_prompt", "content": "/exit", "trace_id": "b" * 32, "attributes": '{"command_name":"exit"}'}
    answered = span("invoke_agent", s=5, trace_id="b" * 32, parent_span_id=None)
    command = event("input.resolved", s=5, **OF_RUN, **said)
    asked = event("model.called", s=6, trace_id="b" * 32, **OF_RUN)
    assert stored(PROPOSED, command, spans=(answered,)).analysis().runs["prompt"].to_list() == [None]
    assert stored(PROPOSED, command, asked, spans=(answered,)).analysis().runs["prompt"].to_list() == ["/exit", None]


def test_a_recorded_turn_of_codex_is_one_run_with_its_settings_and_tokens() -> None:
    """Of more than twenty traces, the rest are its own machinery."""
    for case in ("exec_never", "exec_never_logs_json", "appserver_decline_accept"):
        analysis = recording("codex", case).analysis()
        (run,) = analysis.runs.to_dicts()
        calls = {"exec_never": 5, "exec_never_logs_json": 5, "appserver_decline_accept": 4}[case]
        assert (run["input_tokens"], run["output_tokens"], run["model"]) == (11 * calls, 7 * calls, "gpt-5.4")
        events = analysis.of().identified.events
        assert set(events["run_id"]) == {run["run_id"]}
