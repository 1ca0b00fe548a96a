"""How two runs side by side are put into words, the same on a screen, in Markdown and in HTML. A is the first run, B
the second. Texts from telemetry in them are cut, and not escaped yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.documents.words import count
from aftertrace.analyzer.records.call_record import Change
from aftertrace.analyzer.records.record_words import UNTOLD, change

if TYPE_CHECKING:
    from aftertrace.analyzer.comparison.run_comparison import ComparedCall, ComparedStep, Difference, RunComparison

PARTS: Final = {
    "inputs": "inputs",
    "agent": "agent",
    "agent_version": "agent version",
    "service_version": "service version",
    "model": "model asked",
    "model_served": "model that answered",
    "prompt": "system prompt",
    "prompt_template": "prompt template",
    "tools": "tools offered",
    "tool_definitions": "tool definitions",
    "policies": "policies",
    "permission_modes": "permission modes",
    "environment": "environment",
    "tenant": "tenant",
    "principal": "principal",
    "trigger": "trigger",
    "workflow": "workflow",
}
AGREEMENTS: Final = {
    "same": "the same",
    "values_differ": "the same wording, other values",
    "differs": "differs",
    "not_told": "not known",
}
_KINDS: Final = {
    "executed": "as it ran, ",
    "agent": "agent",
    "outcome": "outcome",
    "decided_by": "decided by",
    "approval": "approval",
    "approver": "approver",
    "allowed_by": "let through by",
    "permission_mode": "permission mode",
    "effect": "effect",
    "result": "result",
}
_NO_EFFECT: Final = "none on record"
_VALUE_CHARACTERS: Final = 80
_IN_HEADLINE: Final = 2
_FEW_ALIKE: Final = 3
"""As many steps of the same in a row are shown one by one."""


def headline(found: RunComparison) -> list[str]:
    """What differs first, and of what they were made, in a few sentences."""
    lines = []
    step = None if found.parted_at is None else found.steps[found.parted_at - 1]
    if step is not None:
        lines.append(f"They part at step {step.number}: {_parting(step)}.")
    elif found.first_left_out or found.second_left_out:
        lines.append(f"No step of the first {len(found.steps):,} is known to differ.")
    elif found.steps:
        lines.append(f"Their {count(len(found.steps), 'call')} do not differ in what is told of them.")
    else:
        lines.append("Neither has a call on record.")
    if found.other_result_at is not None and (step is None or found.other_result_at < step.number):
        other = found.steps[found.other_result_at - 1]
        lines.append(f"Before that, the same call of {_tool(other)} gave something else (step {other.number}).")
    differing = ", ".join(PARTS[part.part] for part in found.differing)
    untold = ", ".join(PARTS[part.part] for part in found.parts if part.agreement == "not_told")
    lines.append(f"Made of or given other: {differing}." if differing else "Nothing told of what made them differs.")
    if untold:
        lines.append(f"Not told by both, so not known to differ: {untold}.")
    if found.first_left_out or found.second_left_out:
        lines.append(
            f"Not laid side by side, since too many differ: the last {count(found.first_left_out, 'call')} of A "
            f"and {found.second_left_out:,} of B but for those that both end with."
        )
    return lines


def grouped(steps: Sequence[ComparedStep]) -> Iterator[tuple[ComparedStep, ...]]:
    """The steps one by one; more than a few in a row in which nothing differs at once."""
    alike: list[ComparedStep] = []
    for step in steps:
        if step.verdict == "same" and not step.differences:
            alike.append(step)
            continue
        yield from _alike(alike)
        alike = []
        yield (step,)
    yield from _alike(alike)


def tools_of(steps: Sequence[ComparedStep]) -> str:
    """The tools of some steps, each with how often."""
    times: dict[str, int] = {}
    for step in steps:
        times[_tool(step)] = times.get(_tool(step), 0) + 1
    return ", ".join(name if many == 1 else f"{name} ×{many}" for name, many in times.items())


def became(call: ComparedCall | None) -> str:
    """What became of a call: outcome, who decided, after what wait, and what it changed."""
    if call is None:
        return "no such call"
    inferred = " (inferred)" if call.basis == "inferred" else ""
    parts = [call.outcome.replace("_", " ") + inferred]
    if call.approval is not None:
        who = f" by {_cut(call.approver)}" if call.approver else ""
        parts.append(f"{call.approval}{who}{f' after {length(call.wait_s)}' if call.wait_s is not None else ''}")
    elif call.decided_by is not None:
        parts.append(f"by {call.decided_by}{f' ({_cut(call.approver)})' if call.approver else ''}")
    parts += [_cut(effect) for effect in call.effects[:_IN_HEADLINE]]
    return ", ".join(parts)


def differences(step: ComparedStep) -> list[str]:
    """In what a step differs; what only one side tells comes last, in one line."""
    lines = [told(each) for each in step.differences if each.is_known]
    call = step.first or step.second
    if call is not None and step.verdict != "same" and all(each.kind != "arguments" for each in step.differences):
        lines.insert(0, f"arguments: {UNTOLD if call.arguments is None else _cut(call.arguments)}")
    for side, name in (("first", "A"), ("second", "B")):
        kinds = [_kind(each) for each in step.differences if not each.is_known and getattr(each, side) is None]
        if kinds:
            lines.append(f"not told in {name}: {', '.join(dict.fromkeys(kinds))}")
    if step.elsewhere is not None:
        lines.append(f"the other has the same call at step {step.elsewhere}")
    return lines


def told(each: Difference) -> str:
    """One difference: ``/amount: 900 → 60``, ``outcome: denied → executed``."""
    before, after = (None if side is None else _cut(side) for side in (each.first, each.second))
    if each.kind in ("arguments", "executed"):
        return _KINDS.get(each.kind, "") + change(Change(_cut(each.path or ""), before, after))
    missing = _NO_EFFECT if each.kind == "effect" else UNTOLD
    return f"{_kind(each)}: {before or missing} → {after or missing}"


def _parting(step: ComparedStep) -> str:
    if step.first is None or step.second is None:
        side, call = ("A", step.first) if step.second is None else ("B", step.second)
        elsewhere = "" if step.elsewhere is None else f"; the other does at step {step.elsewhere}"
        asked = f" {_cut(call.arguments)}" if call is not None and call.arguments else ""
        return f"only {side} calls {_tool(step)}{asked} ({became(call)}){elsewhere}"
    known = [each for each in step.differences if each.is_known and each.kind != "result"]
    shown = "; ".join(told(each) for each in known[:_IN_HEADLINE])
    more = f"; and {len(known) - _IN_HEADLINE} more" if len(known) > _IN_HEADLINE else ""
    is_same = all(each.kind != "arguments" for each in step.differences) and step.first.arguments
    asked = f" {_cut(step.first.arguments)}" if is_same else ""
    return f"{_tool(step)}{asked}, {shown}{more}"


def _alike(steps: list[ComparedStep]) -> Iterator[tuple[ComparedStep, ...]]:
    if len(steps) > _FEW_ALIKE:
        yield tuple(steps)
    else:
        yield from ((step,) for step in steps)


def _kind(each: Difference) -> str:
    return _KINDS.get(each.kind, each.kind)


def _tool(step: ComparedStep) -> str:
    return _cut(step.tool) if step.tool else "a tool not told"


def _cut(text: str | None) -> str:
    told = text or ""
    return told if len(told) <= _VALUE_CHARACTERS else f"{told[: _VALUE_CHARACTERS - 1]}…"
