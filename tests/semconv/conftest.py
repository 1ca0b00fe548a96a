"""What tests of the API share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from aftertrace.semconv.canonical import digest_json
from aftertrace.semconv.instrument import (
    Actor,
    ActorIdentity,
    ActorType,
    AuditTrail,
    Call,
    Configuration,
    Risk,
    ToolRiskClass,
)
from aftertrace.semconv.testing import RecordedEvent, Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping


class Trail:
    """An audit trail in memory and the run around what is tested; and what parts of it are expected to say."""

    ARGUMENTS: ClassVar[Mapping[str, Any]] = {"amount": 250, "order": 812}
    REFUND = Call("refund", ARGUMENTS, id="call_1", risk=Risk(ToolRiskClass.MONEY))
    REVIEWER = Actor(ActorType.HUMAN, "u-4711", ActorIdentity.AUTHENTICATED)
    CALL: ClassVar[Mapping[str, Any]] = {
        "gen_ai.tool.name": "refund",
        "gen_ai.tool.call.id": "call_1",
        "aftertrace.tool.arguments.digest": digest_json(ARGUMENTS),
        "aftertrace.tool.risk.class": "money",
        "aftertrace.tool.risk.basis": "declared",
        "aftertrace.target.type": "tool_call",
        "aftertrace.target.id": "call_1",
    }
    AGENT: ClassVar[Mapping[str, Any]] = {"aftertrace.actor.type": "agent", "aftertrace.actor.id": "refunds"}
    MODEL: ClassVar[Mapping[str, Any]] = {"aftertrace.actor.type": "model", "aftertrace.actor.id": "model-1"}
    HUMAN: ClassVar[Mapping[str, Any]] = {
        "aftertrace.actor.type": "human",
        "aftertrace.actor.id": "u-4711",
        "aftertrace.actor.identity": "authenticated",
    }
    RUN: ClassVar[Mapping[str, Any]] = {"aftertrace.run.id": "run-1", "gen_ai.agent.name": "refunds"}

    def __init__(self, *, capture_content: bool = False, with_logs: bool = True) -> None:
        """Start with nothing sent."""
        self.recorder = Recorder(with_logs=with_logs)
        self.audit = AuditTrail(capture_content=capture_content, emitter=self.recorder.emitter)
        self.configuration = Configuration(agent="refunds", model="model-1")

    def run(self, **options: Any) -> Any:
        """A run with a known id."""
        return self.audit.run(self.configuration, run_id="run-1", **options)

    def said(self, event: RecordedEvent) -> tuple[str, dict[str, object]]:
        """An event's short name and attributes, without the id of the event and what every event carries."""
        attributes = {key: value for key, value in event.attributes.items() if key != "log.record.uid"}
        assert event.missing == ()
        assert {key: attributes.pop(key) for key in self.RUN} == self.RUN
        return event.name.removeprefix("aftertrace."), attributes

    def all_said(self) -> list[tuple[str, dict[str, object]]]:
        """What was said between the beginning and the end of the run."""
        return [self.said(event) for event in self.recorder.events()][1:-1]


@pytest.fixture
def trail() -> Trail:
    """An audit trail with nothing in it."""
    return Trail()


@pytest.fixture
def make_trail() -> type[Trail]:
    """Makes audit trails with options."""
    return Trail
