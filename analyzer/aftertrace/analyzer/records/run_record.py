"""The run record: everything that is known of one run, as one document with a documented shape.

Times are RFC 3339 texts in UTC with nanoseconds, lengths are seconds. What the telemetry does not tell is None, and
never 0 or an empty text; an empty list says that there are none, or none on record where the text of the field says so.
Long texts are told by reference: how they begin, the digest of the whole, and the stored record that holds them.
`FORMAT` changes whenever a field is removed or changes its meaning; fields may be added under the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aftertrace.analyzer.records.answers import Answer
from aftertrace.analyzer.records.call_record import Call, Effect, Reference

FORMAT: Final = "aftertrace.run-record/1"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What set the run off."""

    kind: str | None
    """`person`, `schedule`, `webhook`, `agent` or `other`."""
    id: str | None
    """Which one: an issue, a schedule, a message, as the sender names it."""
    parent_run: str | None
    """Id of the run that started it, as the sender writes it."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that took part."""

    name: str
    """Name of the agent."""
    id: str | None
    """The sender's id of it."""
    version: str | None
    """Its version."""
    depth: int
    """How far below the first agent of the run."""
    how: str
    """`root`, `delegated`, `handed_over` or `nested`."""
    parent: str | None
    """Name of the agent that set it to work."""
    by_tool: str | None
    """Tool by which it did."""
    model: str | None
    """Models it asked."""
    model_served: str | None
    """Models that answered."""
    system_prompt_digest: str | None
    """Tagged digest of its system prompt."""
    tools_digest: str | None
    """Tagged digest of its tool list."""
    calls: int
    """Calls it made."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was asked, or in force."""

    id: str | None
    """Which policy."""
    version: str | None
    """Its version."""
    digest: str | None
    """Tagged digest of its bytes."""
    evidence: str
    """`receiver/seq/index` of the first record that names it."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the run was made of."""

    agent_version: str | None
    """Version of the run's agent."""
    models_asked: tuple[str, ...]
    """Models asked; empty: not told."""
    models_served: tuple[str, ...]
    """Models that answered; empty: not told."""
    system_prompts: tuple[Reference, ...]
    """System prompts on record, each once."""
    system_prompt_digest: str | None
    """Tagged digest of the first."""
    prompt_template: str | None
    """Name and version of the prompt template, where told."""
    tools_digest: str | None
    """Tagged digest of the first tool list."""
    policies: tuple[Policy, ...]
    """Policies that a record names; empty: none on record."""
    permission_modes: tuple[str, ...]
    """Permission modes in force when its calls were let through; empty: not told."""


@dataclass(frozen=True, slots=True)
class PriorChange:
    """A part of an agent's configuration that had been changed before the run, or with it."""

    id: str
    """`change_id` of it: `aftertrace changes --diff` shows it whole."""
    at: str | None
    """When the first run with it began."""
    ago_s: float | None
    """How long that was before this run began."""
    runs_between: int
    """How many runs of the agent later this one began; 0: this run is the first with it."""
    part: str
    """`prompt`, `tools`, `tool_schemas`, `model`, `model_served`, `policy` or `agent_version`."""
    before: str | None
    """What it was; of a prompt the digest of its template, of tools their names."""
    after: str | None
    """What it was then."""
    added: tuple[str, ...]
    """Tools, or lines of the prompt, that were added: the first twenty."""
    removed: tuple[str, ...]
    """Likewise those that were removed."""
    more: int
    """So many more were added and removed."""
    is_silent: bool
    """Whether another model answers, and the same one was asked for."""
    is_return: bool
    """Whether it was set back to what it had been before."""
    version_before: int | None
    """Version of the agent's configuration that was in force before."""
    version_after: int | None
    """Version of the first run with it."""
    first_run: str
    """The first run with it."""


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """Which version of its configuration an agent ran with, counted over all its runs, and what had been changed."""

    agent: str | None
    """Name of the agent; None: not told."""
    configuration_id: str
    """Id of its configuration: `aftertrace configurations` lists them."""
    version: int | None
    """Which configuration of the agent it is, from 1; None: more runs came before than are looked at."""
    runs_before: int
    """Runs of the agent that began before this one."""
    changes: tuple[PriorChange, ...]
    """The latest changes before the run began, or with it, at most five, the nearest first; empty: none is known."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Tools by what became of their calls."""

    available: tuple[str, ...] | None
    """Tools the model could call; None: not told."""
    called: tuple[str, ...]
    """Tools of which a call ran."""
    rejected: tuple[str, ...]
    """Tools of which a call was refused, edited, left to expire, cancelled, or considered and dropped."""


@dataclass(frozen=True, slots=True)
class Input:
    """Something the run rests on."""

    kind: str
    """`user_prompt`, `retrieval`, or the kind that the sender names: `document`, `message` …"""
    id: str | None
    """Which one, in the words of where it came from; of a retrieval, the source."""
    at: str | None
    """When it was resolved."""
    text: Reference
    """The input; of a retrieval, the digest of what was searched for, and the record that holds what was found."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, or a revision of one."""

    id: str | None
    """Which plan it is; revisions share it."""
    revision: int | None
    """How often the plan was changed before."""
    at: str | None
    """When it was recorded."""
    text: Reference
    """The plan."""


