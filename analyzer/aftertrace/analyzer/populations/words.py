"""How some calls or runs held against others are put into words, the same on a screen, in Markdown and in HTML."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from aftertrace.analyzer.documents.periods import instant
from aftertrace.analyzer.documents.row_links import can_be_typed
from aftertrace.analyzer.documents.words import count
from aftertrace.analyzer.reading.select import Filter, either
from aftertrace.analyzer.statistics.lift_sums import FEWEST_RUNS
from aftertrace.analyzer.statistics.lifts import RARE_BELOW, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aftertrace.analyzer.populations.comparison import PopulationComparison

_TIMES: Final = {"since_ns": "since", "until_ns": "until", "run_id": "run"}
MORE: Final = "More frequent among them"
RARE: Final = f"More frequent, and in fewer than {RARE_BELOW:.0%} of them"
LESS: Final = "Less frequent among them, of what is not listed above"
UNTESTED: Final = "What they have, untested"
_ALSO: Final = 4
_VALUE_CHARACTERS: Final = 100
READING: Final = (
    "Lift is the share of the chosen that have it over that of the others, among those that tell it; arguments count "
    "among the calls of their tool, versions among those of their agent. The interval is at 95 %; calls of one run "
    "hang together, so counts are divided by how much. q is how likely chance alone is, corrected for all that is "
    "tested here. First comes what tells the chosen from all others best, by the end of its interval that is nearer to "
    "1. What goes along with the chosen need not be the cause."
)


def headline(found: PopulationComparison) -> list[str]:
    """What is held against what, and what tells them apart best."""
    sides = [_side(found, is_chosen=is_chosen) for is_chosen in (True, False)]
    against = said(found.choice.others) if found.choice.others else "all others"
    within = said((found.choice.within,))
    both = f"; both with {within}" if within else ""
    lines = [f"{sides[0]} with {said(found.choice.chosen)}, against {sides[1]}: {against}{both}."]
    top = found.lifts.rows.filter(found.lifts.rows["verdict"] == "more").head(1)
    if top.height:
        row = top.row(0, named=True)
        lines.append(f"What tells them apart best: {value_of(row)}, {shares(row)}.")
    elif is_too_few(found):
        lines.append(
            f"Too few to test: at least {FEWEST_RUNS} runs are needed on both sides. `aftertrace compare RUN RUN` lays "
            "two side by side."
        )
    else:
        lines.append("Nothing that is told is known to be more frequent among the chosen.")
    return lines


def notes(found: PopulationComparison) -> list[str]:
    """What was not looked at, and why."""
    lines = []
    tested = found.lifts.rows.filter(found.lifts.rows["p"].is_not_null()).height
    shown = found.lifts.found.height
    lines.append(f"{count(tested, 'value')} tested, {shown:,} found; {count(found.lifts.left_out, 'value')} not, since "
                 f"fewer than {FEWEST_RUNS} calls or runs have each.")  # fmt: skip
    if found.left_out:
        lines.append(f"Left out, since it chooses or follows from what chooses: {_names(found.left_out)}.")
    if found.untold:
        lines.append(f"Not told by one side or both, so not known to differ: {_names(found.untold)}.")
    if found.both:
        lines.append(f"{count(found.both, found.choice.of[:-1])} in both: they count among the chosen alone.")
    if found.pending:
        noun = found.choice.of[:-1]
        lines.append(f"{count(found.pending, noun)} left out: nothing can be said yet of what becomes of them.")
    if found.arguments_left_out:
        lines.append(f"The arguments of {count(found.arguments_left_out, 'call')} are not looked at: too many differ.")
    return lines


def is_too_few(found: PopulationComparison) -> bool:
    """Whether one side has too few runs to test anything."""
    return min(found.size(is_chosen=is_chosen)[1] for is_chosen in (True, False)) < FEWEST_RUNS


def listed(found: PopulationComparison) -> list[tuple[str, list[dict[str, Any]]]]:
    """The findings in groups with their titles, each by rank. Of what is less frequent the mirror of what is more so is
    not listed.
    """
    rows = found.lifts.rows.rows(named=True)
    size = found.size(is_chosen=True)[0]
    more = [row for row in rows if row["verdict"] == "more"]
    told = {(row["attribute"], row["within"], row["argument"]) for row in more}
    groups = [
        (MORE, [row for row in more if row["chosen"] >= RARE_BELOW * size]),
        (RARE, [
            row for row in more if row["chosen"] < RARE_BELOW * size
        ]),
        (LESS, [
            row for row in rows
            if row["verdict"] == "less" and (row["attribute"], row["within"], row["argument"]) not in told
        ]),
    ]  # fmt: skip
    if is_too_few(found):
        groups.append((UNTESTED, [row for row in rows if row["chosen"]]))
    return [(title, listed) for title, listed in groups if listed]


def value_of(row: dict[str, Any]) -> str:
    """A value of an attribute, cut."""
    return _cut(name_of(row))


def also(row: dict[str, Any]) -> str:
    """What the very same rows have."""
    names = [_cut(name) for name in row["also"][:_ALSO]]
    more = len(row["also"]) - len(names)
    return "" if not names else f"the same rows: {'; '.join(names)}{f' and {more} more' if more else ''}"


def shares(row: dict[str, Any]) -> str:
    """How many of each side have it: ``8 of 9 against 2 of 120``."""
    return f"{row['chosen']:,} of {row['of_chosen']:,} against {row['others']:,} of {row['of_others']:,}"


def lift(row: dict[str, Any]) -> str:
    """How many times as frequent it is: ``4.6× (2.1 to 9.8)``, ``only there (5.2× or more)``."""
    if row["low"] is None:
        return "untested"
    if row["lift"] is None:
        return f"only there ({_times(row['low'])}× or more)"
    high = "any" if row["high"] is None else _times(row["high"])
    if row["chosen"] == 0:
        return f"never there ({high}× at most)"
    return f"{_times(row['lift'])}× ({_times(row['low'])} to {high})"


def q_of(row: dict[str, Any]) -> str:
    """How likely chance alone is, corrected."""
    if row["q"] is None:
        return ""
    return "below 0.001" if row["q"] < 0.001 else f"{row['q']:.3f}"


def command(found: PopulationComparison, *more: str) -> str | None:
    """The command that makes this comparison again; None where it cannot be typed."""
    choice = found.choice
    if not (_is_typed(choice.chosen) and _is_typed(choice.others)):
        return None
    clauses = [
        (option, clause)
        for option, filters in (("--where", choice.chosen), ("--against", choice.others))
        for clause in _clauses(filters)
    ]
    within = [clause.partition("=")[::2] for clause in _clauses((choice.within,))]
    options = [*clauses, *((f"--{name}", value) for name, value in within)]
    if not all(can_be_typed(value) for _, value in options):
        return None
    words = [word for option, value in options for word in (option, shlex.quote(value))]
    kinds = (["--of", "runs"] if choice.of == "runs" else []) + (["--count-untold"] if choice.count_untold else [])
    return " ".join(("aftertrace compare", *words, *kinds, "--as-of", instant(found.now_ns), *more))


def said(filters: Sequence[Filter], *, whole: bool = False) -> str:
    """What filters let through, as it is typed: ``outcome=denied or expired and tool=pay``; long values cut, if not
    asked for whole. What cannot be typed is told one by one: ``outcome=denied or (outcome=cancelled and tool=pay)``.
    """
    if not _is_typed(filters):
        each = (said((one,), whole=whole) for one in filters)
        return " or ".join(f"({one})" if " and " in one else one for one in each)
    values: dict[str, list[str]] = {}
    for clause in _clauses(filters):
        name, _, value = clause.partition("=")
        values.setdefault(name, []).append(value if whole else _cut(value))
    return " and ".join(f"{name}={' or '.join(each)}" for name, each in values.items())


def _is_typed(filters: Sequence[Filter]) -> bool:
    """Whether clauses say what filters do: each value of a field goes with each value of the others."""
    clauses = dict.fromkeys(
        (item.name, getattr(each, item.name))
        for item in fields(Filter)
        for each in filters
        if getattr(each, item.name) is not None
    )
    return len(filters) < 2 or set(either(list(clauses))) == set(filters)


def _clauses(filters: Sequence[Filter]) -> list[str]:
    found = dict.fromkeys(
        (item.name, getattr(each, item.name))
        for item in fields(Filter)
        for each in filters
        if getattr(each, item.name) is not None
    )
    return [
        f"{_TIMES.get(name, name).replace('_', '-')}={instant(value) if isinstance(value, int) else value}"
        for name, value in found
    ]


def _times(number: float) -> str:
    """A ratio, with as many digits as matter."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 1 else f"{number:.2g}"


def _side(found: PopulationComparison, *, is_chosen: bool) -> str:
    rows, runs = found.size(is_chosen=is_chosen)
    noun = found.choice.of[:-1]
    return count(rows, noun) if noun == "run" else f"{count(rows, noun)} of {count(runs, 'run')}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_CHARACTERS else f"{text[: _VALUE_CHARACTERS - 1]}…"
