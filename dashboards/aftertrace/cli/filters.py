"""The filter options that commands share, and the times people write."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from aftertrace.cli import settings

if TYPE_CHECKING:
    from pathlib import Path

    from aftertrace.analyzer import Analysis, Filter
    from aftertrace.analyzer.inventory.declared import Inventory

_Function = TypeVar("_Function", bound=Callable[..., Any])

NARROWING: Final = ("principal", "model", "state", "customer", "risk", "target", "namespace", "policy")
"""Filters that no column of a table answers."""
_AGO: Final = re.compile(r"(\d{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_OPTIONS: Final = {
    "agent": ("NAME", "Only this agent."),
    "tool": ("NAME", "Only this tool; of runs, those that named it."),
    "outcome": (
        "OUTCOME",
        (
            "Only this outcome: executed, failed, denied, modified, expired, cancelled, unresolved, "
            "rejected_by_model, unknown_tool, invalid_arguments or pending."
        ),
    ),
    "decided_by": (
        "WHO",
        "Only what was decided by model, policy, guardrail, hook, human, program, human_or_program, target or timeout.",
    ),
    "reviewer": ("NAME", "Only what this reviewer decided, as the sender names them."),
    "principal": ("NAME", "Only what was done for this user or principal, as the sender names them."),
    "model": ("NAME", "Only what this model was asked for; of runs, those that asked it."),
    "state": ("STATE", "Only of runs in this state: open, waiting, completed, failed or abandoned."),
    "customer": (
        "NAME",
        "Only runs of which an attribute called customer, customer.id or the like, also of a resource, says this.",
    ),
    "risk": (
        "CLASS",
        "Only calls of tools of this risk class: read, write, destructive, external, money or permission.",
    ),
    "target": ("TEXT", "Only calls with this in their arguments, or as the object of an effect; as TEXT of `find`."),
    "namespace": (
        "NAME",
        "Only calls on this namespace, database, table or collection: by SQL, arguments, receipts or db attributes.",
    ),
    "policy": ("ID", "Only calls on which this policy gave a verdict; of runs, those that asked it or began under it."),
    "tenant": ("NAME", "Only this tenant."),
    "environment": ("NAME", "Only this deployment environment."),
    "run": (
        "ID",
        "Only this run: an id or its beginning, the sender's id, a trace id, or a conversation with one run; `last`.",
    ),
}


class Word(click.ParamType[str]):
    """One of the words that the analyzer knows."""

    name = "word"

    def __init__(self, known: Callable[[], Sequence[str]]) -> None:
        """`known` is asked when there is a word to check: the analyzer brings Polars, which help does without."""
        self._known = known

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word; click says which are known where it is none of them."""
        return click.Choice(self._known()).convert(value, param, ctx)


