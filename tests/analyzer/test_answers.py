"""The six answers about one run, as a page or the command line gives them."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Invalid
from aftertrace.ingest.redaction_policy import make_policy

from . import frames
from .stories import event, stored

if TYPE_CHECKING:
    from aftertrace.analyzer import Answer


def longest_run(analysis: Analysis) -> str:
    """The run with the most calls."""
    return str(analysis.runs.sort("calls", descending=True)["run_id"][0])


def text(answers: tuple[Answer, ...]) -> str:
    """One line for each answer: how well it is known, what it is, and what to switch on for more."""
    return "\n".join(
        f"{answer.question} ({answer.state}): {answer.value}" + (f" -> {answer.switch_on}" if answer.switch_on else "")
        for answer in answers
    )


ANSWERS = {
    ("claude-code", "tty_approve"): """\
        agent (known): claude-code 2.1.197
        model (known): asked claude-opus-4-8[1m], served claude-opus-4-8
        system_prompt (unknown): unknown -> OTEL_LOG_RAW_API_BODIES=1
        inputs (partial): an input is recorded without its text -> OTEL_LOG_USER_PROMPTS=1
        tools (partial): available: unknown; ran: Bash×2, Write×1; did not run: none seen \
-> OTEL_LOG_RAW_API_BODIES=1 OTEL_LOG_TOOL_DETAILS=1
        reviewer (partial): Bash: granted by a person, not named after 5.0 s; Write: granted by a person, not named \
after 4.0 s -> sign in, so that user.email is sent; the person at the terminal is not named otherwise
        trigger (known): user 2c280a33c5c38f07ecf6bcd5d553fa17a338bc5fad2995c554de1aa9ae80b19b
        checks (known): policy allow×1
        effects (unknown): no receipt is recorded""",
    ("copilot-cli", "headless_content"): """\
        agent (known): github-copilot 1.0.102
        model (known): fake-model
        system_prompt (known): [vendor text removed: 21557 chars sha256:15c8ef7464c7a188] [sha256:694246e37d9a]
        inputs (known): <current_datetime>2026-11-21T07:32:26.826+00:00</current_datetime> please tidy
        tools (known): available: 17; ran: bash×1; did not run: bash denied, create denied, no_such_tool unknown_tool
        reviewer (known): create: denied by policy after 1 ms
        trigger (partial): a prompt; whose is unknown
        checks (known): policy deny×1
        effects (unknown): no receipt is recorded""",
    ("langchain", "openinference_reject_edit"): """\
        agent (known): dbbot (service dbbot-service)
        model (partial): served fake-served; which was asked is unknown
        system_prompt (known): You are careful. [sha256:0954b074d684]
        inputs (known): go
        tools (known): available: 3; ran: pay×1, read_db×1; did not run: delete_db denied, nope unknown_tool
        reviewer (partial): delete_db: rejected by a person, not named after 2.0 s; pay: modified by a person, not \
named after 2.0 s -> put the reviewer into the thread's metadata as user_id
        trigger (known): user u1
        checks (unknown): no check is recorded
        effects (unknown): no receipt is recorded""",
}


@pytest.mark.parametrize(("emitter", "case"), ANSWERS)
def test_a_run_of_a_real_agent_answers_what_its_telemetry_tells(emitter: str, case: str) -> None:
    """And says what to switch on where it does not."""
    analysis = frames.recording(emitter, case).analysis()
    answers = analysis.answers(longest_run(analysis))
    assert text((*answers.six, *answers.more)) == dedent(ANSWERS[emitter, case])
    assert [answer.question for answer in answers.six] == [
        "agent", "model", "system_prompt", "inputs", "tools", "reviewer",
    ]  # fmt: skip
    assert answers.known == text(answers.six).count(" (known): ")


@pytest.mark.parametrize(("emitter", "case"), ANSWERS)
def test_what_is_known_rests_on_records_that_are_there(emitter: str, case: str) -> None:
    """Every answer names the evidence rows behind it, at most five."""
    stored_rows = frames.recording(emitter, case)
    analysis = stored_rows.analysis()
    pointers = {
        f"{receiver}/{seq}/{index}"
        for frame in (stored_rows.spans, stored_rows.events)
        for receiver, seq, index in frame.select("receiver", "seq", "index").iter_rows()
    }
    answers = analysis.answers(longest_run(analysis))
    for answer in (*answers.six, *answers.more):
        assert set(answer.evidence) <= pointers
        assert len(answer.evidence) <= 5
        assert bool(answer.evidence) == (answer.state != "unknown")


def test_a_run_of_an_unknown_sender_is_told_what_plain_opentelemetry_could_say() -> None:
    """One event of nobody in particular."""
    nobody = event("tool.called", "entered", service_name=None, agent_name=None, scope_name=None, tool_name=None)
    analysis = stored(nobody).analysis()
    assert text(analysis.answers(longest_run(analysis)).six) == dedent("""\
        agent (unknown): unknown -> gen_ai.agent.name on the agent's spans
        model (unknown): unknown -> gen_ai.request.model on the model's spans
        system_prompt (unknown): unknown -> OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_AND_EVENT
        inputs (unknown): unknown -> OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_AND_EVENT
        tools (partial): available: unknown; ran: none; did not run: ? pending \
