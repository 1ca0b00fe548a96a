"""How wide a drafted rule is to be: about any call of its tool, or about those with some of its arguments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.drafting.draft import Drafted
from aftertrace.analyzer.drafting.history import History
from aftertrace.analyzer.drafting.trial import HITS, KINDS_OF_HITS, tried
from aftertrace.analyzer.expectations.argument_values import text_of, texts_at, values
from aftertrace.analyzer.expectations.patterns import fits, literal
from aftertrace.analyzer.expectations.rules import Argument, Rule
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES

HITS_AT_MOST: Final = 10_000
"""As many hits of a kind are held, where all are not asked for."""
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
    """Columns as in `control_trial.HITS`, by time: of each kind all, or the first."""
    counts: Mapping[str, int]
    """How many hits there are of each kind of `control_trial.KINDS_OF_HITS` that there is."""

    def count(self, kind: str | None = None) -> int:
        """How many hits are of a kind, or of any."""
        return sum(self.counts.values()) if kind is None else self.counts.get(kind, 0)


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was drafted, as wide as history speaks for, and the widths that were tried."""

    drafted: Drafted
    chosen: Width
    widths: tuple[Width, ...]
    """The chosen one among them, the widest first; one alone where no argument of the call could narrow it."""


def narrowed(drafted: Drafted, history: History, run_id: str, *, most: int | None = HITS_AT_MOST) -> Tried:
    """A drafted rule, narrowed by the arguments of its call as far as that spares calls which were fine.

    It keeps hitting what it was drafted from, and every call on which a control failed that it hits without them. Of
    widths that spare as many, the widest is chosen: nothing speaks for less.

    Args:
        drafted: the rule.
        history: what is on record.
        run_id: the run of the incident.
        most: as many hits of a kind are held; None: of the chosen width all.
    """
    widths = _widths(drafted, _rules(drafted, history), history, run_id, most or HITS_AT_MOST)
    widest = widths[0]
    kept = [each for each in widths if all(each.count(kind) == widest.count(kind) for kind in ("this", "odd"))]
    chosen = min(kept, key=lambda each: (each.count("fine"), len(each.rule.arguments)))
    if most is None and chosen.hits.height < chosen.count():
        (whole,) = _widths(drafted, [chosen.rule], history, run_id, None)
        widths, chosen = [whole if each is chosen else each for each in widths], whole
    return Tried(replace(drafted, rule=chosen.rule), chosen, tuple(widths))


def _widths(drafted: Drafted, rules: Sequence[Rule], history: History, run_id: str, most: int | None) -> list[Width]:
    """What rules would have done over history."""
    found = [Width(rule, 0, pl.DataFrame(schema=HITS), {}) for rule in rules]
    for calls, runs in history.shares():
        found = [_and(each, *tried(replace(drafted, rule=each.rule), calls, runs, run_id), most) for each in found]
    return found


def _and(width: Width, about: int, hits: pl.DataFrame, most: int | None) -> Width:
    """A width, and what it would have done over more of history."""
    by_time = pl.concat([width.hits, hits]).sort("first_ns", "run_id", "call_key", "verdict", maintain_order=True)
    held = by_time if most is None else by_time.filter(pl.int_range(pl.len()).over("hit") < most)
    counts = Counter(dict(width.counts))
    counts.update(dict(hits["hit"].value_counts().iter_rows()))
    return Width(width.rule, width.about + about, held, counts)


def _rules(drafted: Drafted, history: History) -> list[Rule]:
    """The rule as it is; about one argument each; about all of them."""
    found = () if drafted.call is None else _arguments(drafted.call, history)
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


def _arguments(call: Any, history: History) -> tuple[Argument, ...]:
    """What can be named of a call's arguments so that other calls may be meant as well, the most telling first."""
    is_same = (pl.col("tool_name") == call["tool_name"]) & pl.col("outcome").is_in(RAN_OUTCOMES)
    told = {
        path: (literal(text_of(value)), list(_patterns(path, value)))
        for path, value in values(call["executed_arguments"] or call["arguments"])
    }
    named = {path: patterns for path, (_, patterns) in told.items() if patterns}
    times, others = Counter[tuple[str, str]](), 0
    for calls in history.calls(is_same & (pl.col("call_key") != call["call_key"])):
        asked = calls.select(asked=pl.coalesce("executed_arguments", "arguments"))["asked"].drop_nulls()
        others += asked.len()
        times.update(_fitting(named, asked))
    ranked: list[tuple[int, Argument]] = []
    for path, (exact, patterns) in told.items():
        for pattern in patterns:
            alike = times[path, pattern]
            # What all calls have narrows nothing, and what one call alone has is that call.
            if alike < others and (alike or pattern != exact):
                ranked.append((alike, Argument(path, (pattern,))))
                break
    return tuple(argument for _, argument in sorted(ranked, key=lambda each: (each[0], each[1].path)))[:_MOST_ARGUMENTS]


def _fitting(named: Mapping[str, Sequence[str]], asked: pl.Series) -> Counter[tuple[str, str]]:
    """To how many of some arguments each pattern fits at its path: each text is decoded once."""
    counts: dict[str, Counter[str | None]] = {path: Counter() for path in named}
    for arguments, many in asked.value_counts().iter_rows() if named else ():
        for path, text in zip(named, texts_at(arguments, list(named)), strict=True):
            counts[path][text] += many
    found = Counter[tuple[str, str]]()
    for path, patterns in named.items():
        for text, many in counts[path].items():
            found.update({(path, pattern): many for pattern in patterns if fits(text, (pattern,))})
    return found


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
