"""Which runs some keys lead to: an index says in which parts those that are kept are, and no other is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from aftertrace.analyzer.derived import kept
from aftertrace.analyzer.identity.connected import SOUGHT
from aftertrace.analyzer.identity.found import KEYS
from aftertrace.store import derived, key_file, key_index
from aftertrace.store.derived import Part, State
from aftertrace.store.key_index import Level
from aftertrace.store.layout import Layout

INDEX: Final = "leads"
"""Its name in a state."""
_RUN: Final = "run_id"
"""The kind of key that the id of a run is in it."""


@dataclass
class Leads:
    """The keys of runs, columns as in `touched.LEADS`: of open ones, and of those that are kept, as far as they are
    asked for.
    """

    layout: Layout
    state: State
    opened: pl.DataFrame
    """Those of open runs."""
    _read: dict[str, pl.DataFrame] = field(default_factory=dict)
    """By the name of a part."""

    def reached(self, keys: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """Some keys, and those of every run that they lead to, from run to run; and these runs.

        Args:
            keys: columns as in `SOUGHT`.

        Raises:
            Corrupt: a file of what is kept is damaged or missing.
        """
        runs, asked = self.opened.select("run_id").clear(), pl.DataFrame(schema=KEYS)
        while True:
            new = keys.select(KEYS.names()).unique().join(asked, on=KEYS.names(), how="anti")
            asked = pl.concat([asked, new])
            self._read_parts(self._may_have(new))
            known = pl.concat([self.opened, *self._read.values()])
            led = known.join(keys, on=SOUGHT.names(), how="semi", nulls_equal=True).select("run_id").unique()
            if led.height == runs.height:
                return keys, runs["run_id"]
            runs = led
            keys = pl.concat([keys, known.join(runs, on="run_id", how="semi").select(SOUGHT.names())]).unique()

    def of(self, run_ids: pl.Series) -> pl.DataFrame:
        """The keys of some runs.

        Raises:
            Corrupt: a file of what is kept is damaged or missing.
        """
        of_parts = [self._read[name] for name in self._with(run_ids)]
        return pl.concat([self.opened, *of_parts]).filter(pl.col("run_id").is_in(run_ids.implode()))

    def parts(self, run_ids: pl.Series) -> list[Part]:
        """The parts that hold any of some runs.

        Raises:
            Corrupt: a file of what is kept is damaged or missing.
        """
        names = {name for name in self._with(run_ids) if self._read[name]["run_id"].is_in(run_ids.implode()).any()}
        return [part for part in self.state.parts if _name(part) in names]

    def _with(self, run_ids: pl.Series) -> list[str]:
        """The names of parts that may hold any of some runs; they are read."""
        names = self._may_have(pl.DataFrame({"kind": _RUN, "key": run_ids}, schema=KEYS))
        self._read_parts(names)
        return names

    def _may_have(self, keys: pl.DataFrame) -> list[str]:
        """The names of parts that may have any of some keys, columns as in `KEYS`."""
        levels = self.state.indexes.get(INDEX, ())
        found = key_index.places(self.layout.derived_index, levels, key_file.numbers_of(keys))
        if found is None:
            raise derived.damaged(self.layout, "an index of it is missing or damaged")
        indexed = {name for level in levels for name in level.of}
        return [name for part in self.state.parts if (name := _name(part)) in found or name not in indexed]

    def _read_parts(self, names: Iterable[str]) -> None:
        parts = {_name(part): part for part in self.state.parts}
        new = [name for name in names if name not in self._read]
        scans = (kept.scan(self.layout, [parts[name]], "leads") for name in new)
        self._read.update(zip(new, kept.collected(self.layout, *scans), strict=True))


def extended(layout: Layout, levels: Iterable[Level], parts: Sequence[Part]) -> tuple[Level, ...]:
    """The index of some parts (`key_index.extended`).

    Args:
        layout: of the store.
        levels: of the index as it was.
        parts: that are to count.

    Raises:
        Corrupt: a file of what is kept is damaged or missing.
        OSError: the disk does not take it.
    """
    by_name = {_name(part): part for part in parts}
    return key_index.extended(layout.derived_index, levels, by_name, lambda name: _entries_of(layout, by_name[name]))


def differing(layout: Layout, state: State) -> list[Part]:
    """The parts of which the index of a state says otherwise than they do; errors as of `extended`."""
    by_name = {_name(part): part for part in state.parts}
    levels = state.indexes.get(INDEX, ())
    found = key_index.differing(layout.derived_index, levels, by_name, lambda name: _entries_of(layout, by_name[name]))
    return [by_name[name] for name in found]


def _entries_of(layout: Layout, part: Part) -> pl.Series:
    (leads,) = kept.collected(layout, kept.scan(layout, [part], "leads"))
    keys = pl.concat([leads.select(KEYS.names()), leads.select(kind=pl.lit(_RUN), key="run_id")]).unique()
    return pl.Series(key_file.numbers_of(keys), dtype=pl.UInt64) * (1 << 32)


def _name(part: Part) -> str:
    """What a part is called in the index: each has a file of these, and of its own."""
    return part.files["final"]
