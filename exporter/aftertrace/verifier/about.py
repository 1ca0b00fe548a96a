"""`packet.json`: what a packet is, what it holds, and what it does not hold and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from aftertrace.tlog.errors import Invalid
from aftertrace.verifier.lines import line, member, members, number, parse

FORMAT: Final = "aftertrace.packet/1"
Kind: TypeAlias = Literal["run", "incident", "period"]
COUNTED: Final = ("requests", "evidence", "spans", "events", "resources", "scopes")
_WHAT: Final = "packet.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A run in a packet."""

    run_id: str
    """Its id."""
    agent: str | None
    """Agent that acted."""
    state: str
    """`open`, `waiting`, `completed`, `failed` or `abandoned`."""
    answers: Mapping[str, str]
    """By question, `known`, `partial` or `unknown`."""
    records: int
    """Records of the evidence that it rests on."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not in it."""

    what: str
    """What."""
    why: str
    """Why."""
    count: int | None = None
    """How many; None: not known, or not a number of things."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How the runs of a period were chosen: those whose SHA-256 of seed, line end and id is least."""

    seed: str
    """The seed."""
    runs: int
    """How many runs the period has."""
    chosen: int
    """How many of them are in the packet."""


@dataclass(frozen=True, slots=True)
class About:
    """What a packet says of itself."""

    kind: Kind
    title: str
    software: str
    """What made it."""
    as_of: str
    """Only what had been received before then is in it."""
    asked: Mapping[str, Any]
    """What was asked for, as it was."""
    runs: tuple[Run, ...]
    counts: Mapping[str, int]
    """By `COUNTED`."""
    ledgers: int
    """How many ledgers it has."""
    missing: tuple[Missing, ...]
    sample: Sample | None = None

    def __bytes__(self) -> bytes:
        """The file."""
        told: dict[str, Any] = {
            "format": FORMAT,
            "kind": self.kind,
            "title": self.title,
            "software": self.software,
            "as_of": self.as_of,
            "asked": self.asked,
            "runs": [
                {
                    "run_id": run.run_id,
                    "agent": run.agent,
                    "state": run.state,
                    "answers": dict(run.answers),
                    "records": run.records,
                }
                for run in self.runs
            ],
            "counts": dict(self.counts),
            "ledgers": self.ledgers,
            "missing": [{"what": each.what, "why": each.why, "count": each.count} for each in self.missing],
            "sample": None
            if self.sample is None
            else {"seed": self.sample.seed, "runs": self.sample.runs, "chosen": self.sample.chosen},
        }
        return line(told).encode()

    @classmethod
    def parse(cls, content: bytes) -> About:
        """The inverse of `bytes()`.

        Raises:
            Invalid: it is none, or one of a later version.
        """
        told = parse(content, _WHAT)
        if told.get("format") != FORMAT:
            raise Invalid(f"read {_WHAT}: of another format, expected {FORMAT}; a later aftertrace-verify may know it")
        kind = member(told, "kind", str, _WHAT)
        if kind not in ("run", "incident", "period"):
            raise Invalid(f"read {_WHAT}: kind is another one, expected run, incident or period")
        counts = member(told, "counts", dict, _WHAT)
        sample = told.get("sample")
        found = cls(
            kind=kind,
            title=member(told, "title", str, _WHAT),
            software=member(told, "software", str, _WHAT),
            as_of=member(told, "as_of", str, _WHAT),
            asked=member(told, "asked", dict, _WHAT),
            runs=tuple(_run(each) for each in members(told, "runs", dict, _WHAT)),
            counts={name: number(counts, name, _WHAT) for name in COUNTED},
            ledgers=number(told, "ledgers", _WHAT),
            missing=tuple(_missing(each) for each in members(told, "missing", dict, _WHAT)),
            sample=None if sample is None else _sample(member(told, "sample", dict, _WHAT)),
        )
        if bytes(found) != content:
            raise Invalid(f"read {_WHAT}: other members than a packet has")
        return found


def _run(told: dict[str, Any]) -> Run:
    agent = told.get("agent")
    if agent is not None and not isinstance(agent, str):
        raise Invalid(f"read {_WHAT}: agent is no text")
    answers = member(told, "answers", dict, _WHAT)
    states = {name: member(answers, name, str, _WHAT) for name in answers}
    state, run_id = member(told, "state", str, _WHAT), member(told, "run_id", str, _WHAT)
    return Run(run_id, agent, state, states, number(told, "records", _WHAT))


def _missing(told: dict[str, Any]) -> Missing:
    count = None if told.get("count") is None else number(told, "count", _WHAT)
    return Missing(member(told, "what", str, _WHAT), member(told, "why", str, _WHAT), count)


def _sample(told: dict[str, Any]) -> Sample:
    return Sample(member(told, "seed", str, _WHAT), number(told, "runs", _WHAT), number(told, "chosen", _WHAT))
