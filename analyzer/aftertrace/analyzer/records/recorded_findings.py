"""Where a control failed, or something is odd, as a run record tells it: by the run itself, or together with others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from aftertrace.analyzer.calls.controls import FAILURES
from aftertrace.analyzer.calls.reviews import HASTY
from aftertrace.analyzer.effects.findings import KINDS, across, of_run
from aftertrace.analyzer.effects.table import SIGNALS as EFFECT_SIGNALS
from aftertrace.analyzer.records.call_record import Call, Effect
from aftertrace.analyzer.records.recorded_calls import numbers
from aftertrace.analyzer.records.run_record import Finding
from aftertrace.analyzer.runs.table import SIGNALS as RUN_SIGNALS

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

_BRIEFS: Final = {each.name: each.brief for each in (*KINDS, *FAILURES, HASTY, *EFFECT_SIGNALS, *RUN_SIGNALS)}


def recorded_findings(
    analysis: Analysis, row: dict[str, Any], calls: tuple[Call, ...], effects: tuple[Effect, ...]
) -> tuple[Finding, ...]:
    """The findings of a run: first those that it shows of itself, then those that other runs show with it.

    Args:
        analysis: where other runs are told, if they are.
        row: its row of `runs`.
        calls: its calls.
        effects: its effects.
    """
    own = tuple(_own(analysis, row, calls, effects))
    return (*own, *_with_others(analysis, row["run_id"], own, effects))


def _with_others(
    analysis: Analysis, run_id: str, own: tuple[Finding, ...], effects: tuple[Effect, ...]
) -> Iterator[Finding]:
    """What the run and others show together; nothing where others are not looked at."""
    if analysis.of_all is None:
        return
    number = numbers(analysis, run_id)
    told = {(each.signal, each.evidence) for each in own}
    placed = {effect.evidence: nth for nth, effect in reversed(list(enumerate(effects, start=1)))}
    for each in across(analysis.of_all, run_id).iter_rows(named=True):
        if (each["signal"], tuple(each["evidence"])) in told:
            continue
        effect = next((placed[place] for place in each["evidence"] if place in placed), None)
        call = number.get(each["call_key"])
        if each["other_runs"] and effect is not None:
            yield _finding(each["signal"], "effect", effect, each)
        else:
            yield _finding(each["signal"], "call" if call is not None else "run", call, each)


def _own(
    analysis: Analysis, row: dict[str, Any], calls: tuple[Call, ...], effects: tuple[Effect, ...]
) -> Iterator[Finding]:
    """What the run shows of itself."""
    number = numbers(analysis, row["run_id"])
    more = [(number.get(each["call_key"]), each) for each in of_run(analysis, row["run_id"]).iter_rows(named=True)]
    details = {(each["signal"], call): each for call, each in more}
    told = set[tuple[str, int | None]]()
    for call in calls:
        for name in call.signals:
            yield _finding(name, "call", call.number, details.get((name, call.number)))
            told.add((name, call.number))
        odd = call.approval.signals if call.approval is not None else ()
        for name in odd:
            if name not in call.signals:
                yield _finding(name, "approval", call.number, None)
    shown = {(each["signal"], each["evidence"][0]): each for _, each in more}
    again = {(each["signal"], place) for _, each in more for place in each["evidence"][1:]}
    for nth, effect in enumerate(effects, start=1):
        for name in effect.signals:
            # One that was made several times is told once, with the first.
            if (name, effect.evidence) not in again:
                yield _finding(name, "effect", nth, shown.get((name, effect.evidence)))
    signalled = {name for effect in effects for name in effect.signals}
    for at, each in more:
        if (each["signal"], at) not in told and each["signal"] not in signalled:
            yield _finding(each["signal"], "call" if at is not None else "run", at, each)
    for name in row["signals"]:
        yield _finding(name, "run", None, None)


def _finding(name: str, of: str, number: int | None, more: dict[str, Any] | None) -> Finding:
    if more is None:
        return Finding(name, _BRIEFS[name], of, number, is_failure=name != HASTY.name)
    told = {each: more[each] for each in ("is_failure", "what", "certainty", "basis")}
    shown, others = tuple(more["evidence"]), tuple(more["other_runs"])
    return Finding(name, _BRIEFS[name], of, number, evidence=shown, other_runs=others, **told)
