"""The words of a permission decision, in the log, in the result and in the span: who let a call through, or did not."""

from __future__ import annotations

import pytest

from aftertrace.ingest.dialects import claude_code
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.messages import value_digest

from .claude_code_sessions import readings, terminal
from .recordings import make_log

TOUCH_DIGEST = "sha256:91bf1952b3d89965960e165910e087aa9b31a96b21666dcd89711d9f42a90be4"


def test_a_decision_in_the_log_is_an_approval_by_a_person_or_a_program() -> None:
    """The record does not say which; its parameters show the arguments in part."""
    assert readings("tty_approve", "claude_code.tool_decision")[0] == Reading(
        dialect="claude_code",
        who=terminal(
            turn_id="5cbeb966-ae0a-4187-a4aa-80c2f64230ca",
            tool_name="Bash",
            call_id="toolu_d6d3408a3eb849c28bca",
        ),
        events=[
            Event(
                event="approval.granted",
                time_ns=1795245240830000000,
                arguments={"command": "touch approved-once.txt", "description": "create"},
                decided_by="human_or_program",
                rule="tool_decision",
                attributes={
                    "source": "user_temporary",
                    "parameters_digest": TOUCH_DIGEST,
                    "command_digest": value_digest("touch approved-once.txt"),
                    "arguments_partial": True,
                },
            )
        ],
    )


def test_the_span_of_a_question_states_when_it_was_asked_and_how_long_it_took() -> None:
    """It states the answer too, with less weight than the log; call and tool are its parent's."""
    assert readings("tty_reject", "claude_code.tool.blocked_on_user") == [
        Reading(
            dialect="claude_code",
            who=terminal(conversation_id="d08582a0-6cf1-403f-9445-84ee62aa7072"),
            operation="approval",
            events=[
                Event(event="approval.requested", time_ns=1795247085766000000),
                Event(
                    event="approval.rejected",
                    time_ns=1795247090664000000,
                    end_ns=1795247090664000000,
                    decided_by="human_or_program",
                    wait_ns=4898457846,
                    rule="blocked_on_user",
                    attributes={"source": "user_reject", "weight": "span"},
                ),
            ],
        )
    ]


def test_a_headless_refusal_without_a_source_is_an_ask_that_nobody_could_answer() -> None:
    """2.1.197 logs no decision then; and for an accepted call the span says `unknown`."""
    blocked = readings("headless_default_logs_traces", "claude_code.tool.blocked_on_user")
    assert [reading.events for reading in blocked if reading] == [
        [
            Event(
                event="policy.evaluated",
                state="unknown",
                time_ns=1795244911051000000,
                end_ns=1795244911051000000,
                wait_ns=4945191,
                rule="blocked_on_user",
                attributes={"source": "unknown", "weight": "span"},
            )
        ],
        [
            Event(
                event="policy.evaluated",
                state="deny",
                time_ns=1795244911084000000,
                end_ns=1795244911084000000,
                decided_by="policy",
                wait_ns=9596303,
                rule="unanswered_ask",
                attributes={"source": "unknown", "weight": "span"},
            )
        ],
        [
            Event(
                event="policy.evaluated",
                state="deny",
                time_ns=1795244911107000000,
                end_ns=1795244911107000000,
                decided_by="policy",
                wait_ns=1069412,
                rule="unanswered_ask",
                attributes={"source": "unknown", "weight": "span"},
            )
        ],
    ]


@pytest.mark.parametrize(
    ("decided", "source", "expected"),
    [
        ("accept", "config", ("policy.evaluated", "allow", "policy", "tool_decision")),
        ("accept", "hook", ("policy.evaluated", "allow", "hook", "tool_decision")),
        ("accept", "classifier", ("policy.evaluated", "allow", "guardrail", "tool_decision")),
        ("accept", "unknown", ("policy.evaluated", "allow", None, "tool_decision")),
        ("accept", "user_temporary", ("approval.granted", None, "human_or_program", "tool_decision")),
        ("accept", "user_permanent", ("approval.granted", None, "human_or_program", "tool_decision")),
        ("reject", "config", ("policy.evaluated", "deny", "policy", "tool_decision")),
        ("reject", "hook", ("policy.evaluated", "deny", "hook", "tool_decision")),
        ("reject", "classifier", ("policy.evaluated", "deny", "guardrail", "tool_decision")),
        ("reject", "user_reject", ("approval.rejected", None, "human_or_program", "tool_decision")),
        ("reject", "user_abort", ("tool.called", "cancelled", "human_or_program", "tool_decision")),
        ("reject", "unknown", ("policy.evaluated", "deny", "policy", "unanswered_ask")),
        ("unknown", "unknown", ("policy.evaluated", "unknown", None, "tool_decision")),
        (None, None, ("policy.evaluated", "unknown", None, "tool_decision")),
    ],
)
def test_every_pair_of_decision_and_source_has_its_meaning(
    decided: str | None, source: str | None, expected: tuple[str, str | None, str | None, str]
) -> None:
    """The whole matrix of words, seen and documented."""
    log = make_log("claude_code.tool_decision", {"decision": decided, "source": source})
    reading = claude_code.read(log)
    assert reading is not None
    (event,) = reading.events
    assert (event.event, event.state, event.decided_by, event.rule) == expected
    assert event.attributes.get("grant_scope") == ("always" if source == "user_permanent" else None)


def test_the_account_of_the_session_is_the_asserted_reviewer_where_a_user_decided() -> None:
    """A rule's decision is nobody's."""
    asked = {"decision": "accept", "source": "user_temporary", "user.email": "ada@example.com"}
    ruled = {"decision": "accept", "source": "config", "user.email": "ada@example.com"}
    found = [claude_code.read(make_log("claude_code.tool_decision", given)) for given in (asked, ruled)]
    assert [(reading.events[0].decider, reading.events[0].identity) for reading in found if reading] == [
        ("ada@example.com", "asserted"),
        (None, None),
    ]
