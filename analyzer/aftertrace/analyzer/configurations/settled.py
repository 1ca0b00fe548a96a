"""What runs told of an agent's configuration, made comparable: prompts as templates, models and tools without flicker.

An agent is looked at by itself, over all its runs in the order of time. Null stays null: not told.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Any, Final, TypeVar

import polars as pl

from aftertrace.analyzer.configurations.sightings import KEPT_CHARACTERS, ROLE
from aftertrace.analyzer.configurations.templates import FEW_RUNS, is_setting
from aftertrace.semconv.wording import Split, kind_of, split

PARTS: Final = ("agent_version", "model", "model_served", "prompt", "tools", "tool_schemas", "policy")
"""The parts of a configuration; each is a text that is equal exactly where nothing was changed."""
SCHEMA: Final = pl.Schema(
    [
        ("run_id", pl.String()),
        *((name, pl.String()) for name in ROLE),
        ("first_ns", pl.Int64()),
        *((name, pl.String()) for name in (*PARTS, "system_prompt_digest", "template")),
        *((name, pl.List(pl.String)) for name in ("set_apart", "tool_names")),
        ("settings", pl.List(pl.Int64)),
    ]
)
"""One row per run and agent, by agent and time: the parts, and what they stand for. `set_apart`: kinds of what differs
from run to run in its prompt; `whole`, where the text is not kept and its digest differs from run to run. `settings`:
which of the values in its whole prompt are not set apart, by position; null where not all of them are told."""
BEGINNING_CHARACTERS: Final = 1024
"""Of a prompt that is kept in part as much is compared, values left out: where it was cut depends on their length."""
_MANY: Final = 8
_MANY_MODELS: Final = 64
"""With more sets of models than this none is taken for a part of another."""
_STEADY_SHARE: Final = 0.9
_ANOTHER_SHARE: Final = 0.2
_GAP: Final = "\x00"
_Told = TypeVar("_Told")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt without what differs from run to run."""

    key: str
    text: str | None
    set_apart: tuple[str, ...]
    settings: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt as a run told it: what has to be equal, what is in it, and its text as far as it is kept."""

    wording: str
    values: tuple[str, ...]
    told: Split | None
    is_whole: bool = True
    """Whether these are all values in it."""


def settled(sightings: pl.DataFrame) -> pl.DataFrame:
    """One row per sighting, columns as in `SCHEMA`, by agent and time."""
    return pl.concat([SCHEMA.to_frame(), *map(_settled, sightings.partition_by(ROLE, maintain_order=True))])


def _settled(agent: pl.DataFrame) -> pl.DataFrame:
    told = {name: _shared(agent[name]) for name in _COMPARED}
    times = agent["first_ns"].fill_null(0).to_list()
    templates = _templates(_prompts(told), times)
    tools = steady(told["tool_names"])
    versions, policies = (_comparable(told[name]) for name in ("agent_version", "policy"))
    asked, served = (_comparable(models(told[name])) for name in ("model", "model_served"))
    made: dict[str, Sequence[Any]] = {
        "agent_version": versions,
        "policy": policies,
        "model": asked,
        "model_served": served,
        "prompt": [each and each.key for each in templates],
        "template": [each and each.text for each in templates],
        "set_apart": [each.set_apart if each else () for each in templates],
        "settings": [each and each.settings for each in templates],
        "system_prompt_digest": told["prompt_digest"],
        "tools": _each(tools, json.dumps),
        "tool_names": tools,
        "tool_schemas": _steady_digests(told["tools_digest"], times),
    }
    columns = (_column(name, values) for name, values in made.items())
    return agent.select("run_id", *ROLE, "first_ns").with_columns(columns).select(SCHEMA.names())


_COMPARED: Final = (
    *("agent_version", "policy", "prompt_text", "prompt_digest", "rest_digest", "rest_values", "tools_digest"),
    *("model", "model_served", "tool_names"),
)


def _shared(values: pl.Series) -> list[Any]:
    """The values, and each that differs once in memory: of months of runs most are alike."""
    column = pl.DataFrame({"value": values})
    different = column.unique(maintain_order=True)
    at = column.join(different.with_row_index("at"), on="value", how="left", nulls_equal=True, maintain_order="left")
    known = different["value"].to_list()
    return [known[place] for place in at["at"].to_list()]


def _each(told: Sequence[_Told | None], make: Callable[[_Told], _Made]) -> list[_Made | None]:
    """What is made of each value that is told, once of each object."""
    objects = _objects(told)
    made = {key: None if value is None else make(value) for key, value in objects.items()}
    return list(map(made.__getitem__, map(id, told)))


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    """A column of such values, each object of which is there once too."""
    objects = _objects(values)
    places = {key: place for place, key in enumerate(objects)}
    known = pl.Series(name, list(objects.values()), dtype=SCHEMA[name])
    return known.gather(list(map(places.__getitem__, map(id, values))))


def _objects(values: Sequence[_Told]) -> dict[int, _Told]:
    """By its identity each object that is among some."""
    return dict(zip(map(id, values), values, strict=True))


def models(told: Sequence[list[str] | None]) -> list[str | None]:
    """The models of each run as one text. A run of several is of the one that came last, where most runs have one; else
    a run that used fewer is of those that used more.
    """
    of_runs = _each(told, tuple)
    known = [each for each in of_runs if each]
    if 2 * sum(len(each) == 1 for each in known) >= len(known):
        came = {name: at for at, each in reversed(list(enumerate(known))) for name in each}
        return _each(of_runs, lambda each: max(each, key=lambda name: (came[name], name)) if each else None)
    often = Counter(known)

    def rank(models: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
        return len(models), often[models], models

    if len(often) > _MANY_MODELS:
        return _each(of_runs, lambda each: ", ".join(each) or None)
    most = {each: max((other for other in often if set(each) <= set(other)), key=rank) for each in often}
    return _each(of_runs, lambda each: ", ".join(most[each]) if each else None)


def steady(told: Sequence[Sequence[str] | None]) -> list[list[str] | None]:
    """The lists as they are; where they differ from run to run, what is in nearly all runs between its own."""
    of_runs = _each(told, tuple)
    known = [each for each in of_runs if each is not None]
    if not _flickers(known):
        return _each(of_runs, list)
    at: dict[str, list[int]] = {}
    for position, each in enumerate(known):
        for item in set(each):
            at.setdefault(item, []).append(position)
    kept = {
        item
        for item, found in at.items()
        if len(found) >= FEW_RUNS and len(found) >= _STEADY_SHARE * (found[-1] - found[0] + 1)
    }
    return _each(of_runs, lambda each: [item for item in each if item in kept])


def _flickers(told: Sequence[object]) -> bool:
    if len(set(told)) < _MANY:
        return False
    return median(len(list(block)) for _, block in groupby(told)) < FEW_RUNS


def _comparable(told: list[str | None]) -> list[str | None]:
    """The values; not told, where nearly every run has another one, such as the time of its build."""
    known = [value for value in told if value is not None]
    return [None] * len(told) if _flickers(known) and len(set(known)) > _ANOTHER_SHARE * len(known) else told


def _steady_digests(told: Sequence[str | None], times: Sequence[int]) -> list[str | None]:
    """The digests; not told, where they differ from run to run."""
    known = [(digest, time) for digest, time in zip(told, times, strict=True) if digest is not None]
    kept = is_setting([f"={digest}" for digest, _ in known], [time for _, time in known])
    return list(told) if kept else [None] * len(told)


def _prompts(told: dict[str, list[Any]]) -> list[_Prompt | None]:
    """The prompt of each run; that of a digest has a text where any run tells it."""
    rows = list(
        zip(*(told[name] for name in ("prompt_text", "prompt_digest", "rest_digest", "rest_values")), strict=True)
    )
    texts = {row[1]: row for row in reversed(rows) if row[0] is not None}
    splits: dict[str, Split] = {}
    known = {row: _prompt(*row, splits=splits) for row in dict.fromkeys(texts.get(row[1], row) for row in rows)}
    return [known[texts.get(row[1], row)] for row in rows]


def _templates(prompts: list[_Prompt | None], times: list[int]) -> list[Template | None]:
    if _flickers([prompt.wording for prompt in prompts if prompt is not None]):
        return _common(prompts)
    alike: dict[tuple[str, int], list[int]] = {}
    for at, prompt in enumerate(prompts):
        if prompt is not None:
            # By the number of values too: a gap may stand in a text as well.
            alike.setdefault((prompt.wording, len(prompt.values)), []).append(at)
    found: list[Template | None] = [None] * len(prompts)
    for family in alike.values():
        told = [prompt for at in family if (prompt := prompts[at]) is not None]
        when = [times[at] for at in family]
        columns = zip(*(prompt.values for prompt in told), strict=True)
        kept = frozenset(at for at, values in enumerate(columns) if is_setting(values, when))
        same: dict[tuple[str, ...], Template] = {}
        for at, prompt in zip(family, told, strict=True):
            settings = tuple(prompt.values[position] for position in kept)
            if settings not in same:
                same[settings] = _template(prompt, kept)
            found[at] = same[settings]
    texts_vary = any(each is not None and each.text is not None and each.set_apart for each in found)
    # Beside a text whose values differ from run to run, a digest alone says nothing.
    return [None if each is not None and each.text is None and texts_vary else each for each in found]


def _prompt(
    text: str | None, digest: str | None, rest_digest: str | None, rest_values: str | None, *, splits: dict[str, Split]
) -> _Prompt | None:
    if text is None:
        return None if digest is None else _Prompt("", (f"={digest}",), None)
    told = splits.get(text)
    if told is None:
        told = splits[text] = split(text)
    if len(text) < KEPT_CHARACTERS:
        return _Prompt(_GAP.join(told.words), told.values, told)
    values = _values(rest_values)
    if rest_digest is not None and values is not None:
        return _Prompt(rest_digest, values, told)
    wording = _GAP.join(told.words)[:BEGINNING_CHARACTERS]
    return _Prompt(wording, (*told.values[: wording.count(_GAP)], f"={digest}"), told, is_whole=False)


def _values(written: str | None) -> tuple[str, ...] | None:
    """The values of a long prompt; None where they are not told, or what is told is no list of texts."""
    try:
        told = json.loads(written or "null")
    except (ValueError, RecursionError):
        return None
    return tuple(told) if isinstance(told, list) and all(isinstance(each, str) for each in told) else None


def _template(prompt: _Prompt, kept: frozenset[int]) -> Template:
    values = [value if at in kept else None for at, value in enumerate(prompt.values)]
    key = hashlib.sha256(json.dumps([prompt.wording, values]).encode()).hexdigest()
    apart = sorted({kind_of(value) for at, value in enumerate(prompt.values) if at not in kept})
    text = None if prompt.told is None else prompt.told.rendered(kept)
    settings = tuple(sorted(kept)) if prompt.told is not None and prompt.is_whole else None
    return Template(key, text, tuple(apart), settings)


def _common(prompts: list[_Prompt | None]) -> list[Template | None]:
    """Where the wording itself differs from run to run, the lines that nearly all runs have in common."""
    lines = [
        None if prompt is None or prompt.told is None else prompt.told.rendered(frozenset()).splitlines()
        for prompt in prompts
    ]
    return [
        None
        if each is None
        else Template(hashlib.sha256("\n".join(each).encode()).hexdigest(), "\n".join(each), ("wording",))
        for each in steady(lines)
    ]
