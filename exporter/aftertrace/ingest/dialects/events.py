"""The vocabulary that every dialect speaks: rows of `spans` and `events` before they are stored.

A dialect reads one record and says what it *states*; it never joins records. The analyzer joins. What each event's
`state` may be:

=====================  ==============================================================================================
event                  states
=====================  ==============================================================================================
``run.created``        null
``run.completed``      null
``run.failed``         null; `reason` tells
``model.called``       null: one model call that only a log record tells of (tokens, cost, models)
``input.resolved``     ``user_prompt``, ``system_prompt``, ``tools``, ``other``; ``permission_mode``: the mode of
                       that name (`content`) is in force from now on; `attributes.bypass`: it lets all through
``retrieval.completed``  null
``plan.recorded``      null
``tool.considered``    null: a candidate the agent named; ``dropped``: and did not choose
``action.proposed``    ``proposed``: the model emitted it now; ``echoed``: a later record repeats it
``validation.passed``  null
``validation.failed``  null
``policy.evaluated``   ``allow``, ``deny``, ``ask``, ``unknown``: a control point was passed and the sender does not
say how
``approval.requested``  null: somebody was asked
``approval.granted``   null; `attributes.grant_scope` is ``session`` or ``always`` where later calls are let too;
                       `attributes.grant_standing`: an earlier grant stood in and nobody was asked
``approval.rejected``  null
``approval.modified``  null: granted with other arguments (`arguments`)
``approval.expired``   null: asked and never answered
``tool.called``        ``entered``: a record about the call exists, which proves nothing about its execution;
                       ``started``: it began to run; ``completed``: it ran; ``failed``: it ran and returned an error;
                       ``answered``: the model was given a result; ``refused``: the model was given a refusal, or the
                       tool's system answered 401 or 403; ``unknown_tool``; ``invalid_arguments``; ``cancelled``: a
                       person interrupted it, or whom `decided_by` names
``effect.applied``     null; receipt in `attributes`
``effect.blocked``     null
=====================  ==============================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Basis: TypeAlias = Literal["explicit", "inferred"]
Decider: TypeAlias = Literal[
    "model", "policy", "guardrail", "hook", "human", "program", "human_or_program", "target", "timeout"
]
Identity: TypeAlias = Literal["authenticated", "asserted", "inferred"]


@dataclass(slots=True)
class Who:
    """Who and where a record belongs: shared by its span row and its events."""

    run_key: str | None = None
    conversation_id: str | None = None
    turn_id: str | None = None
    agent_name: str | None = None
    agent_id: str | None = None
    agent_version: str | None = None
    model: str | None = None
    model_served: str | None = None
    user_id: str | None = None
    tool_name: str | None = None
    call_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    system_prompt_digest: str | None = None
    tool_names: list[str] | None = None
    """Names of the tools the model could call; None is unknown, empty is none."""
    tools_digest: str | None = None


@dataclass(slots=True, kw_only=True)
class Event:
    """One audit event read from a record. Fields that are None are taken from the record's `Who`."""

    event: str
    state: str | None = None
    time_ns: int = 0
    end_ns: int | None = None
    tool_name: str | None = None
    call_id: str | None = None
    arguments: Any = None
    """The arguments as a JSON value, or as the text the sender gave when that is not JSON; None is unknown."""
    arguments_digest: str | None = None
    """Tagged digest as the sender gives it; without one it is made of `arguments`."""
    position: int | None = None
    group: str | None = None
    basis: Basis = "explicit"
    decided_by: Decider | None = None
    decider: str | None = None
    identity: Identity | None = None
    wait_ns: int | None = None
    reason: str | None = None
    content: Any = None
    """Text or a JSON value; stored cut, with a digest of the whole."""
    content_digest: str | None = None
    """Tagged digest as the sender gives it; without one it is made of `content`."""
    rule: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Reading:
    """What a dialect made of one record."""

    dialect: str
    who: Who
    operation: str | None = None
    """For a span: what it is (`spans.operation`)."""
    events: list[Event] = field(default_factory=list)
    cut: int = 0
    """How many further events the record told of that are not known any more."""