class Instant(click.ParamType[int]):
    """A point in time: ISO 8601, taken as UTC without an offset, how long ago (`30d`, `12h`, `15m`, `90s`, `2w`), or
    `now`.
    """

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Nanoseconds since the Unix epoch."""
        if isinstance(value, int):
            return value
        try:
            return instant_ns(value, now_ns=time.time_ns())
        except (ValueError, OverflowError):
            expected = "2026-11-21, 2026-11-21T09:30:00+01:00, 30d, 12h or 15m"
            self.fail(f"{value!r} is no time that a record can have; write {expected}", param, ctx)


def instant_ns(text: str, *, now_ns: int) -> int:
    """Nanoseconds since the Unix epoch of a time as people write it. Raises `ValueError`, also where no record can have
    that time.
    """
    if text == "now":
        return now_ns
    if ago := _AGO.fullmatch(text):
        length = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return _within(now_ns - length // timedelta(microseconds=1) * 1000)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    since_epoch = at - datetime(1970, 1, 1, tzinfo=UTC)
    return _within(since_epoch // timedelta(microseconds=1) * 1000)


def _within(time_ns: int) -> int:
    if abs(time_ns) >= 2**63:
        raise ValueError(f"{time_ns} ns: further from 1970 than a column holds")
    return time_ns


def _outcomes() -> Sequence[str]:
    from aftertrace.analyzer import OUTCOMES

    return OUTCOMES


def _deciders() -> Sequence[str]:
    from aftertrace.analyzer import DECIDERS

    return DECIDERS


def _risks() -> Sequence[str]:
    from aftertrace.analyzer.documents.severity import RISKS

    return tuple(RISKS)


def _states() -> Sequence[str]:
    from aftertrace.analyzer.records.record_words import STATES

    return tuple(STATES)


_CLAUSES: Final = tuple(name for name in _OPTIONS if name != "run")
_TIMES: Final = {"since": "since_ns", "until": "until_ns"}
_WORDS: Final = {
    "outcome": Word(_outcomes),
    "decided_by": Word(_deciders),
    "risk": Word(_risks),
    "state": Word(_states),
}


def filter_options(names: Iterable[str]) -> Callable[[_Function], _Function]:
    """Add the named filters; ``--since`` and ``--until`` where `time` is among the names, ``--as-of`` for `as_of`."""
    wanted = list(names)

    def add(command: _Function) -> _Function:
        if "as_of" in wanted:
            command = click.option(
                "--as-of",
                metavar="TIME",
                type=Instant(),
                help="Only by what had been received before then, and judged at that time.",
            )(command)
        if "time" in wanted:
            command = click.option("--until", metavar="TIME", type=Instant(), help="Only before then.")(command)
            command = click.option(
                "--since", metavar="TIME", type=Instant(), help="Only from then on: a date, or 30d, 12h, 15m ago."
            )(command)
        for name in reversed([name for name in wanted if name in _OPTIONS]):
            metavar, text = _OPTIONS[name]
            command = click.option(
                f"--{name.replace('_', '-')}", metavar=metavar, type=_WORDS.get(name, str), help=text
            )(command)
        return command

    return add


class Clause(click.ParamType[tuple[str, Any]]):
    """A filter in one word, such as `outcome=denied`: the name of an option, and what it takes."""

    name = "filter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """The field of a filter, and its value; click says which there are where it is none of them."""
        if isinstance(value, tuple):
            return value
        name, equals, said = value.partition("=")
        field = name.strip().replace("-", "_")
        if not equals or field not in (*_CLAUSES, *_TIMES):
            known = ", ".join(each.replace("_", "-") for each in (*_CLAUSES, *_TIMES))
            self.fail(f"{value!r} is no filter; write NAME=VALUE with one of {known}", param, ctx)
        if field in _TIMES:
            return _TIMES[field], Instant().convert(said, param, ctx)
        word = _WORDS.get(field)
        return field, said if word is None else word.convert(said, param, ctx)


def chosen(options: dict[str, Any]) -> Filter:
    """The filter that the options of `filter_options` ask for, but for the run: `opened` finds that first."""
    from aftertrace.analyzer import Filter

    since_ns, until_ns = options.get("since"), options.get("until")
    named = {name: options[name] for name in _OPTIONS if name != "run" and options.get(name) is not None}
    return Filter(**named, since_ns=since_ns, until_ns=until_ns)


def opened(data: Path, options: dict[str, Any], declared: Inventory | None = None) -> tuple[Analysis, Filter]:
    """What to ask, and for what: of one run, where the options name it, no more is read than that needs.

    The inventory that counts is `declared`, else the one that is configured.
    """
    as_of_ns = options.get("as_of")
    if (named := options.get("run")) is None:
        return settings.analysis(data, as_of_ns=as_of_ns, declared=declared), chosen(options)
    analysis, run_id = settings.analysis_of_run(data, named, as_of_ns=as_of_ns, declared=declared)
    return analysis, replace(chosen(options), run_id=run_id)
