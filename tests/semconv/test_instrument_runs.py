"""Runs: what they are made of, what they rest on, how they begin and end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from opentelemetry import baggage

from aftertrace.semconv import propagate
from aftertrace.semconv.canonical import digest, digest_json
from aftertrace.semconv.instrument import (
    Call,
    Configuration,
    InputType,
    Policy,
    Prompt,
    RunTriggerType,
    Trigger,
)

if TYPE_CHECKING:
    from tests.semconv.conftest import Trail


def test_a_run_says_what_it_is_made_of_and_who_started_it(trail: Trail) -> None:
    """`run.created` first, `run.completed` last, both of the root span."""
    trail.configuration = Configuration(
        agent="refunds",
        agent_version="3",
        model="model-1",
        provider="openai",
        system_prompt="Be kind.",
        prompt=Prompt("kind", "2"),
        tools=[{"name": "refund"}, {"name": "close"}],
        policy=Policy(id="payments", version="14"),
    )
    with trail.run(conversation_id="c-1", user_id="u-1", trigger=Trigger(RunTriggerType.WEBHOOK, "issue-12")):
        pass
    created, completed = trail.recorder.events()
    parts = {
        "agent": "refunds",
        "agent_version": "3",
        "model": "model-1",
        "provider": "openai",
        "system_prompt_digest": digest(b"Be kind."),
        "tools_digest": digest_json([{"name": "refund"}, {"name": "close"}]),
        "policy_id": "payments",
        "policy_version": "14",
    }
    of_run = {"aftertrace.target.type": "run", "aftertrace.target.id": "run-1"}
    correlated = {"gen_ai.conversation.id": "c-1", "user.id": "u-1"}
    described = {
        "gen_ai.agent.version": "3",
        "gen_ai.request.model": "model-1",
        "gen_ai.provider.name": "openai",
        "gen_ai.prompt.name": "kind",
        "gen_ai.prompt.version": "2",
        "aftertrace.configuration.digest": digest_json(parts),
        "aftertrace.configuration.system_prompt.digest": digest(b"Be kind."),
        "aftertrace.configuration.tools.digest": digest_json([{"name": "refund"}, {"name": "close"}]),
        "aftertrace.configuration.tools.names": ("refund", "close"),
        "aftertrace.policy.id": "payments",
        "aftertrace.policy.version": "14",
        "aftertrace.run.trigger.type": "webhook",
        "aftertrace.run.trigger.id": "issue-12",
    }
    assert trail.said(created) == ("run.created", trail.AGENT | of_run | correlated | described)
    assert trail.said(completed) == ("run.completed", trail.AGENT | of_run | correlated)
    (span,) = trail.recorder.spans()
    assert (span.name, span.status) == ("invoke_agent refunds", "UNSET")
    assert span.attributes == {"gen_ai.operation.name": "invoke_agent"} | trail.RUN | correlated | described
    assert {created.span_id, completed.span_id} == {span.span_id}
    assert span.start_ns < created.time_ns < completed.time_ns < span.end_ns


def test_what_a_run_rests_on_is_recorded_by_digest(trail: Trail) -> None:
    """Inputs, searches and plans; their content stays here."""
    with trail.run():
        trail.audit.input_resolved(InputType.DOCUMENT, {"b": 1, "a": 2}, input_id="doc-1", prompt=Prompt("p"))
        trail.audit.retrieval_completed("limits", {"a": "one", "b": "two"}, data_source="handbook")
        trail.audit.plan_recorded("first look, then act", plan_id="plan-1", revision=0)
    assert trail.all_said() == [
        (
            "input.resolved",
            trail.AGENT
            | {
                "aftertrace.target.type": "input",
                "aftertrace.target.id": "doc-1",
                "aftertrace.input.type": "document",
                "aftertrace.input.id": "doc-1",
                "aftertrace.input.digest": digest(b'{"a":2,"b":1}'),
                "gen_ai.prompt.name": "p",
            },
        ),
        (
            "retrieval.completed",
            trail.AGENT
            | {
                "aftertrace.target.type": "data_source",
                "aftertrace.target.id": "handbook",
                "gen_ai.data_source.id": "handbook",
                "aftertrace.retrieval.query.digest": digest(b"limits"),
                "aftertrace.retrieval.document.ids": ("a", "b"),
                "aftertrace.retrieval.document.digests": (digest(b"one"), digest(b"two")),
            },
        ),
        (
            "plan.recorded",
            trail.MODEL
            | {
                "aftertrace.target.type": "plan",
                "aftertrace.target.id": "plan-1",
                "aftertrace.plan.id": "plan-1",
                "aftertrace.plan.revision": 0,
                "aftertrace.plan.digest": digest(b"first look, then act"),
            },
        ),
    ]


class Interrupt(Exception):
    """How a framework says that it waits for a person."""


@pytest.mark.parametrize(
    ("raised", "last", "status"),
    [
        (Interrupt(), "run.created", "UNSET"),
        (SystemExit(0), "run.completed", "UNSET"),
        (SystemExit(2), "run.failed", "ERROR"),
    ],
)
def test_a_pause_and_a_clean_exit_are_no_failures(trail: Trail, raised: BaseException, last: str, status: str) -> None:
    """A pause leaves the run open; an exit with 0 completes it; one with 2 does not."""
    with pytest.raises(type(raised)), trail.run(pause_on=(Interrupt,)):
        raise raised
    assert trail.recorder.events()[-1].name == f"aftertrace.{last}"
    assert trail.recorder.spans()[0].status == status


def test_a_run_inside_a_run_knows_its_parent(trail: Trail) -> None:
    """In this process by context, across processes by baggage; afterwards, the outer run is current again."""
    with trail.run():
        with trail.audit.run(run_id="run-2"):
            assert propagate.from_baggage() == "run-2"
        trail.audit.action_proposed(trail.REFUND)
    assert baggage.get_all() == {}
    created = trail.recorder.events()[1]
    assert (created.attributes["aftertrace.run.id"], created.attributes["aftertrace.run.parent.id"]) == (
        "run-2",
        "run-1",
    )
    assert trail.recorder.events()[3].attributes["aftertrace.run.id"] == "run-1"


def test_tasks_of_one_process_keep_their_runs_apart(trail: Trail) -> None:
    """Two concurrent runs, interleaved: each event belongs to its own."""

    async def agent(run_id: str) -> None:
        with trail.audit.run(run_id=run_id):
            await asyncio.sleep(0)
            trail.audit.action_proposed(Call(run_id))
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(agent("a"), agent("b"))

    asyncio.run(both())
    proposals = [event for event in trail.recorder.events() if event.name.endswith("proposed")]
    assert [event.attributes["aftertrace.run.id"] for event in proposals] == ["a", "b"]
    assert [event.attributes["gen_ai.tool.name"] for event in proposals] == ["a", "b"]


def test_a_run_id_that_would_not_survive_is_refused_before_anything_starts(trail: Trail) -> None:
    """The one thing that raises: a mistake of the program, at its start."""
    with pytest.raises(propagate.NotARunId), trail.audit.run(run_id="not a run id"):
        pytest.fail("the run must not start")
    assert trail.recorder.events() == ()
