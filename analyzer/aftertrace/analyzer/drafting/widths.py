"""How wide a drafted rule is to be: about any call of its tool, or about those with some of its arguments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.drafting.draft import Drafted
from aftertrace.analyzer.drafting.trial import KINDS_OF_HITS, tried
from aftertrace.analyzer.expectations.argument_values import text_of, texts_at, values
from aftertrace.analyzer.expectations.patterns import fits, literal
from aftertrace.analyzer.expectations.rules import Argument, Rule
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES

_MOST_ARGUMENTS: Final = 4
_EXACT_CHARACTERS: Final = 40
"""A longer text is of its call alone."""
_URL: Final = re.compile(r"\w+://[^/?#\s]+")
_ADDRESS: Final = re.compile(r"[^@\s/]+(@[\w.-]+\.\w+)")
_FOLDER: Final = re.compile(r"(?:[~.]{0,2}/)?[^\s/][^\s]*/|[~.]{0,2}/[^\s/]+/")
_COMMANDS: Final = ("command", "cmd", "script")


@dataclass(frozen=True, slots=True)
class Width:
    """A rule of some width, and what it would have done over history."""

    rule: Rule
    about: int
    """Calls that ran and that it is about for certain."""
    hits: pl.DataFrame
    """Columns as in `control_trial.HITS`."""

    def count(self, kind: str) -> int:
        """How many hits are of a kind of `control_trial.KINDS_OF_HITS`."""
        return self.hits.filter(pl.col("hit") == kind).height


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was drafted, as wide as history speaks for, and the widths that were tried."""

    drafted: Drafted
    chosen: Width
    widths: tuple[Width, ...]
    """The chosen one among them, the widest first; one alone where no argument of the call could narrow it."""


def narrowed(drafted: Drafted, calls: pl.DataFrame, runs: pl.DataFrame, run_id: str) -> Tried:
    """A drafted rule, narrowed by the arguments of its call as far as that spares calls which were fine.

    It keeps hitting what it was drafted from, and every call on which a control failed that it hits without them. Of
    widths that spare as many, the widest is chosen: nothing speaks for less.

    Args:
        drafted: the rule.
        calls: all calls.
        runs: all runs.
        run_id: the run of the incident.
    """
    widths = [_width(drafted, rule, calls, runs, run_id) for rule in _rules(drafted, calls)]
    widest = widths[0]
    kept = [each for each in widths if all(each.count(kind) == widest.count(kind) for kind in ("this", "odd"))]
    chosen = min(kept, key=lambda each: (each.count("fine"), len(each.rule.arguments)))
    return Tried(replace(drafted, rule=chosen.rule), chosen, tuple(widths))


def _width(drafted: Drafted, rule: Rule, calls: pl.DataFrame, runs: pl.DataFrame, run_id: str) -> Width:
    about, hits = tried(replace(drafted, rule=rule), calls, runs, run_id)
    return Width(rule, about, hits)


def _rules(drafted: Drafted, calls: pl.DataFrame) -> list[Rule]:
    """The rule as it is; about one argument each; about all of them."""
    found = () if drafted.call is None else _arguments(drafted.call, calls)
    some = [(each,) for each in found] + ([found] if len(found) > 1 else [])
    return [drafted.rule, *(_about(drafted, each) for each in some)]


def _about(drafted: Drafted, arguments: tuple[Argument, ...]) -> Rule:
    rule = replace(drafted.rule, arguments=arguments)
    rule = replace(rule, name=f"{rule.name}, {', '.join(map(described, arguments))}")
    if rule.only_tools is None or drafted.call is None:
        return rule
    # Calls of other tools may hold the same arguments: it is about this one.
    return replace(rule, tools=(literal(drafted.call["tool_name"]),), only_tools=())


def described(argument: Argument) -> str:
    """An argument that a rule names: ``/to = *@example.com``."""
    return f"{argument.path} = {' or '.join(argument.patterns)}"


def _arguments(call: Any, calls: pl.DataFrame) -> tuple[Argument, ...]:
    """What can be named of a call's arguments so that other calls may be meant as well, the most telling first."""
    asked = pl.coalesce("executed_arguments", "arguments")
    same = calls.filter(pl.col("tool_name") == call["tool_name"], pl.col("outcome").is_in(RAN_OUTCOMES))
    others = same.filter(pl.col("call_key") != call["call_key"]).select(asked=asked).drop_nulls()
    told = {
        path: (literal(text_of(value)), list(_patterns(path, value)))
        for path, value in values(call["executed_arguments"] or call["arguments"])
    }
    counts = _counts([path for path, (_, patterns) in told.items() if patterns], others["asked"])
    ranked: list[tuple[int, Argument]] = []
    for path, (exact, patterns) in told.items():
        for pattern in patterns:
            alike = sum(many for text, many in counts[path].items() if fits(text, (pattern,)))
            # What all calls have narrows nothing, and what one call alone has is that call.
            if alike < others.height and (alike or pattern != exact):
                ranked.append((alike, Argument(path, (pattern,))))
                break
    return tuple(argument for _, argument in sorted(ranked, key=lambda each: (each[0], each[1].path)))[:_MOST_ARGUMENTS]


def _counts(paths: Sequence[str], asked: pl.Series) -> dict[str, Counter[str | None]]:
    """What stands at each path of some arguments, and how often: each text is decoded once."""
    counts: dict[str, Counter[str | None]] = {path: Counter() for path in paths}
    for arguments, many in asked.value_counts().iter_rows():
        for path, text in zip(paths, texts_at(arguments, paths), strict=True):
            counts[path][text] += many
    return counts


def _patterns(path: str, value: Any) -> Iterator[str]:
    """What may stand for a value: itself, and where it is an address, a file or a command, those like it."""
    text = text_of(value)
    if len(text) <= _EXACT_CHARACTERS:
        yield literal(text)
    if not isinstance(value, str):
        return
    words = text.split()
    if path.rsplit("/", 1)[-1].lower() in _COMMANDS and len(words) > 1:
        yield f"{literal(' '.join(words[:2]))}*"
    elif found := _URL.match(text):
        yield f"{literal(found.group())}*"
    elif found := _ADDRESS.fullmatch(text):
        yield f"*{literal(found.group(1))}"
    elif found := _FOLDER.match(text):
        yield f"{literal(text[: text.rindex('/') + 1])}*"


def kinds(width: Width) -> Sequence[tuple[str, int]]:
    """The kinds of its hits, with how many of each; without those of which it has none."""
    return [(kind, width.count(kind)) for kind in KINDS_OF_HITS if width.count(kind)]
