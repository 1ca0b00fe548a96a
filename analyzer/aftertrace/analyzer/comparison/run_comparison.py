"""Two runs side by side, as one document with a documented shape: what they were made of, and step by step what they
did.

The first run is the one that was named first. What a run does not tell is None and never a difference: unknown against
known says nothing. `FORMAT` changes whenever a field is removed or changes its meaning; fields may be added under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from aftertrace.analyzer.records.run_record import Usage

FORMAT: Final = "aftertrace.run-comparison/1"
Verdict: TypeAlias = Literal["same", "other_result", "differs", "first_only", "second_only"]
Agreement: TypeAlias = Literal["same", "values_differ", "differs", "not_told"]


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One of the two runs."""

    run_id: str
    """Id of the run."""
    as_of: str
    """Only what had been received before then is looked at."""
    agent_name: str | None
    """Agent that acted."""
    state: str
    """`open`, `waiting`, `completed`, `failed` or `abandoned`."""
    started_at: str | None
    """Earliest time that any record gives."""
    duration_s: float | None
    """How long it took."""
    calls: int
    """Calls that it made."""
    near_misses: int
    """Near misses among them."""
    findings: tuple[str, ...]
    """Names of the signals of it, each once: where a control failed, and what is odd."""
    usage: Usage
    """Tokens and cost, as told."""
    missing: int | None
    """At least so many records of it never came; None: it is not over, so nothing is missed yet."""


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """One part of what the runs were made of, or were given."""

    part: str
    """`agent`, `agent_version`, `service_version`, `model`, `model_served`, `prompt`, `prompt_template`, `tools`,
    `tool_definitions`, `policies`, `permission_modes`, `environment`, `tenant`, `principal`, `trigger`, `workflow` or
    `inputs`."""
    agreement: Agreement
    """`same`; `values_differ`: a text in the same wording, with other dates, numbers, paths or ids; `differs`;
    `not_told`: by one of the runs, or by both."""
    first: tuple[str, ...]
    """What the first run tells, of texts their digests; empty: nothing."""
    second: tuple[str, ...]
    """What the second run tells."""
    removed: tuple[str, ...]
    """Of lists and of texts that are kept: what the first has and the second has not."""
    added: tuple[str, ...]
    """What the second has and the first has not."""
    is_cut: bool = False
    """Whether a text differs beyond what is kept of it, so that not every line that differs is told."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two calls, or the effects of two runs, differ."""

    kind: str
    """`arguments`, `executed` (what an edit made of them), `agent`, `outcome`, `decided_by`, `approval`, `approver`,
    `allowed_by`, `permission_mode`, `effect` or `result`."""
    path: str | None
    """Of arguments the JSON Pointer (RFC 6901); empty: the whole value."""
    first: str | None
    """Of the first run; None: not there, of anything but arguments and effects: not told."""
    second: str | None
    """Of the second run."""
    is_known: bool
    """False: one of the two does not tell it, so nothing is known to differ."""


@dataclass(frozen=True, slots=True)
class ComparedCall:
    """A call of one of the runs, as far as it is compared."""

    number: int
    """Its place among the calls of its run, from 1."""
    call_id: str | None
    """The sender's id of it."""
    agent: str | None
    """Agent that made it."""
    arguments: str | None
    """Canonical JSON of the arguments as proposed."""
    outcome: str
    """What became of it."""
    basis: str
    """Of the outcome: `explicit` or `inferred`."""
    decided_by: str | None
    """Class of who refused it, or let it through."""
    allowed_by: str | None
    """What let it through."""
    approval: str | None
    """What the one who was asked answered; None: nobody was asked, or nothing tells of it."""
    approver: str | None
    """Who answered, or decided, as named."""
    wait_s: float | None
    """How long the answer took."""
    permission_mode: str | None
    """Permission mode in force."""
    reason: str | None
    """Reason given."""
    effects: tuple[str, ...]
    """What it changed, by receipts and results; empty: none on record."""
    result: str | None
    """Tagged digest of what came back."""
    started_at: str | None
    """When it began to run."""
    evidence: tuple[str, ...]
    """`receiver/seq/index` of the records it rests on."""


@dataclass(frozen=True, slots=True)
class ComparedStep:
    """A call of the first run, and the one of the second that stands for it."""

    number: int
    """Its place among the steps, from 1."""
    tool: str | None
    """Name of the tool."""
    verdict: Verdict
    """`same`; `other_result`: the same call gave something else; `differs`; `first_only`, `second_only`: the other run
    has no such call there."""
    first: ComparedCall | None
    """The call of the first run."""
    second: ComparedCall | None
    """The call of the second run."""
    differences: tuple[Difference, ...]
    """In what they differ, and what one of them does not tell."""
    elsewhere: int | None
    """Of a call that one run has: the step at which the other has the same one, in another order."""


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs side by side."""

    format: str
    """`aftertrace.run-comparison/1`."""
    first: ComparedRun
    """The run that was named first."""
    second: ComparedRun
    """The other."""
    parted_at: int | None
    """The first step in which they are known to differ, results apart; None: in no step."""
    other_result_at: int | None
    """The first step of the same call at which something else came back; None: at no step, as far as told."""
    parts: tuple[ComparedPart, ...]
    """What they were made of and were given."""
    steps: tuple[ComparedStep, ...]
    """Their calls side by side, in order."""
    effects: tuple[Difference, ...]
    """Effects that no call of their run is known to have had, where they differ."""
    first_left_out: int
    """How many calls of the first run were not laid side by side: too many differ."""
    second_left_out: int
    """How many calls of the second."""

    @property
    def differing(self) -> tuple[ComparedPart, ...]:
        """The parts that are known to differ."""
        return tuple(part for part in self.parts if part.agreement in ("differs", "values_differ"))
