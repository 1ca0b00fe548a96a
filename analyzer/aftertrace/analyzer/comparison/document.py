"""Two runs side by side as a document to read, to attach to an incident and to print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.comparison.words import AGREEMENTS, PARTS, became, differences, grouped, headline, tools_of
from aftertrace.analyzer.documents.document import (
    Block,
    Code,
    Document,
    Excerpt,
    Inline,
    Line,
    Mark,
    Paragraph,
    Part,
    Points,
    Strong,
    Table,
    Tone,
)
from aftertrace.analyzer.documents.visible import visible
from aftertrace.analyzer.documents.words import count
from aftertrace.analyzer.records.record_words import STATES, UNTOLD, cost, lasted, moment, tokens

if TYPE_CHECKING:
    from aftertrace.analyzer.comparison.run_comparison import ComparedPart, ComparedRun, ComparedStep, RunComparison

_NO_DIFFERENCE: Final = (
    "What a run does not tell is no difference. Waits and lengths always differ and are shown, not compared. That two "
    "texts have the same wording with other values does not say whether somebody set them: "
)
_READING: Final[Line] = (_NO_DIFFERENCE, Code("aftertrace changes"), " looks at all runs.")
_SHOWN_STEPS: Final = 200
_SHOWN_LINES: Final = 40
_SHOWN_DIFFERENCES: Final = 12
_CELL_CHARACTERS: Final = 100
_DIGEST_CHARACTERS: Final = 19
_VERDICTS: Final[dict[str, tuple[str, Tone]]] = {
    "same": ("same", "good"),
    "other_result": ("other result", "medium"),
    "differs": ("differs", "high"),
    "first_only": ("only A", "critical"),
    "second_only": ("only B", "critical"),
}
_AGREED: Final[dict[str, Tone]] = {"same": "good", "values_differ": "low", "differs": "high", "not_told": "plain"}


def document(found: RunComparison) -> Document:
    """The document: where they part first, then what made them, then step by step."""
    first, *rest = headline(found)
    parts = (
        Part("", (Paragraph((Strong(first), *(f" {line}" for line in rest))), _runs(found))),
        Part("What they were made of and were given", (_made(found), *_texts(found))),
        Part("Step by step", _steps(found)),
        *_effects(found),
        Part("How to go on", (_further(found),)),
    )
    return Document(f"Runs {found.first.run_id} (A) and {found.second.run_id} (B)", parts)


def _runs(found: RunComparison) -> Table:
    rows: list[tuple[Line, ...]] = [("run", (Code(found.first.run_id),), (Code(found.second.run_id),))]
    rows += [(name, one, two) for (name, one), (_, two) in zip(facts(found.first), facts(found.second), strict=True)]
    return Table(("", "A", "B"), tuple(rows))


def facts(run: ComparedRun) -> list[tuple[str, Line]]:
    """What stands above all else of each run: names and values."""
    return [
        ("agent", run.agent_name or UNTOLD),
        ("state", STATES.get(run.state, run.state)),
        ("began", moment(run.started_at)),
        ("lasted", lasted(run.duration_s)),
        ("calls", f"{run.calls:,}, {count(run.near_misses, 'near miss', 'near misses')} among them"),
        ("what is odd", ", ".join(name.replace("_", " ") for name in run.findings) or "nothing found"),
        ("tokens", tokens(run.usage)),
        ("cost, as stated", cost(run.usage)),
        ("records that never came", f"at least {run.missing:,}" if run.missing else "none is missed"),
    ]


def _made(found: RunComparison) -> Table:
    order = ("differs", "values_differ", "same", "not_told")
    told = [part for part in found.parts if part.first or part.second]
    ranked = sorted(told, key=lambda part: order.index(part.agreement))
    untold = ", ".join(PARTS[part.part] for part in found.parts if not part.first and not part.second)
    rows = tuple(
        (PARTS[part.part], (Mark(AGREEMENTS[part.agreement], _AGREED[part.agreement]),), _side(part.first),
         _side(part.second))
        for part in ranked
    )  # fmt: skip
    return Table(("part", "", "A", "B"), rows, f"Neither tells: {untold}." if untold else "")


def _side(told: tuple[str, ...]) -> str:
    short = (each[:_DIGEST_CHARACTERS] if each.startswith("sha256:") else each for each in told)
    return visible(", ".join(short), _CELL_CHARACTERS) if told else UNTOLD


def _texts(found: RunComparison) -> tuple[Block, ...]:
    """The lines that differ, of what has several."""
    blocks: list[Block] = []
    for part in found.differing:
        if part.part in ("prompt", "inputs", "tools"):
            blocks += _changed(part)
    return tuple(blocks)


def _changed(part: ComparedPart) -> list[Block]:
    blocks: list[Block] = [Paragraph((Strong(PARTS[part.part]), ", what differs" + _cut_off(part)))]
    for lines, sign, name in ((part.removed, "-", "A"), (part.added, "+", "B")):
        if lines:
            shown = lines[:_SHOWN_LINES]
            more = f" ({len(lines) - _SHOWN_LINES:,} more lines)" if len(lines) > _SHOWN_LINES else ""
            text = Excerpt("\n".join(shown), frozenset(range(len(shown))), "-" if sign == "-" else "+")
            blocks += [Paragraph(f"only in {name}{more}:"), text]
    return blocks


def _cut_off(part: ComparedPart) -> str:
    return "; their texts are not kept whole, so it may be more" if part.is_cut else ""


def _steps(found: RunComparison) -> tuple[Block, ...]:
    groups = list(grouped(found.steps))
    if not groups:
        return (Paragraph("Neither run has a call on record."),)
    rows = tuple(_row(group) for group in groups[:_SHOWN_STEPS])
    left = len(groups) - len(rows)
    more: Line = (f"{left:,} more rows: ", Code(f"{_command(found)} --format json")) if left > 0 else ""
    return (Table(("step", "call in A", "call in B", "tool", "", "A", "B", "what differs"), rows, more),)


def _row(group: tuple[ComparedStep, ...]) -> tuple[Line, ...]:
    step, last = group[0], group[-1]
    word, tone = _VERDICTS[step.verdict]
    if len(group) > 1:
        numbers = tuple(f"{_number(step, side)}–{_number(last, side)}" for side in ("first", "second"))
        what = f"{len(group):,} calls: {tools_of(group)}"
        return (f"{step.number}–{last.number}", *numbers, what, (Mark(word, tone),), "", "", "")
    lines = differences(step)
    left = f"; and {len(lines) - _SHOWN_DIFFERENCES:,} more" if len(lines) > _SHOWN_DIFFERENCES else ""
    return (
        f"{step.number}",
        _number(step, "first"),
        _number(step, "second"),
        step.tool or UNTOLD,
        (Mark(word, tone),),
        became(step.first) if step.first is not None else "",
        became(step.second) if step.second is not None else "",
        ("; ".join(lines[:_SHOWN_DIFFERENCES]) + left, *_evidence(step)),
    )


def _evidence(step: ComparedStep) -> tuple[Inline, ...]:
    """The first record that each call of a step rests on, where the step is of interest."""
    if step.verdict == "same":
        return ()
    calls = [(name, call) for name, call in (("A", step.first), ("B", step.second)) if call is not None]
    told: list[Inline] = []
    for name, call in calls:
        for place in call.evidence[:1]:
            told += [f" {name}: ", Code(place)]
    return tuple(told)


def _number(step: ComparedStep, side: str) -> str:
    call = step.first if side == "first" else step.second
    return "–" if call is None else f"{call.number}"


def _effects(found: RunComparison) -> tuple[Part, ...]:
    if not found.effects:
        return ()
    rows = tuple((each.first or "none on record", each.second or "none on record") for each in found.effects)
    return (Part("Effects without a call, where they differ", (Table(("A", "B"), rows[:_SHOWN_STEPS]),)),)


def _further(found: RunComparison) -> Points:
    runs = (found.first, found.second)
    return Points(
        (
            *(
                (f"All of {name}, with the records of each call: ",
                 Code(f"aftertrace run {run.run_id} --format html --out {run.run_id}.html --as-of {run.as_of}"))
                for name, run in zip("AB", runs, strict=True)
            ),
            ("What had been changed before B: ", Code(f"aftertrace changes --run {found.second.run_id}")),
            ("This page for programs, with every call in full: ", Code(f"{_command(found)} --format json")),
            _READING,
        )
    )  # fmt: skip


def _command(found: RunComparison) -> str:
    return f"aftertrace compare {found.first.run_id} {found.second.run_id} --as-of {found.first.as_of}"
