"""What differs between two runs, by their run records: pure, so that two exported records can be compared as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.calls.edits import difference
from aftertrace.analyzer.comparison.alignment import Asked, aligned
from aftertrace.analyzer.comparison.parts import parts
from aftertrace.analyzer.comparison.run_comparison import (
    FORMAT,
    ComparedCall,
    ComparedRun,
    ComparedStep,
    Difference,
    RunComparison,
    Verdict,
)
from aftertrace.analyzer.records.record_words import target
from aftertrace.analyzer.records.recorded_calls import changes

if TYPE_CHECKING:
    from aftertrace.analyzer.records.call_record import Call, Effect
    from aftertrace.analyzer.records.run_record import RunRecord

_TOLD: Final = ("outcome", "decided_by", "approval", "approver", "allowed_by")
"""What of two calls is compared beside arguments, effects and results: lengths of waits always differ."""
_OF_WHAT_RAN: Final = "allowed_by"
"""Where one side tells none, its call did not run: so that it is missing says nothing more."""
_RESULT_CHARACTERS: Final = 200


def compared(first: RunRecord, second: RunRecord) -> RunComparison:
    """Two runs side by side, the first one first."""
    made = [[Asked(call.tool, call.arguments) for call in record.calls] for record in (first, second)]
    alignment = aligned(*made)
    steps = _placed(
        [
            _step(
                number,
                (first, None if mine is None else first.calls[mine]),
                (second, None if other is None else second.calls[other]),
            )
            for number, (mine, other) in enumerate(alignment.pairs, start=1)
        ]
    )
    alone = [[_effect(each) for each in record.effects if each.call is None] for record in (first, second)]
    return RunComparison(
        format=FORMAT,
        first=_run(first),
        second=_run(second),
        parted_at=next((step.number for step in steps if step.verdict not in ("same", "other_result")), None),
        other_result_at=next((step.number for step in steps if step.verdict == "other_result"), None),
        parts=tuple(parts(first, second)),
        steps=tuple(steps),
        effects=tuple(_effects(*alone)),
        first_left_out=alignment.left_out[0],
        second_left_out=alignment.left_out[1],
    )


def _run(record: RunRecord) -> ComparedRun:
    return ComparedRun(
        run_id=record.run_id,
        as_of=record.as_of,
        agent_name=record.agent_name,
        state=record.state,
        started_at=record.started_at,
        duration_s=record.duration_s,
        calls=len(record.calls),
        near_misses=sum(call.near_miss for call in record.calls),
        findings=tuple(dict.fromkeys(finding.signal for finding in record.findings)),
        usage=record.usage,
        missing=record.missing,
    )


def _step(number: int, mine: tuple[RunRecord, Call | None], other: tuple[RunRecord, Call | None]) -> ComparedStep:
    (first_run, first), (second_run, second) = mine, other
    one, two = _call(first_run, first), _call(second_run, second)
    differences: tuple[Difference, ...] = ()
    if first is not None and second is not None and one is not None and two is not None:
        differences = (
            *_asked(first, second),
            *_became(one, two),
            *_under(first_run, second_run, one, two),
            *_effects(one.effects, two.effects),
            *_result(first, second),
        )
    known = {each.kind for each in differences if each.is_known}
    verdict: Verdict = "differs" if known - {"result"} else "other_result" if known else "same"
    if one is None or two is None:
        verdict = "second_only" if one is None else "first_only"
    call = first or second
    return ComparedStep(number, None if call is None else call.tool, verdict, one, two, differences, None)


def _call(record: RunRecord, call: Call | None) -> ComparedCall | None:
    if call is None:
        return None
    approval = call.approval
    final = next((each for each in reversed(call.decisions) if each.is_final), None)
    return ComparedCall(
        approval=None if approval is None else approval.decision,
        approver=(approval and approval.reviewer) or (final and final.reviewer) or None,
        wait_s=None if approval is None else approval.wait_s,
        effects=tuple(_effect(each) for each in record.effects if each.call == call.number),
        result=None if call.result is None else call.result.digest,
        **{
            name: getattr(call, name)
            for name in (
                "number", "call_id", "agent", "arguments", "outcome", "basis", "decided_by", "allowed_by",
                "permission_mode", "reason", "started_at", "evidence",
            )
        },
    )  # fmt: skip


def _asked(first: Call, second: Call) -> Iterator[Difference]:
    """Arguments as proposed; and as they ran, where that is not told by those already."""
    proposed = changes(difference(first.arguments, second.arguments))
    if proposed is None and (first.arguments is None) != (second.arguments is None):
        yield Difference("arguments", None, first.arguments, second.arguments, is_known=False)
    for each in proposed or ():
        yield Difference("arguments", each.path, each.before, each.after, is_known=True)
    if first.changes or second.changes:
        ran = changes(difference(first.executed_arguments, second.executed_arguments))
        for each in ran or ():
            if each not in (proposed or ()):
                yield Difference("executed", each.path, each.before, each.after, is_known=True)


def _became(first: ComparedCall, second: ComparedCall) -> Iterator[Difference]:
    for kind in _TOLD:
        one, two = getattr(first, kind), getattr(second, kind)
        if one != two and (kind != _OF_WHAT_RAN or (one and two)):
            yield Difference(kind, None, one, two, is_known=one is not None and two is not None)


def _under(
    first_run: RunRecord, second_run: RunRecord, first: ComparedCall, second: ComparedCall
) -> Iterator[Difference]:
    """Agent and permission mode, but for those of the whole run: they are parts of what it was made of."""
    modes = [len(run.configuration.permission_modes) <= 1 for run in (first_run, second_run)]
    own_agents = first.agent == first_run.agent_name and second.agent == second_run.agent_name
    for kind, is_of_runs in (("agent", own_agents), ("permission_mode", all(modes))):
        one, two = getattr(first, kind), getattr(second, kind)
        if one != two and not is_of_runs:
            yield Difference(kind, None, one, two, is_known=one is not None and two is not None)


def _effects(first: Sequence[str], second: Sequence[str]) -> Iterator[Difference]:
    """Effects that one side has and the other has not. None on record is told as such, and not as nothing changed."""
    mine, other = Counter(first), Counter(second)
    for one, two in zip_longest(sorted((mine - other).elements()), sorted((other - mine).elements())):
        yield Difference("effect", None, one, two, is_known=True)


def _effect(effect: Effect) -> str:
    return " ".join(filter(None, (effect.state, effect.operation, target(effect))))


def _result(first: Call, second: Call) -> Iterator[Difference]:
    one, two = first.result, second.result
    if one is not None and two is not None and one.digest and two.digest and one.digest != two.digest:
        begins = [(each.begins or each.digest or "")[:_RESULT_CHARACTERS] for each in (one, two)]
        yield Difference("result", None, begins[0], begins[1], is_known=True)


def _placed(steps: list[ComparedStep]) -> list[ComparedStep]:
    """The steps; a call that both runs made, each at another place, names the other's."""
    lone: dict[tuple[str | None, str | None], tuple[list[int], list[int]]] = {}
    for step in steps:
        call = step.first or step.second
        if step.verdict in ("first_only", "second_only") and call is not None and call.arguments is not None:
            sides = lone.setdefault((step.tool, call.arguments), ([], []))
            sides[step.verdict == "second_only"].append(step.number)
    met = [pair for sides in lone.values() for pair in zip(*sides, strict=False)]
    elsewhere = dict([*met, *((two, one) for one, two in met)])
    return [replace(step, elsewhere=elsewhere.get(step.number)) for step in steps]