-> gen_ai.tool.definitions on the model's spans
        reviewer (unknown): no decision is recorded; whether anybody was asked is unknown \
-> record the answer with aftertrace.semconv.instrument""")


@pytest.mark.parametrize("mode", ["digest-only", "metadata-only"])
def test_content_that_the_configuration_leaves_out_is_told_as_such(mode: str) -> None:
    """Not as unknown, nor as something that the emitter should be told to send."""
    path = frames.RECORDINGS / "langchain" / "openinference_reject_edit.otlp.jsonl"
    analysis = frames.of_requests(frames.lines(path), make_policy(capture=mode)).analysis()
    six = analysis.answers(longest_run(analysis)).six
    switch = "`redaction.capture` in aftertrace.toml, which leaves content out"
    assert text(six[2:5]) == dedent(
        f"""\
        system_prompt (partial): left out by configuration ({mode}) -> {switch}
        inputs (partial): left out by configuration ({mode}) -> {switch}
        tools (partial): available: 3; ran: pay×1, read_db×1; did not run: delete_db denied, nope unknown_tool; \
arguments and results left out by configuration ({mode}), and edits of arguments may not be seen -> {switch}"""
    )


def test_a_run_that_is_not_there_is_refused_with_the_way_out() -> None:
    """By the command that lists runs."""
    with pytest.raises(Invalid) as refusal:
        stored(event("tool.called", "completed")).analysis().answers("nope")
    assert str(refusal.value) == "run 'nope': not found; `aftertrace runs` lists them"


def test_the_timeline_of_a_run_is_told_in_order_and_in_lanes() -> None:
    """LangGraph: four proposals, two asks that wait two seconds, an edit, a rejection; repetitions left out."""
    analysis = frames.recording("langchain", "openinference_reject_edit").analysis()
    timeline = analysis.timeline(longest_run(analysis))
    assert timeline["time_ns"].is_sorted()
    told = timeline.filter(pl.col("lane") != "agent", pl.col("what") != "span chat")
    assert told.select("lane", "what", "tool_name").rows() == [
        ("model", "action.proposed proposed", "read_db"),
        ("model", "action.proposed proposed", "delete_db"),
        ("model", "action.proposed proposed", "pay"),
        ("human", "approval.requested", "delete_db"),
        ("human", "approval.requested", "pay"),
        ("human", "approval.rejected", "delete_db"),
        ("human", "approval.modified", "pay"),
        ("tool", "tool.called entered", "read_db"),
        ("tool", "tool.called completed", "read_db"),
        ("tool", "tool.called entered", "pay"),
        ("tool", "tool.called completed", "pay"),
        ("tool", "tool.called answered", "read_db"),
        ("tool", "tool.called answered", "pay"),
        ("tool", "tool.called refused", "delete_db"),
        ("model", "action.proposed proposed", "nope"),
        ("tool", "tool.called entered", "nope"),
        ("tool", "tool.called unknown_tool", "nope"),
    ]


def test_a_wait_is_drawn_from_the_ask_to_the_answer() -> None:
    """The sender states how long the answer took."""
    granted = event("approval.granted", s=9, wait_ns=4 * 10**9, decided_by="human")
    timeline = stored(granted).analysis().timeline(longest_run(stored(granted).analysis()))
    (row,) = timeline.to_dicts()
    assert (row["lane"], row["what"], row["end_ns"] - row["time_ns"]) == ("human", "approval.granted", 4 * 10**9)
