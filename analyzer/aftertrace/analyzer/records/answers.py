"""The six answers about a run, each with an honest *unknown*, the evidence behind it and what would tell it.

Agent, model and version, system prompt, inputs, tools considered, called and rejected, and who reviewed; beside them
the trigger, the checks and the effects.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import polars as pl

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


@dataclass(frozen=True, slots=True)
class _Subject:
    run: dict[str, Any]
    calls: pl.DataFrame
    events: pl.DataFrame
    spans: pl.DataFrame
    inferred: pl.DataFrame
    emitter: Emitter

    def answer(
        self, question: str, state: State, value: str, rows: pl.DataFrame, switch_on: str | None = None
    ) -> Answer:
        """`switch_on`: what would tell more, where that is no switch of the emitter."""
        evidence = rows["pointer"].unique(maintain_order=True).head(EVIDENCE_ROWS).to_list() if rows.height else []
        return Answer(
            question,
            state,
            value[:VALUE_CHARACTERS],
            tuple(evidence),
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
    # Each frame is gone through once, however many the runs are.
    inferred = effects.filter(pl.col("basis") == "inferred")
    rows_of = [_by_run(frame, runs["run_id"]) for frame in (calls, identified.events, identified.spans, inferred)]
    return tuple(_answered(row, *(of(row["run_id"]) for of in rows_of)) for row in runs.iter_rows(named=True))


def _by_run(frame: pl.DataFrame, run_ids: pl.Series) -> Callable[[str], pl.DataFrame]:
    """What gives the rows of one of these runs."""
    rows = frame.filter(pl.col("run_id").is_in(run_ids.implode()))
    of_runs = {run_id: part for (run_id,), part in rows.partition_by("run_id", as_dict=True).items()}
    none = frame.clear()
    return lambda run_id: of_runs.get(run_id, none)


def _answered(
    run: dict[str, Any], calls: pl.DataFrame, events: pl.DataFrame, spans: pl.DataFrame, inferred: pl.DataFrame
) -> Answers:
    events, spans = events.sort("time_ns"), spans.sort("start_ns")
    scopes = pl.concat([spans["scope_name"], events["scope_name"]]).drop_nulls().unique().sort().to_list()
    inferred = inferred.sort("first_ns", "evidence")
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
    if told.height and told["content"][0]:
        if mode := left_out.mode_of(told["content"][0]):
            return subject.answer("system_prompt", "partial", left_out.said(mode), told, left_out.SWITCH)
        digest = digest or told["content_digest"][0]
        return subject.answer("system_prompt", "known", f"{_one_line(told['content'][0])} [{_short(digest)}]", told)
    if digest:
        return subject.answer("system_prompt", "partial", f"digest {digest}", _having(subject, "system_prompt_digest"))
    return subject.answer("system_prompt", "unknown", "unknown", told)


def _inputs(subject: _Subject) -> Answer:
    told = _inputs_of(subject, "user_prompt")
    texts = [text for text in told["content"].to_list() if text]
    if texts and (mode := left_out.mode_of(texts[0])):
        return subject.answer("inputs", "partial", left_out.said(mode), told, left_out.SWITCH)
    if texts:
        more = f" (+{len(set(texts)) - 1} more)" if len(set(texts)) > 1 else ""
        return subject.answer("inputs", "known", _one_line(texts[0]) + more, told)
    if told.height:
        return subject.answer("inputs", "partial", "an input is recorded without its text", told)
    return subject.answer("inputs", "unknown", "unknown", told)


def _tools(subject: _Subject) -> Answer:
    calls, available = subject.calls, subject.run["tools_available"]
    counts = Counter((row["tool_name"] or "?", row["outcome"]) for row in calls.iter_rows(named=True))
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
    rows = subject.events.filter(pl.col("event").is_in(("action.proposed", "tool.called")))
    if mode := left_out.mode_in(rows):
        value += f"; arguments and results {left_out.said(mode)}, and edits of arguments may not be seen"
        return subject.answer("tools", "partial", value, rows, left_out.SWITCH)
    proposals = calls["proposed_at"].is_not_null().any() if calls.height else False
    if available is not None and (proposals or not calls.height) and not missing:
        return subject.answer("tools", "known", value, rows)
    return subject.answer("tools", "partial" if calls.height or available is not None else "unknown", value, rows)


def _reviewer(subject: _Subject) -> Answer:
    asked = subject.calls.filter(pl.col("approval_asked"))
    rows = subject.events.filter(pl.col("event").str.starts_with("approval.") | (pl.col("event") == "policy.evaluated"))
    if not subject.calls.height:
        if subject.run["tools_available"] is None:
            return subject.answer("reviewer", "unknown", "no call is recorded", rows)
        return subject.answer("reviewer", "known", "no calls, nobody to ask", rows)
    grants = [_grant(row) for row in subject.calls.iter_rows(named=True) if row["granted_by"]]
    if not asked.height:
        by = sorted({by for by in subject.calls["decided_by"].to_list() if by})
        if by:
            told = "; ".join((f"nobody was asked; decided by {', '.join(by)}", *grants))
            return subject.answer("reviewer", "known", told, rows)
        return subject.answer(
            "reviewer", "unknown", "no decision is recorded; whether anybody was asked is unknown", rows
        )
    parts = []
    for row in asked.iter_rows(named=True):
        who = row["reviewer"] or _PARTIES.get(row["decided_by"], row["decided_by"] or "nobody yet")
        waited = f" after {row['wait_ns'] / 1e9:.1f} s" if row["wait_ns"] is not None else ""
        parts.append(f"{row['tool_name']}: {row['approval'] or row['outcome']} by {who}{waited}")
    named = asked.filter(pl.col("decided_by").is_in(("human", "human_or_program")))
    state: State = "known" if named["reviewer"].is_not_null().all() else "partial"
    return subject.answer("reviewer", state, "; ".join(dict.fromkeys((*parts, *grants))), rows)


def _grant(row: dict[str, Any]) -> str:
    """A standing grant that stood in for an answer: of what, by whom and when."""
    when = f" at {row['granted_at']:%Y-%m-%d %H:%M:%S} UTC" if row["granted_at"] is not None else ""
    return f"{row['tool_name']}: granted before by {row['granted_by']}{when}"


def _trigger(subject: _Subject) -> Answer:
    run, told = subject.run, _inputs_of(subject, "user_prompt")
    began = subject.events.filter(pl.col("event") == "run.created")
    kind = " ".join(filter(None, (run["trigger"], run["trigger_id"])))
    by_run = f"run {run['parent_run_key']}" if run["parent_run_key"] else None
    user = f"user {run['user_id']}" if run["user_id"] else None
    parts = [part for part in (kind, by_run, user) if part]
    if user or by_run or run["trigger_id"]:
        return subject.answer("trigger", "known", ", ".join(parts), began if kind else _having(subject, "user_id"))
    if kind:
        return subject.answer("trigger", "partial", f"{kind}; which one is unknown", began)
    if told.height:
        return subject.answer("trigger", "partial", "a prompt; whose is unknown", told)
    return subject.answer("trigger", "unknown", "unknown", told)


def _checks(subject: _Subject) -> Answer:
    rows = subject.events.filter(pl.col("event").is_in(("policy.evaluated", "validation.passed", "validation.failed")))
    failures = Counter(name for signals in subject.calls["signals"].to_list() for name in signals)
    failures.update(subject.run["signals"])
    # A record that only repeats a decision, told by another of the same call, is marked with a weight.
    said = rows.filter(pl.col("attributes").str.json_path_match("$.weight").is_null())
    counts = Counter(
        (row["decided_by"] or "?", row["state"] or row["event"])
        for row in (said if said.height else rows).iter_rows(named=True)
    )
    passed = subject.calls["permission_mode"].drop_nulls().unique(maintain_order=True).to_list()
    parts = [f"{by} {state}×{n}" for (by, state), n in sorted(counts.items())]
    parts += [f"permission mode {', then '.join(passed)}"] if passed else []
    parts += [f"control failure: {name}×{n}" for name, n in sorted(failures.items())]
    if parts:
        return subject.answer("checks", "known" if counts else "partial", ", ".join(parts), rows)
    return subject.answer("checks", "unknown", "no check is recorded", rows)


def _effects(subject: _Subject) -> Answer:
    rows = subject.events.filter(pl.col("event").is_in(("effect.applied", "effect.blocked")))
    told = [f"{row['event'].removeprefix('effect.')} {_receipt(row)}" for row in rows.iter_rows(named=True)]
    if subject.inferred.height:
        parts = pl.concat_str("operation", "system", "object_type", "object_id", separator=" ", ignore_nulls=True)
        told += [f"as its result tells: {text}" for text in subject.inferred.select(parts).to_series()]
        rows = pl.concat([rows.select("pointer"), subject.inferred.select(pointer="evidence")])
        return subject.answer("effects", "partial", "; ".join(dict.fromkeys(told)), rows)
    if not rows.height:
        return subject.answer("effects", "unknown", "no receipt is recorded", rows)
    return subject.answer("effects", "known", "; ".join(dict.fromkeys(told)), rows)


def _receipt(row: dict[str, Any]) -> str:
    """What a receipt names: the operation, the system, the object and where to see it."""
    told = json.loads(row["attributes"] or "{}")
    words = [told.get(f"effect_{part}") for part in ("operation", "system", "object_type", "object_id", "object_url")]
    return " ".join(str(word) for word in words if word) or str(told.get("input", "a change"))


def _inputs_of(subject: _Subject, state: str) -> pl.DataFrame:
    return subject.events.filter((pl.col("event") == "input.resolved") & (pl.col("state") == state))


def _having(subject: _Subject, column: str) -> pl.DataFrame:
    wanted = pl.col(column).is_not_null()
    return pl.concat([subject.spans.filter(wanted).select("pointer"), subject.events.filter(wanted).select("pointer")])


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _short(digest: str | None) -> str:
    return "no digest" if digest is None else digest[:19]
