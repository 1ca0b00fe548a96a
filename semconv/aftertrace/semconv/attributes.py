"""Attributes: those of aftertrace, and the standard ones that its signals carry.

Generated from the registry by ``python -m aftertrace.semconv.generate``. Change the registry instead.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

AFTERTRACE_ACTOR_ID: Final = "aftertrace.actor.id"
"""Which actor caused the event. Of a decision, who decided. An opaque reference is enough: an account name, a
subject of the identity provider, the name of a rule. Say with `aftertrace.actor.identity` how sure it is.
Type: string.
"""

AFTERTRACE_ACTOR_IDENTITY: Final = "aftertrace.actor.identity"
"""How sure the identity of the actor is. One of `ActorIdentity`."""

AFTERTRACE_ACTOR_TYPE: Final = "aftertrace.actor.type"
"""What kind of actor caused the event. Of a decision, what kind of actor decided. One of `ActorType`."""

AFTERTRACE_APPROVAL_ASKED_IDS: Final = "aftertrace.approval.asked.ids"
"""Who was asked. Type: string[]."""

AFTERTRACE_APPROVAL_CHANNEL: Final = "aftertrace.approval.channel"
"""Where they were asked. Type: string."""

AFTERTRACE_APPROVAL_ID: Final = "aftertrace.approval.id"
"""Which request it is. The answers carry it too, wherever and whenever they are given. Type: string."""

AFTERTRACE_APPROVAL_OUTCOME: Final = "aftertrace.approval.outcome"
"""How the wait ended. Absent on the span of a wait that ended without an answer here. One of
`ApprovalOutcome`.
"""

AFTERTRACE_APPROVAL_SHOWN_DIGEST: Final = "aftertrace.approval.shown.digest"
"""Digest of the UTF-8 text that was put before the person. Type: string."""

AFTERTRACE_APPROVAL_SHOWN_TEXT: Final = "aftertrace.approval.shown.text"
"""The text that was put before the person. Type: string."""

AFTERTRACE_APPROVAL_TIMEOUT_S: Final = "aftertrace.approval.timeout_s"
"""How long the request stands, in seconds. Type: double."""

AFTERTRACE_APPROVAL_WAIT_S: Final = "aftertrace.approval.wait_s"
"""Time from the request to the answer, in seconds. Type: double."""

AFTERTRACE_CANDIDATE_RANK: Final = "aftertrace.candidate.rank"
"""Place of the candidate among those considered together, from 1. Type: int."""

AFTERTRACE_CANDIDATE_SCORE: Final = "aftertrace.candidate.score"
"""How the agent rated the candidate, on its own scale. Type: double."""

AFTERTRACE_CANDIDATE_SELECTED: Final = "aftertrace.candidate.selected"
"""Whether the candidate goes on to be proposed. False is a near miss that the model itself averted. Type:
boolean.
"""

AFTERTRACE_CONFIGURATION_DIGEST: Final = "aftertrace.configuration.digest"
"""Digest of the whole configuration that the run saw, in the form `sha256:<hex>`. Over the canonical JSON
(RFC 8785) of an object with the members `agent`, `agent_version`, `model`, `provider`,
`system_prompt_digest`, `tools_digest`, `policy_id`, `policy_version` and `policy_digest`; those that are not
known are left out. Type: string.
"""

AFTERTRACE_CONFIGURATION_SYSTEM_PROMPT_DIGEST: Final = "aftertrace.configuration.system_prompt.digest"
"""Digest of the UTF-8 text of the system prompt. Type: string."""

AFTERTRACE_CONFIGURATION_TOOLS_DIGEST: Final = "aftertrace.configuration.tools.digest"
"""Digest of the canonical JSON of the tool definitions. Type: string."""

AFTERTRACE_CONFIGURATION_TOOLS_NAMES: Final = "aftertrace.configuration.tools.names"
"""Names of the tools that the model could call. Empty says none; absent says not known. Type: string[]."""

AFTERTRACE_DECISION_CONFIDENCE: Final = "aftertrace.decision.confidence"
"""How sure the decider was, from 0 to 1. Type: double."""

AFTERTRACE_DECISION_OUTCOME: Final = "aftertrace.decision.outcome"
"""What was decided at a control point. The answer to an `ask` is an event of its own. A decision is never
overwritten. One of `DecisionOutcome`.
"""

AFTERTRACE_EFFECT_AFTER_DIGEST: Final = "aftertrace.effect.after.digest"
"""Digest of the object as it is now. Absent if it is gone or not known. Type: string."""

AFTERTRACE_EFFECT_BEFORE_DIGEST: Final = "aftertrace.effect.before.digest"
"""Digest of the object as it was before. Absent if it did not exist or is not known. Type: string."""

AFTERTRACE_EFFECT_IDEMPOTENCY_KEY: Final = "aftertrace.effect.idempotency_key"
"""Key that makes the system carry out a repeated request once. Type: string."""

AFTERTRACE_EFFECT_OBJECT_ID: Final = "aftertrace.effect.object.id"
"""Id of the object, as its system names it. Type: string."""

AFTERTRACE_EFFECT_OBJECT_TYPE: Final = "aftertrace.effect.object.type"
"""Kind of the object that changed. Type: string."""

AFTERTRACE_EFFECT_OBJECT_URL: Final = "aftertrace.effect.object.url"
"""Where a person can look at the object. Type: string."""

AFTERTRACE_EFFECT_OPERATION: Final = "aftertrace.effect.operation"
"""What was done to the object. Type: string."""

AFTERTRACE_EFFECT_RECEIPT_ID: Final = "aftertrace.effect.receipt.id"
"""What the system answered that it can be asked by, such as a request id. Type: string."""

AFTERTRACE_EFFECT_SYSTEM: Final = "aftertrace.effect.system"
"""System of record that changed. Type: string."""

AFTERTRACE_GRANT_GRANTED_AT: Final = "aftertrace.grant.granted_at"
"""When the standing grant was given, as RFC 3339. Type: string."""

AFTERTRACE_GRANT_GRANTED_BY: Final = "aftertrace.grant.granted_by"
"""Who gave the standing grant. Type: string."""

AFTERTRACE_GRANT_ID: Final = "aftertrace.grant.id"
"""Which standing grant it was, or which one this answer creates. Type: string."""

AFTERTRACE_GRANT_SCOPE: Final = "aftertrace.grant.scope"
"""How far the grant reaches. One of `GrantScope`."""

AFTERTRACE_GRANT_STANDING: Final = "aftertrace.grant.standing"
"""Whether an earlier answer stood in for this one. Nobody was asked now. Type: boolean."""

AFTERTRACE_INPUT_CONTENT: Final = "aftertrace.input.content"
"""The input itself, as the text that `aftertrace.input.digest` is over. Type: string."""

AFTERTRACE_INPUT_DIGEST: Final = "aftertrace.input.digest"
"""Digest of the input, over its UTF-8 text or, if it is a JSON value, over its canonical JSON. Type: string.
"""

AFTERTRACE_INPUT_ID: Final = "aftertrace.input.id"
"""Which input it is, in the words of where it came from. Type: string."""

AFTERTRACE_INPUT_TYPE: Final = "aftertrace.input.type"
"""What kind of input it is. One of `InputType`."""

AFTERTRACE_PERMISSION_MODE: Final = "aftertrace.permission.mode"
"""Mode that the agent ran in, where a mode decides what is asked for. Type: string."""

AFTERTRACE_PLAN_CONTENT: Final = "aftertrace.plan.content"
"""The plan itself, as the text that `aftertrace.plan.digest` is over. Type: string."""

AFTERTRACE_PLAN_DIGEST: Final = "aftertrace.plan.digest"
"""Digest of the plan, over its UTF-8 text or, if it is a JSON value, over its canonical JSON. Type: string.
"""

AFTERTRACE_PLAN_ID: Final = "aftertrace.plan.id"
"""Which plan it is. Revisions of one plan share it. Type: string."""

AFTERTRACE_PLAN_REVISION: Final = "aftertrace.plan.revision"
"""How often the plan was changed before, from 0. Type: int."""

AFTERTRACE_POLICY_DIGEST: Final = "aftertrace.policy.digest"
"""Digest of the bytes of the policy. Type: string."""

AFTERTRACE_POLICY_ID: Final = "aftertrace.policy.id"
"""Policy that was asked. The rule of it that decided is `security_rule.name`. Type: string."""

AFTERTRACE_POLICY_VERSION: Final = "aftertrace.policy.version"
"""Version of the policy. Type: string."""

AFTERTRACE_REASON_CODE: Final = "aftertrace.reason.code"
"""Why, as one of few words that can be counted. Type: string."""

AFTERTRACE_REASON_TEXT: Final = "aftertrace.reason.text"
"""Why, in the words of the actor. Type: string."""

AFTERTRACE_RETRIEVAL_DOCUMENT_DIGESTS: Final = "aftertrace.retrieval.document.digests"
"""Digests of the documents that were found, in the order of the ids. Type: string[]."""

AFTERTRACE_RETRIEVAL_DOCUMENT_IDS: Final = "aftertrace.retrieval.document.ids"
"""Ids of the documents that were found, best first. Type: string[]."""

AFTERTRACE_RETRIEVAL_QUERY_DIGEST: Final = "aftertrace.retrieval.query.digest"
"""Digest of the UTF-8 text that was searched for. Type: string."""

AFTERTRACE_RUN_ID: Final = "aftertrace.run.id"
"""Id of the run. On the root span and on every event, because one run may take many traces. 1 to 128 of the
characters `A-Z a-z 0-9 . _ : -`, a letter or digit first and last, so that it passes through baggage,
headers, git trailers, SQL comments and Markdown unchanged. Type: string.
"""

AFTERTRACE_RUN_PARENT_ID: Final = "aftertrace.run.parent.id"
"""Run that started this one. Type: string."""

AFTERTRACE_RUN_RESUMED: Final = "aftertrace.run.resumed"
"""True on the root span of a later part of a run that was paused. Type: boolean."""

AFTERTRACE_RUN_TRIGGER_ID: Final = "aftertrace.run.trigger.id"
"""What started the run. Type: string."""

AFTERTRACE_RUN_TRIGGER_TYPE: Final = "aftertrace.run.trigger.type"
"""What kind of thing started the run. One of `RunTriggerType`."""

AFTERTRACE_STATE_DIGEST: Final = "aftertrace.state.digest"
"""Digest of the state that was looked at. Type: string."""

AFTERTRACE_STATE_REFERENCE: Final = "aftertrace.state.reference"
"""Where the state that was looked at can be found again. Type: string."""

AFTERTRACE_TARGET_ID: Final = "aftertrace.target.id"
"""Which thing the event is about. Repeats an id that has an attribute of its own, so that every event can be
listed by actor and target. Type: string.
"""

AFTERTRACE_TARGET_TYPE: Final = "aftertrace.target.type"
"""What kind of thing the event is about. One of `TargetType`."""

AFTERTRACE_TOOL_ARGUMENTS_DIGEST: Final = "aftertrace.tool.arguments.digest"
"""Digest of the canonical JSON (RFC 8785) of the arguments that this event is about. Of a proposal, the
arguments proposed; of a request for approval, those shown; of an answer, those approved; of a call, those
used. Absent when the arguments have no canonical form (numbers that JSON readers do not agree on). Type:
string.
"""

AFTERTRACE_TOOL_PROPOSED_ARGUMENTS_DIGEST: Final = "aftertrace.tool.proposed_arguments.digest"
"""Digest of the canonical JSON of the arguments as they were before somebody changed them. Type: string."""

AFTERTRACE_TOOL_RESULT_DIGEST: Final = "aftertrace.tool.result.digest"
"""Digest of the result, over its UTF-8 text or, if it is a JSON value, over its canonical JSON. Type: string.
"""

AFTERTRACE_TOOL_RISK_BASIS: Final = "aftertrace.tool.risk.basis"
"""What the risk class rests on. One of `ToolRiskBasis`."""

AFTERTRACE_TOOL_RISK_CLASS: Final = "aftertrace.tool.risk.class"
"""The worst that the tool can do. One of `ToolRiskClass`."""

AFTERTRACE_TOOL_STATE: Final = "aftertrace.tool.state"
"""How far the call got. One of `ToolState`."""

AFTERTRACE_VALIDATION_NAME: Final = "aftertrace.validation.name"
"""Check that was made. Type: string."""

DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
"""Deployment environment that the agent runs in. Type: string."""

ERROR_TYPE: Final = "error.type"
"""Class of the error that ended the operation. Type: string."""

GEN_AI_AGENT_ID: Final = "gen_ai.agent.id"
"""Stable id that a provider gave to a hosted agent. Type: string."""

GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
"""Name of the agent. Type: string."""

GEN_AI_AGENT_VERSION: Final = "gen_ai.agent.version"
"""Version of the agent. Type: string."""

GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
"""Conversation, session or thread that the run is part of. Type: string."""

GEN_AI_DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
"""Source that was searched. Type: string."""

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
"""What a span is. Type: string."""

GEN_AI_PROMPT_NAME: Final = "gen_ai.prompt.name"
"""Name of the prompt template. Type: string."""

GEN_AI_PROMPT_VERSION: Final = "gen_ai.prompt.version"
"""Version of the prompt template. Type: string."""

GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
"""Provider of the model. Type: string."""

GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
"""Model that was asked for. Type: string."""

GEN_AI_RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
"""Documents that were found. Type: any."""

GEN_AI_RETRIEVAL_QUERY_TEXT: Final = "gen_ai.retrieval.query.text"
"""Text that was searched for. Type: string."""

GEN_AI_SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
"""System prompt. Type: any."""

GEN_AI_TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
"""Arguments of the call. Type: any."""

GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
"""Id of the call: the join of proposal, decision and execution. Type: string."""

GEN_AI_TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
"""Result of the call. Type: any."""

GEN_AI_TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
"""Tools that the model could call. Type: any."""

GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
"""Tool that is called. Type: string."""

GEN_AI_TOOL_TYPE: Final = "gen_ai.tool.type"
"""Kind of the tool. Type: string."""

LOG_RECORD_UID: Final = "log.record.uid"
"""Id of the event. Two records with one id are one event. Type: string."""

MCP_METHOD_NAME: Final = "mcp.method.name"
"""MCP method that carried the call. Type: string."""

MCP_SESSION_ID: Final = "mcp.session.id"
"""MCP session that carried the call. Type: string."""

SECURITY_RULE_NAME: Final = "security_rule.name"
"""Rule of the policy that decided. Type: string."""

SECURITY_RULE_RULESET_NAME: Final = "security_rule.ruleset.name"
"""Set of rules that the rule belongs to. Type: string."""

SECURITY_RULE_UUID: Final = "security_rule.uuid"
"""Unique id of the rule that decided. Type: string."""

SECURITY_RULE_VERSION: Final = "security_rule.version"
"""Version of the rule that decided. Type: string."""

SERVICE_NAME: Final = "service.name"
"""Service that the agent is part of. Type: string."""

SERVICE_VERSION: Final = "service.version"
"""Version of that service. Type: string."""

SESSION_ID: Final = "session.id"
"""Session of the user that the run belongs to. Type: string."""

USER_ID: Final = "user.id"
"""User on whose behalf the agent acts. Type: string."""


class ActorIdentity(StrEnum):
    """Values of `aftertrace.actor.identity`. How sure the identity of the actor is."""

    AUTHENTICATED = "authenticated"
    """The emitter checked who it is."""

    ASSERTED = "asserted"
    """Somebody said so and nobody checked."""

    INFERRED = "inferred"
    """Concluded from circumstances, such as who owns the terminal."""


class ActorType(StrEnum):
    """Values of `aftertrace.actor.type`. What kind of actor caused the event. Of a decision, what kind of
    actor decided.
    """

    AGENT = "agent"
    """The agent itself: its own code around the model."""

    MODEL = "model"
    """The model chose."""

    POLICY = "policy"
    """A rule, configuration or permission mode."""

    GUARDRAIL = "guardrail"
    """A check of content or of the model's output."""

    HOOK = "hook"
    """Code that the user put in the agent's way."""

    HUMAN = "human"
    """A person."""

    PROGRAM = "program"
    """A program that answers in a person's place."""

    HUMAN_OR_PROGRAM = "human_or_program"
    """One of the two; the sender cannot tell."""

    TARGET = "target"
    """The system that the tool acts on."""

    TIMEOUT = "timeout"
    """Nobody; the time to answer ran out."""


