"""Our own events, from any OpenTelemetry SDK: log records and span events are read as they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import aftertrace_events
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import SpanEvent
from aftertrace.semconv import attributes as names
from aftertrace.semconv import event_names

from .recordings import make_log, make_span, values

AT_NS = 9_000_000_000
NAMES = sorted(value for name, value in vars(event_names).items() if name.isupper() and isinstance(value, str))
KEYS = sorted(value for name, value in vars(names).items() if name.isupper() and isinstance(value, str))


def one_event(name: str, told: dict[str, Any]) -> Event:
    """The event of a log record."""
    reading = aftertrace_events.read(make_log(None, {"event.name": f"aftertrace.{name}", **told}))
    assert reading is not None
    (event,) = reading.events
    return event


def test_a_proposal_is_read_whole() -> None:
    """From a plain log record: the run, the call, its digest and its risk."""
    told = {
        "event.name": "aftertrace.action.proposed",
        "aftertrace.run.id": "r-1",
        "gen_ai.agent.name": "clerk",
        "gen_ai.tool.name": "pay",
        "gen_ai.tool.call.id": "c-1",
        "gen_ai.tool.call.arguments": '{"amount":900}',
        "aftertrace.tool.arguments.digest": "sha256:00",
        "aftertrace.tool.risk.class": "money",
    }
    assert aftertrace_events.read(make_log(None, told)) == Reading(
        dialect="aftertrace",
        who=Who(run_key="r-1", agent_name="clerk", tool_name="pay", call_id="c-1"),
        events=[Event(event="action.proposed", state="proposed", time_ns=AT_NS, arguments={"amount": 900},
                      arguments_digest="sha256:00",
                      attributes={"run_id": "r-1", "tool_arguments_digest": "sha256:00", "tool_risk_class": "money"})],
    )  # fmt: skip


def test_an_answer_says_who_gave_it_and_how_long_it_took() -> None:
    """And whether it is for later calls too."""
    event = one_event("approval.granted", {
        "aftertrace.actor.type": "human",
        "aftertrace.actor.id": "u-1",
        "aftertrace.actor.identity": "authenticated",
        "aftertrace.approval.id": "a-1",
        "aftertrace.approval.wait_s": 2.5,
        "aftertrace.grant.standing": True,
        "aftertrace.reason.code": "small",
        "aftertrace.reason.text": "under the limit",
    })  # fmt: skip
    facts = (event.decided_by, event.decider, event.identity, event.group, event.wait_ns, event.reason)
    assert facts == ("human", "u-1", "authenticated", "a-1", 2_500_000_000, "small: under the limit")
    assert event.attributes["grant_standing"] is True


@pytest.mark.parametrize(
    ("name", "told", "state"),
    [
        ("run.created", {}, None),
        ("tool.called", {}, "started"),
        ("tool.called", {"aftertrace.tool.state": "completed"}, "completed"),
        ("policy.evaluated", {}, "unknown"),
        ("policy.evaluated", {"aftertrace.decision.outcome": "deny"}, "deny"),
        ("input.resolved", {"aftertrace.input.type": "user_prompt"}, "user_prompt"),
        ("input.resolved", {"aftertrace.input.type": "webpage"}, "other"),
        ("tool.considered", {}, None),
        ("tool.considered", {"aftertrace.candidate.selected": True}, None),
        ("tool.considered", {"aftertrace.candidate.selected": False}, "dropped"),
    ],
)
def test_the_state_of_an_event_is_what_its_attributes_say(name: str, told: dict[str, Any], state: str | None) -> None:
    """In the vocabulary that all dialects speak."""
    event = one_event(name, told)
    assert (event.event, event.state, event.basis) == (name, state, "explicit")


def test_a_configuration_is_read_from_the_event_that_begins_a_run() -> None:
    """Digests and tools; an empty list is none, a missing one unknown."""
    prefix = "aftertrace.configuration."
    told = {
        f"{prefix}system_prompt.digest": "sha256:p",
        f"{prefix}tools.digest": "sha256:t",
        f"{prefix}tools.names": [],
    }
    begun = aftertrace_events.read(make_log(None, {"event.name": "aftertrace.run.created", **told}))
    bare = aftertrace_events.read(make_log(None, {"event.name": "aftertrace.run.created"}))
    assert [reading and reading.who for reading in (begun, bare)] == [
        Who(system_prompt_digest="sha256:p", tools_digest="sha256:t", tool_names=[]),
        Who(),
    ]


def test_a_span_carries_events_and_says_itself_what_became_of_its_call() -> None:
    """A refusal leaves the status unset; the state tells."""
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "gen_ai.tool.call.id": "c-1",
            "aftertrace.run.id": "r-1", "aftertrace.tool.state": "refused"}  # fmt: skip
    denied = SpanEvent("aftertrace.policy.evaluated", 7, {"aftertrace.decision.outcome": "deny"})
    reading = aftertrace_events.read(make_span("execute_tool pay", told, events=[denied, SpanEvent("other", 8, {})]))
    assert reading is not None
    assert reading.operation == "execute_tool"
    assert [(event.event, event.state, event.time_ns) for event in reading.events] == [
        ("tool.called", "refused", 1_000),
        ("policy.evaluated", "deny", 7),
    ]


def test_the_span_around_an_approval_is_an_approval() -> None:
    """By its id."""
    reading = aftertrace_events.read(make_span("approval", {"aftertrace.approval.id": "a-1"}))
    assert reading is not None
    assert (reading.operation, reading.events) == ("approval", [])


def test_records_of_others_are_left_to_them() -> None:
    """Nothing of ours, no reading."""
    assert aftertrace_events.read(make_log(None, {"event.name": "gen_ai.choice"})) is None
    assert aftertrace_events.read(make_span("chat", {"gen_ai.operation.name": "chat"})) is None


@pytest.mark.parametrize("wait_s", [float("inf"), float("nan"), 1e300, -1.0, True, "2"])
def test_a_wait_that_is_no_time_is_unknown(wait_s: Any) -> None:
    """And does not cost the record."""
    assert one_event("approval.granted", {"aftertrace.approval.wait_s": wait_s}).wait_ns is None


@given(
    name=st.sampled_from(NAMES),
    told=st.dictionaries(st.sampled_from(KEYS), values, max_size=10),
    on_span=st.booleans(),
)
def test_any_attributes_are_read_without_an_error(name: str, told: dict[str, Any], on_span: bool) -> None:
    """And what is ours stays with the event."""
    record = (
        make_span("work", {}, events=[SpanEvent(name, 5, told)])
        if on_span
        else make_log(None, {**told, "event.name": name})
    )
    reading = aftertrace_events.read(record)
    assert reading is not None
    (event,) = reading.events
    ours = {key for key in told if key.startswith("aftertrace.")}
    assert {key.removeprefix("aftertrace.").replace(".", "_") for key in ours} <= set(event.attributes)