@dataclass(frozen=True, slots=True)
class Output:
    """Something the run gave, by reference."""

    kind: str
    """`tool_result`, or `model_answer`: the last model call, whose record holds the answer if content is sent."""
    call: int | None
    """Number of the call whose result it is."""
    at: str | None
    """When it was there."""
    text: Reference
    """The result or answer."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What it used, as told; None: not told."""

    input_tokens: int | None
    """Tokens read."""
    output_tokens: int | None
    """Tokens written."""
    cost_usd: float | None
    """As stated by the sender; never computed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a control failed, or where what is told cannot all be so."""

    signal: str
    """Name of the signal: see the signals."""
    brief: str
    """What it means."""
    of: str
    """`call`, `approval`, `effect` or `run`."""
    number: int | None
    """Which call or effect, from 1."""
    is_failure: bool = True
    """Whether a control failed by what is known; else it is only odd, or only possible."""
    what: str | None = None
    """What differs, in words; None: nothing more is told than what it means."""
    certainty: str | None = None
    """Of what calls and effects do not agree on: `certain`, `likely` or `possible`."""
    basis: str | None = None
    """Of it: `explicit` or `inferred`."""
    evidence: tuple[str, ...] = ()
    """`receiver/seq/index` of the records that show it, where it is more than its call or effect tells."""
    other_runs: tuple[str, ...] = ()
    """Other runs that it rests on; more of it may come when more is stored."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the timeline."""

    at: str | None
    """When, by the sender's clock; None: only the order is known."""
    offset_s: float | None
    """Seconds since the run began."""
    lasted_s: float | None
    """How long it took; None: a point in time."""
    lane: str
    """`agent`, `model`, `tool`, `human` or `control`."""
    what: str
    """Event and state, or span and operation."""
    tool: str | None
    """Name of the tool."""
    call_id: str | None
    """The sender's id of the call."""
    decided_by: str | None
    """Class of who decided."""
    detail: str | None
    """Reason, content or arguments, cut."""
    evidence: str
    """`receiver/seq/index` of its record."""
    order: str
    """Why it stands after the one before: `cause`, `clock`, or `unsure`: not known."""
    behind_s: float | None
    """Its clock is behind by at least so much, by what it follows; None: nothing contradicts."""
    behind_of: str | None
    """`receiver/seq/index` of what it follows, where the clocks contradict that."""
    service: str | None
    """Service that tells it."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of an agent for one trigger."""

    format: str
    """`aftertrace.run-record/1`."""
    as_of: str
    """Only what had been received before then is in it, and it is judged at that time: what is open may end later."""
    run_id: str
    """Id of the run."""
    run_keys: tuple[str, ...]
    """Ids of the run as its sender writes them; empty: the sender gives none."""
    state: str
    """`open`, `waiting`, `completed`, `failed` or `abandoned`."""
    state_basis: str
    """`explicit`: a record says so; `inferred`: from what did not come."""
    started_at: str | None
    """Earliest time that any record gives."""
    ended_at: str | None
    """Latest time that any record gives, also of an open run."""
    duration_s: float | None
    """Between them."""
    trigger: Trigger
    """What set it off."""
    user_id: str | None
    """The user or principal that it acted for, as the sender names them: asserted, not checked."""
    tenant: str | None
    """Tenant of the authenticated source."""
    source: str | None
    """Who sent it, as authenticated."""
    credentials: tuple[str, ...]
    """What its source showed: `token` or `certificate`, and the first 16 hex digits of its SHA-256; empty: nothing."""
    environment: str | None
    """Deployment environment."""
    workflow: str | None
    """Workflow that it is an execution of, as named."""
    service_name: str | None
    """Service that reported it."""
    service_version: str | None
    """Version of the service, and so of the workflow in it."""
    agent_name: str | None
    """Agent that acted."""
    conversation_id: str | None
    """Session, conversation or thread."""
    traces: tuple[str, ...]
    """Traces that it is made of."""
    dialects: tuple[str, ...]
    """Dialects that read it."""
    agents: tuple[Agent, ...]
    """Agents that took part, a parent before those it set to work; empty: none is named."""
    configuration: Configuration
    """What it was made of."""
    versions: tuple[AgentVersion, ...] | None
    """Which version of its configuration each agent ran with, and what had been changed before. None: other runs were
    not looked at, as too many records would have to be read (`aftertrace derive`): then findings that rest on other
    runs are not told either."""
    tools: Tools
    """Tools by what became of their calls."""
    inputs: tuple[Input, ...]
    """Inputs on record; empty: none is told."""
    plans: tuple[Plan, ...]
    """Plans on record; empty: none is told."""
    calls: tuple[Call, ...]
    """Calls, in the order in which they began."""
    effects: tuple[Effect, ...]
    """Receipts; empty: none is on record, which does not say that nothing changed."""
    outputs: tuple[Output, ...]
    """What it gave, by reference."""
    usage: Usage
    """Tokens and cost, as told."""
    answers: tuple[Answer, ...]
    """The six answers."""
    more_answers: tuple[Answer, ...]
    """Trigger, checks and effects."""
    findings: tuple[Finding, ...]
    """Control failures, and what is odd about approvals and records."""
    timeline: tuple[Moment, ...]
    """Everything in order."""
    records: int
    """Spans and events it rests on."""
    missing: int | None
    """At least so many records of it never came; None: it is not over, so nothing is missed yet."""

    @property
    def answers_known(self) -> int:
        """How many of the six are known."""
        return sum(answer.state == "known" for answer in self.answers)