class ApprovalOutcome(StrEnum):
    """Values of `aftertrace.approval.outcome`. How the wait ended. Absent on the span of a wait that ended
    without an answer here.
    """

    GRANTED = "granted"
    """Granted as asked."""

    REJECTED = "rejected"
    """Refused."""

    MODIFIED = "modified"
    """Granted with other arguments."""

    EXPIRED = "expired"
    """Nobody answered in time."""


class DecisionOutcome(StrEnum):
    """Values of `aftertrace.decision.outcome`. What was decided at a control point."""

    ALLOW = "allow"
    """The call may go on."""

    DENY = "deny"
    """The call may not go on."""

    ASK = "ask"
    """Somebody else has to decide."""

    UNKNOWN = "unknown"
    """A control point was passed and the sender does not say how."""


class GrantScope(StrEnum):
    """Values of `aftertrace.grant.scope`. How far the grant reaches."""

    ONCE = "once"
    """This call alone."""

    SESSION = "session"
    """The rest of the session."""

    ALWAYS = "always"
    """Until it is withdrawn."""


class InputType(StrEnum):
    """Values of `aftertrace.input.type`. What kind of input it is."""

    USER_PROMPT = "user_prompt"
    """What the user asked."""

    SYSTEM_PROMPT = "system_prompt"
    """The system prompt."""

    TOOLS = "tools"
    """The tool definitions."""

    DOCUMENT = "document"
    """A file, page or record that was read."""

    MESSAGE = "message"
    """A message from elsewhere: a mail, a comment, another agent."""

    OTHER = "other"
    """None of these."""


