"""What two runs were made of and were given, part by part.

Of two texts in the same wording only the values differ: the date of the day, a path, an id. That two runs alone do not
tell whether such a value was set by somebody; `aftertrace changes` does, over all runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from aftertrace.analyzer.comparison.run_comparison import Agreement, ComparedPart
from aftertrace.analyzer.configurations.changes import prompt_diff
from aftertrace.analyzer.configurations.sightings import KEPT_CHARACTERS
from aftertrace.semconv.wording import split

if TYPE_CHECKING:
    from aftertrace.analyzer.records.call_record import Reference
    from aftertrace.analyzer.records.run_record import RunRecord


def parts(first: RunRecord, second: RunRecord) -> Iterator[ComparedPart]:
    """The parts, in the order in which they are read."""
    one, two = first.configuration, second.configuration
    yield _texts("inputs", [each.text for each in first.inputs], [each.text for each in second.inputs])
    yield _single("agent", first.agent_name, second.agent_name)
    yield _single("agent_version", one.agent_version, two.agent_version)
    yield _single("service_version", first.service_version, second.service_version)
    yield _listed("model", one.models_asked, two.models_asked)
    yield _listed("model_served", one.models_served, two.models_served)
    # Agents of a run may work side by side: which of their prompts comes first says nothing.
    yield _texts("prompt", one.system_prompts, two.system_prompts, is_ordered=False)
    yield _single("prompt_template", one.prompt_template, two.prompt_template)
    yield _offered("tools", first.tools.available, second.tools.available)
    if first.tools.available is not None and _alike(first.tools.available, second.tools.available):
        yield _single("tool_definitions", one.tools_digest, two.tools_digest)
    policies = [
        tuple(" ".join(filter(None, (each.id, each.version, each.digest))) for each in made.policies)
        for made in (one, two)
    ]
    yield _listed("policies", *policies)
    yield _listed("permission_modes", one.permission_modes, two.permission_modes)
    yield _single("environment", first.environment, second.environment)
    yield _single("tenant", first.tenant, second.tenant)
    yield _single("principal", first.user_id, second.user_id)
    yield _single("trigger", first.trigger.kind, second.trigger.kind)
    yield _single("workflow", first.workflow, second.workflow)


def _single(part: str, first: str | None, second: str | None) -> ComparedPart:
    return _listed(part, () if first is None else (first,), () if second is None else (second,))


def _listed(part: str, first: Sequence[str], second: Sequence[str]) -> ComparedPart:
    """Of which none is told where a side is empty."""
    return _offered(part, first or None, second or None)


def _offered(part: str, first: Sequence[str] | None, second: Sequence[str] | None) -> ComparedPart:
    """Of which a side may be empty, and known to be."""
    agreement: Agreement = "same" if _alike(first, second) else "differs"
    if first is None or second is None:
        agreement = "not_told"
    mine, other = tuple(first or ()), tuple(second or ())
    if agreement != "differs":
        return ComparedPart(part, agreement, mine, other, (), ())
    removed = tuple(each for each in mine if each not in other)
    return ComparedPart(part, agreement, mine, other, removed, tuple(each for each in other if each not in mine))


def _alike(first: Sequence[str] | None, second: Sequence[str] | None) -> bool:
    return sorted(first or ()) == sorted(second or ())


def _texts(
    part: str, first: Sequence[Reference], second: Sequence[Reference], *, is_ordered: bool = True
) -> ComparedPart:
    """Texts by reference: equal by their digests, else by what is kept of them."""
    mine, other = (tuple(each.digest or each.begins or "" for each in side) for side in (first, second))
    if not mine or not other:
        return ComparedPart(part, "not_told", mine, other, (), ())
    if mine == other or (not is_ordered and _alike(mine, other)):
        return ComparedPart(part, "same", mine, other, (), ())
    if not is_ordered:
        first, second = _without(first, second), _without(second, first)
    differing = [
        (_begins(one), _begins(two))
        for one, two in zip_longest(first, second)
        if one is None or two is None or one.digest != two.digest or one.digest is None
    ]
    lines = [line for one, two in differing for line in prompt_diff(one or "", two or "") if line[:2] != "@@"]
    is_cut = any(
        None in pair or pair[0] == pair[1] or any(len(each or "") == KEPT_CHARACTERS for each in pair)
        for pair in differing
    )
    only_values = not is_cut and all(split(one or "").words == split(two or "").words for one, two in differing)
    return ComparedPart(
        part,
        "values_differ" if only_values else "differs",
        mine,
        other,
        tuple(line[1:] for line in lines if line[0] == "-"),
        tuple(line[1:] for line in lines if line[0] == "+"),
        is_cut,
    )


def _without(texts: Sequence[Reference], others: Sequence[Reference]) -> list[Reference]:
    """The texts, less those that are among the others, each as often as it is there."""
    shared: Counter[str | None] = Counter(each.digest for each in others if each.digest is not None)
    left = []
    for text in texts:
        if shared[text.digest] > 0:
            shared[text.digest] -= 1
        else:
            left.append(text)
    return left


def _begins(text: Reference | None) -> str | None:
    """What is kept of a text; of none at all the empty text, since a run of which others are told has not got it."""
    return "" if text is None else text.begins
