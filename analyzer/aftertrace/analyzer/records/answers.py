"""The six answers about a run, each with an honest *unknown*, the evidence behind it and what would tell it.

Agent, model and version, system prompt, inputs, tools considered, called and rejected, and who reviewed; beside them
the trigger, the checks and the effects.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.emitters.emitter import Emitter, Question
from aftertrace.analyzer.emitters.registry import EMITTERS
from aftertrace.analyzer.identity.identity import Identified
from aftertrace.analyzer.records import left_out

State: TypeAlias = Literal["known", "partial", "unknown"]
_PARTIES: Final = {
    "human": "a person, not named",
    "program": "a program, not named",
    "human_or_program": "a person or a program, not named",
}
EVIDENCE_ROWS: Final = 5
"""How many evidence rows an answer names."""
VALUE_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer about a run."""

    question: str
    """`agent`, `model`, `system_prompt`, `inputs`, `tools`, `reviewer`, `trigger`, `checks` or `effects`."""
    state: State
    """`known`, `partial` or `unknown`."""
    value: str
    """The answer as text for a person; `unknown` when nothing is known."""
    evidence: tuple[str, ...]
    """`receiver/seq/index` of records behind it, the first few."""
    switch_on: str | None
    """What to switch on in the emitter to know more; None when known, or when the emitter cannot tell."""


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers about one run."""

    run_id: str
    six: tuple[Answer, ...]
    more: tuple[Answer, ...]

    @property
    def known(self) -> int:
        """How many of the six are known."""
        return sum(answer.state == "known" for answer in self.six)


_Row: TypeAlias = dict[str, Any]
"""Of the rows of a run there are few, and many questions are asked of them: each would be a query."""
_TOLD: Final = ("agent_name", "service_name", "model", "model_served", "system_prompt_digest", "user_id")
"""What spans and events may tell of their run."""
_SPANS: Final = ("run_id", "pointer", "start_ns", "scope_name", *_TOLD)
_EVENTS: Final = ("run_id", "pointer", "time_ns", "scope_name", "event", "state", "decided_by", "attributes", *_TOLD)
_CALLS: Final = (
    "run_id",
    "tool_name",
    "outcome",
    "proposed_at",
    "approval_asked",
    "approval",
    "decided_by",
    "reviewer",
    "wait_ns",
    "granted_by",
    "granted_at",
    "signals",
    "permission_mode",
)
_EFFECTS: Final = ("operation", "system", "object_type", "object_id")


@dataclass(frozen=True, slots=True)
class _Subject:
    run: _Row
    calls: Sequence[_Row]
    events: Sequence[_Row]
    spans: Sequence[_Row]
    inferred: Sequence[_Row]
    emitter: Emitter

    def answer(
        self, question: str, state: State, value: str, rows: Iterable[_Row], switch_on: str | None = None
    ) -> Answer:
        """`switch_on`: what would tell more, where that is no switch of the emitter."""
        return Answer(
            question,
            state,
            value[:VALUE_CHARACTERS],
            tuple(dict.fromkeys(row["pointer"] for row in rows))[:EVIDENCE_ROWS],
            None if state == "known" else switch_on or self._switch(question),
        )

    def _switch(self, question: str) -> str | None:
        wanted: Question | None = next((q for q in self.emitter.gives if q == question), None)
        return (
            (self.emitter.gives[wanted] or f"{self.emitter.title} does not tell this") if wanted is not None else None
        )


def answers(
    runs: pl.DataFrame, calls: pl.DataFrame, effects: pl.DataFrame, identified: Identified
) -> tuple[Answers, ...]:
    """The answers about each of some runs.

    Args:
        runs: their rows of `runs`.
        calls: columns as in `schemas.CALLS`.
        effects: columns as in `schemas.EFFECTS`.
        identified: the events and spans.
    """
    inferred = effects.filter(pl.col("basis") == "inferred").select("run_id", *_EFFECTS, "first_ns", pointer="evidence")
    is_input = pl.col("event") == "input.resolved"
    events = identified.events.select(
        *_EVENTS,
        pl.when(is_input).then("content").alias("content"),
        pl.when(is_input).then("content_digest").alias("content_digest"),
        *left_out.modes(),
    )
    rows_of = [
        _by_run(frame, runs["run_id"], *order)
        for frame, order in (
            (calls.select(_CALLS), ()),
            (events, ("time_ns",)),
            (identified.spans.select(_SPANS), ("start_ns",)),
            (inferred, ("first_ns", "pointer")),
        )
    ]
    return tuple(_answered(row, *(of.get(row["run_id"], ()) for of in rows_of)) for row in runs.iter_rows(named=True))


def _by_run(frame: pl.DataFrame, run_ids: pl.Series, *order: str) -> dict[str, list[_Row]]:
    """The rows of each of these runs that has any."""
    rows = frame.filter(pl.col("run_id").is_in(run_ids.implode()))
    of_runs: dict[str, list[_Row]] = {}
    for row in (rows.sort(order, maintain_order=True) if order else rows).iter_rows(named=True):
        of_runs.setdefault(row["run_id"], []).append(row)
    return of_runs


def _answered(
    run: _Row, calls: Sequence[_Row], events: Sequence[_Row], spans: Sequence[_Row], inferred: Sequence[_Row]
) -> Answers:
    scopes = sorted({row["scope_name"] for row in (*spans, *events)} - {None})
    subject = _Subject(run, calls, events, spans, inferred, emitter_of(run["service_name"], scopes))
    return Answers(
        run["run_id"],
        (
            _agent(subject),
            _model(subject),
            _system_prompt(subject),
            _inputs(subject),
            _tools(subject),
            _reviewer(subject),
        ),
        (_trigger(subject), _checks(subject), _effects(subject)),
    )


def emitter_of(service: str | None, scopes: list[str]) -> Emitter:
    """The emitter of a run that these scopes of a service report; the general one where none is known."""
    spoken: list[str | None] = [*scopes] or [None]
    return next(emitter for emitter in EMITTERS if any(emitter.sends(service, scope) for scope in spoken))


def _agent(subject: _Subject) -> Answer:
    run = subject.run
    rows = _having(subject, "agent_name")
    version = f" {run['agent_version']}" if run["agent_version"] else ""
    if run["agent_name"]:
        service = f" (service {run['service_name']})" if run["service_name"] not in (None, run["agent_name"]) else ""
        return subject.answer("agent", "known", f"{run['agent_name']}{version}{service}", rows)
    if run["service_name"]:
        return subject.answer("agent", "partial", f"service {run['service_name']}", _having(subject, "service_name"))
    return subject.answer("agent", "unknown", "unknown", rows)


def _model(subject: _Subject) -> Answer:
    asked, served = subject.run["model"], subject.run["model_served"]
    rows = _having(subject, "model_served" if served else "model")
    if asked and served:
        value = asked if asked == served else f"asked {asked}, served {served}"
        return subject.answer("model", "known", value, rows)
    if asked or served:
        value = (
            f"asked {asked}; which one answered is unknown" if asked else f"served {served}; which was asked is unknown"
        )
        return subject.answer("model", "partial", value, rows)
    return subject.answer("model", "unknown", "unknown", rows)


def _system_prompt(subject: _Subject) -> Answer:
    told = _inputs_of(subject, "system_prompt")
    digest = subject.run["system_prompt_digest"]
    if told and (text := told[0]["content"]):
        if mode := left_out.mode_of(text):
            return subject.answer("system_prompt", "partial", left_out.said(mode), told, left_out.SWITCH)
        digest = digest or told[0]["content_digest"]
        return subject.answer("system_prompt", "known", f"{_one_line(text)} [{_short(digest)}]", told)
    if digest:
        return subject.answer("system_prompt", "partial", f"digest {digest}", _having(subject, "system_prompt_digest"))
    return subject.answer("system_prompt", "unknown", "unknown", told)


def _inputs(subject: _Subject) -> Answer:
    told = _inputs_of(subject, "user_prompt")
    texts = [row["content"] for row in told if row["content"]]
    if texts and (mode := left_out.mode_of(texts[0])):
        return subject.answer("inputs", "partial", left_out.said(mode), told, left_out.SWITCH)
    if texts:
        more = f" (+{len(set(texts)) - 1} more)" if len(set(texts)) > 1 else ""
        return subject.answer("inputs", "known", _one_line(texts[0]) + more, told)
    if told:
        return subject.answer("inputs", "partial", "an input is recorded without its text", told)
    return subject.answer("inputs", "unknown", "unknown", told)


def _tools(subject: _Subject) -> Answer:
    calls, available = subject.calls, subject.run["tools_available"]
    counts = Counter((row["tool_name"] or "?", row["outcome"]) for row in calls)
    ran = ", ".join(
        f"{tool}×{n}" for (tool, outcome), n in sorted(counts.items()) if outcome in ("executed", "failed", "modified")
    )
    not_run = ", ".join(
        f"{tool} {outcome}" + (f"×{n}" if n > 1 else "")
        for (tool, outcome), n in sorted(counts.items())
        if outcome not in ("executed", "failed", "modified")
    )
    listed = "available: unknown" if available is None else f"available: {len(available)}"
    missing = subject.run["missing"]
    s = "s" if missing > 1 else ""
    lost = (f"at least {missing} record{s} or event{s} missing, and calls may be",) if missing else ()
    value = "; ".join((listed, f"ran: {ran or 'none'}", f"did not run: {not_run or 'none seen'}", *lost))
    rows = _named(subject, "action.proposed", "tool.called")
    if mode := left_out.mode_in(rows):
        value += f"; arguments and results {left_out.said(mode)}, and edits of arguments may not be seen"
        return subject.answer("tools", "partial", value, rows, left_out.SWITCH)
    proposals = any(row["proposed_at"] is not None for row in calls)
    if available is not None and (proposals or not calls) and not missing:
        return subject.answer("tools", "known", value, rows)
    return subject.answer("tools", "partial" if calls or available is not None else "unknown", value, rows)


def _reviewer(subject: _Subject) -> Answer:
    asked = [row for row in subject.calls if row["approval_asked"]]
    rows = [row for row in subject.events if row["event"].startswith("approval.") or row["event"] == "policy.evaluated"]
    if not subject.calls:
        if subject.run["tools_available"] is None:
            return subject.answer("reviewer", "unknown", "no call is recorded", rows)
        return subject.answer("reviewer", "known", "no calls, nobody to ask", rows)
    grants = [_grant(row) for row in subject.calls if row["granted_by"]]
    if not asked:
        by = sorted({row["decided_by"] for row in subject.calls if row["decided_by"]})
        if by:
            told = "; ".join((f"nobody was asked; decided by {', '.join(by)}", *grants))
            return subject.answer("reviewer", "known", told, rows)
        return subject.answer(
            "reviewer", "unknown", "no decision is recorded; whether anybody was asked is unknown", rows
        )
    parts = []
    for row in asked:
        who = row["reviewer"] or _PARTIES.get(row["decided_by"], row["decided_by"] or "nobody yet")
        waited = f" after {length(row['wait_ns'] / 1e9)}" if row["wait_ns"] is not None else ""
        parts.append(f"{row['tool_name']}: {row['approval'] or row['outcome']} by {who}{waited}")
    is_named = all(row["reviewer"] is not None for row in asked if row["decided_by"] in ("human", "human_or_program"))
    state: State = "known" if is_named else "partial"
    return subject.answer("reviewer", state, "; ".join(dict.fromkeys((*parts, *grants))), rows)


def _grant(row: _Row) -> str:
    """A standing grant that stood in for an answer: of what, by whom and when."""
    when = f" at {row['granted_at']:%Y-%m-%d %H:%M:%S} UTC" if row["granted_at"] is not None else ""
    return f"{row['tool_name']}: granted before by {row['granted_by']}{when}"


def _trigger(subject: _Subject) -> Answer:
    run, told = subject.run, _inputs_of(subject, "user_prompt")
    began = _named(subject, "run.created")
    kind = " ".join(filter(None, (run["trigger"], run["trigger_id"])))
    by_run = f"run {run['parent_run_key']}" if run["parent_run_key"] else None
    user = f"user {run['user_id']}" if run["user_id"] else None
    parts = [part for part in (kind, by_run, user) if part]
    if user or by_run or run["trigger_id"]:
        return subject.answer("trigger", "known", ", ".join(parts), began if kind else _having(subject, "user_id"))
    if kind:
        return subject.answer("trigger", "partial", f"{kind}; which one is unknown", began)
    if told:
        return subject.answer("trigger", "partial", "a prompt; whose is unknown", told)
    return subject.answer("trigger", "unknown", "unknown", told)


def _checks(subject: _Subject) -> Answer:
    rows = _named(subject, "policy.evaluated", "validation.passed", "validation.failed")
    failures = Counter(name for row in subject.calls for name in row["signals"])
    failures.update(subject.run["signals"])
    # A record that only repeats a decision, told by another of the same call, is marked with a weight.
    said = [row for row in rows if json.loads(row["attributes"] or "{}").get("weight") is None]
    counts = Counter((row["decided_by"] or "?", row["state"] or row["event"]) for row in said or rows)
    passed = dict.fromkeys(row["permission_mode"] for row in subject.calls if row["permission_mode"] is not None)
    parts = [f"{by} {state}×{n}" for (by, state), n in sorted(counts.items())]
    parts += [f"permission mode {', then '.join(passed)}"] if passed else []
    parts += [f"control failure: {name}×{n}" for name, n in sorted(failures.items())]
    if parts:
        return subject.answer("checks", "known" if counts else "partial", ", ".join(parts), rows)
    return subject.answer("checks", "unknown", "no check is recorded", rows)


def _effects(subject: _Subject) -> Answer:
    rows = _named(subject, "effect.applied", "effect.blocked")
    told = [f"{row['event'].removeprefix('effect.')} {_receipt(row)}" for row in rows]
    if subject.inferred:
        parts = ([row[name] for name in _EFFECTS if row[name] is not None] for row in subject.inferred)
        told += [f"as its result tells: {' '.join(each)}" for each in parts]
        return subject.answer("effects", "partial", "; ".join(dict.fromkeys(told)), (*rows, *subject.inferred))
    if not rows:
        return subject.answer("effects", "unknown", "no receipt is recorded", rows)
    return subject.answer("effects", "known", "; ".join(dict.fromkeys(told)), rows)


def _receipt(row: _Row) -> str:
    """What a receipt names: the operation, the system, the object and where to see it."""
    told = json.loads(row["attributes"] or "{}")
    words = [told.get(f"effect_{part}") for part in ("operation", "system", "object_type", "object_id", "object_url")]
    return " ".join(str(word) for word in words if word) or str(told.get("input", "a change"))


def _named(subject: _Subject, *names: str) -> list[_Row]:
    return [row for row in subject.events if row["event"] in names]


def _inputs_of(subject: _Subject, state: str) -> list[_Row]:
    return [row for row in _named(subject, "input.resolved") if row["state"] == state]


def _having(subject: _Subject, column: str) -> list[_Row]:
    return [row for row in (*subject.spans, *subject.events) if row[column] is not None]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _short(digest: str | None) -> str:
    return "no digest" if digest is None else digest[:19]