class RunTriggerType(StrEnum):
    """Values of `aftertrace.run.trigger.type`. What kind of thing started the run."""

    PERSON = "person"
    """Somebody asked."""

    SCHEDULE = "schedule"
    """It was time."""

    WEBHOOK = "webhook"
    """Another system called: an issue, a mail, an alert."""

    AGENT = "agent"
    """Another agent asked."""

    OTHER = "other"
    """None of these."""


class TargetType(StrEnum):
    """Values of `aftertrace.target.type`. What kind of thing the event is about."""

    RUN = "run"
    """A run."""

    INPUT = "input"
    """Something the run rests on."""

    DATA_SOURCE = "data_source"
    """A source that was searched."""

    PLAN = "plan"
    """A plan."""

    TOOL = "tool"
    """A tool, where there is no id of a call."""

    TOOL_CALL = "tool_call"
    """One call of a tool."""

    OBJECT = "object"
    """An object in a system of record."""


class ToolRiskBasis(StrEnum):
    """Values of `aftertrace.tool.risk.basis`. What the risk class rests on."""

    DECLARED = "declared"
    """Somebody who knows the tool said so."""

    ANNOTATED = "annotated"
    """The tool's own annotations say so, such as MCP's."""

    GUESSED = "guessed"
    """Guessed, for example from the tool's name."""


class ToolRiskClass(StrEnum):
    """Values of `aftertrace.tool.risk.class`. The worst that the tool can do."""

    READ = "read"
    """It changes nothing."""

    WRITE = "write"
    """It changes something that can be changed back."""

    DESTRUCTIVE = "destructive"
    """It destroys something."""

    EXTERNAL = "external"
    """It reaches people or systems outside."""

    MONEY = "money"
    """It spends or moves money."""

    PERMISSION = "permission"
    """It changes who may do what."""


class ToolState(StrEnum):
    """Values of `aftertrace.tool.state`. How far the call got."""

    STARTED = "started"
    """It began to run."""

    COMPLETED = "completed"
    """It ran."""

    FAILED = "failed"
    """It ran and returned an error."""

    REFUSED = "refused"
    """The system it acts on refused it, as with 401 or 403."""

    CANCELLED = "cancelled"
    """It was interrupted."""

    UNKNOWN_TOOL = "unknown_tool"
    """There is no such tool."""

    INVALID_ARGUMENTS = "invalid_arguments"
    """Its arguments do not fit the tool."""
