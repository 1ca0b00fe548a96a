"""The calls and effects of a run record: what was proposed, shown, approved and executed, and what came back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A text by reference."""

    begins: str | None
    """How it begins, at most 2,048 characters; None where the text was not sent."""
    digest: str | None
    """Tagged digest of the whole text."""
    evidence: str
    """`receiver/seq/index` of the stored record that tells it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One place in which arguments differ."""

    path: str
    """JSON Pointer (RFC 6901); empty: the whole value."""
    before: str | None
    """JSON text; None: it was not there."""
    after: str | None
    """JSON text; None: it was taken away."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on a call, in the order in which they were given."""

    at: str | None
    """When."""
    decision: str
    """`allow`, `deny`, `ask`, `unknown` of a control point; of whoever was asked as in an approval."""
    is_final: bool
    """It is the one that counted."""
    decided_by: str | None
    """Class of who decided."""
    reviewer: str | None
    """Who, or which rule or hook, as named."""
    reviewer_identity: str | None
    """`authenticated`, `asserted` or `inferred`."""
    reason: str | None
    """Reason given."""
    evidence: str
    """`receiver/seq/index` of its record."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A request to a person or program, and its answer."""

    id: str | None
    """The sender's id of the request."""
    calls: int
    """Calls that were asked about under it."""
    asked_at: str | None
    """When somebody was asked; None: only the answer is known."""
    shown: str | None
    """Start of the text shown to the reviewer."""
    shown_digest: str | None
    """Tagged digest of the whole text shown."""
    decision: str
    """`granted`, `rejected`, `modified`, `expired`, `cancelled` or `pending`."""
    decided_by: str | None
    """Class of who decided."""
    reviewer: str | None
    """Who, as named."""
    reviewer_identity: str | None
    """`authenticated`, `asserted` or `inferred`."""
    decided_at: str | None
    """When it was answered."""
    wait_s: float | None
    """How long the answer took."""
    grant_scope: str | None
    """How far the answer reaches."""
    reason: str | None
    """The reviewer's reason."""
    approved_arguments: str | None
    """Canonical JSON of the arguments as approved, when edited."""
    edits: tuple[Change, ...] | None
    """What the reviewer changed; None: not known."""
    deviations: tuple[Change, ...] | None
    """What ran otherwise than approved; None: not known."""
    basis: str
    """Of the decision: `explicit` or `inferred`."""
    signals: tuple[str, ...]
    """What is odd about it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call, from proposal to result."""

    number: int
    """Its place among the calls of the run, from 1."""
    tool: str | None
    """Name of the tool."""
    call_id: str | None
    """The sender's id of it."""
    agent: str | None
    """Agent that made it."""
    outcome: str
    """What became of it: see the outcomes."""
    basis: str
    """Of the outcome: `explicit` or `inferred`."""
    near_miss: bool
    """One control away from happening."""
    consequential: bool
    """A near miss of a tool whose risk is above `read`."""
    risk: str | None
    """Risk class of the tool."""
    risk_basis: str
    """`declared` by the sender, or `guess` from the tool's name."""
    decided_by: str | None
    """Class of who refused it, or let it through."""
    allowed_by: str | None
    """What let it through."""
    allowed_basis: str | None
    """Of `allowed_by`: `explicit` or `inferred`."""
    granted_by: str | None
    """Who gave the standing grant that let it through."""
    permission_mode: str | None
    """Permission mode in force, in the sender's word."""
    reason: str | None
    """Reason given for the decision, or the text of the refusal or error."""
    proposed_at: str | None
    """When the model proposed it."""
    decided_at: str | None
    """When it was decided."""
    started_at: str | None
    """When it began to run."""
    ended_at: str | None
    """When its result was there."""
    arguments: str | None
    """Canonical JSON of the arguments as proposed."""
    executed_arguments: str | None
    """Canonical JSON of the arguments it ran with."""
    changes: tuple[Change, ...] | None
    """What of the proposed arguments was changed before it ran; None: not known, or it did not run."""
    result: Reference | None
    """What came back."""
    approval: Approval | None
    """What somebody was asked about it; None: nobody was asked, or nothing tells of it."""
    decisions: tuple[Decision, ...]
    """Every verdict on it."""
    signals: tuple[str, ...]
    """Where a control failed."""
    rules: tuple[str, ...]
    """Named rules that the outcome rests on."""
    trace_id: str | None
    """Trace it ran or was refused in, else the one it was proposed in."""
    evidence: tuple[str, ...]
    """`receiver/seq/index` of the records it rests on."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that changed in a system of record, or was kept from changing: by a receipt, or as a result tells."""

    call: int | None
    """Number of the call that did it; None: no call on record."""
    state: str
    """`applied` or `blocked`."""
    basis: str
    """`explicit`: a record states it; `inferred`: read from what its call returned."""
    rule: str | None
    """By which it was read from a result."""
    tool: str | None
    """Name of the tool."""
    system: str | None
    """System of record."""
    operation: str | None
    """What was done."""
    object_type: str | None
    """Kind of the object."""
    object_id: str | None
    """Id of the object, as its system names it."""
    object_url: str | None
    """Where a person can look at it, as the sender says."""
    before_digest: str | None
    """Tagged digest of the object before."""
    after_digest: str | None
    """Tagged digest of the object after."""
    idempotency_key: str | None
    """Key that makes the system carry out a repeated request once."""
    receipt_id: str | None
    """What the system can be asked by."""
    http_status: int | None
    """Status with which the system answered, where the result tells it."""
    rows: int | None
    """Rows that were changed, where the result tells it."""
    decided_by: str | None
    """Class of who blocked it."""
    reason: str | None
    """Reason given."""
    at: str | None
    """When."""
    signals: tuple[str, ...]
    """Where effects and calls do not agree."""
    evidence: str
    """`receiver/seq/index` of the receipt, or of the result."""
