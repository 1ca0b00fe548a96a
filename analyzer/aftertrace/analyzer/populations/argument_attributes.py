"""What of the arguments of calls may tell some calls from others: values, how they begin, where they lead, how large.

Values count among the calls of their tool alone: what one tool is asked for and another is not is told by the tool. A
value that calls of several tools have is a target, and counts among all calls whose arguments are told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from math import floor, log10
from typing import Final

import polars as pl

from aftertrace.analyzer.finding.narrowing import HOLDERS
from aftertrace.analyzer.populations.leaves import Scalar, leaves
from aftertrace.analyzer.populations.targets import LEAST_CHARACTERS, MOST_CHARACTERS
from aftertrace.analyzer.statistics.lift_sums import KEY, KEYS, KNOWN, TOLD, Sums, Telling

ARGUMENT_ATTRIBUTES: Final = {
    "argument": "value of an argument, of at most 200 characters",
    "argument_given": "argument that is there, where others of the tool leave it out",
    "argument_begins": "first word of an argument of several, such as a command",
    "argument_host": "host of an address, or domain of a mail address, in an argument",
    "argument_size": "order of magnitude of a number",
    "target": "value in the arguments of several tools",
    "namespace": "namespace, database, table or collection that arguments name, by their name or in SQL",
}
"""Attributes that arguments tell."""
CALLS_AT_MOST: Final = 200_000
"""Different arguments that are taken apart; of more, some are drawn, by digests of them."""
ALL_DIGESTS: Final = 2**64 - 1
_LEAVES_AT_MOST: Final = 32
_HOST: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}://(?:[^\s/@]{1,100}@)?|[\w.+-]{1,64}@)([\w.-]{1,200})", re.IGNORECASE
)
_SQL: Final = re.compile(
    r"\b(?:from|into|update|join|table|truncate)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)*"
    r"""["`\[]?([A-Za-z_][\w$]{0,100}(?:["`\]]?\.["`\[]?[A-Za-z_][\w$]{0,100}){0,2})""",
    re.IGNORECASE,
)
_SQL_STARTS: Final = re.compile(
    r"\s*(?:select|insert|update|delete|drop|alter|create|truncate|merge|with)\s", re.IGNORECASE
)
_LARGEST: Final = 10**15
"""Larger numbers are ids."""
_ALL: Final = "arguments"
"""Scope of what counts among all calls whose arguments are told."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of calls, taken apart: each that differs once."""

    calls: pl.DataFrame
    """`row` and `tool_name` of each call whose arguments are told, and `of`, which arguments these are."""
    found: pl.DataFrame
    """What some arguments tell: `of`, and the columns of `lifts.KEY`."""
    left_out: int
    """How many calls there are whose arguments are not looked at, since too many differ."""

    def target_tools(self) -> pl.DataFrame:
        """`value` and `tool` of each target: what has the same value in calls of several tools counts alone."""
        tools = self.calls.select("of", tool="tool_name").unique("of")
        return self.found.filter(pl.col("attribute") == "target").join(tools, on="of").select("value", "tool").unique()

    def tellings(self, left_out: Collection[str] = ()) -> Iterator[Telling]:
        """What they tell, one attribute after the other, but for those that are left out."""
        for attribute in ARGUMENT_ATTRIBUTES:
            if attribute in left_out:
                continue
            mine = self.found.filter(pl.col("attribute") == attribute)
            is_of_tools = attribute.startswith("argument")
            mark = f"{_ALL}\x1f"
            keys = mine.select(KEY).unique().with_row_index("key")
            scope = pl.concat_str(pl.lit(mark), "within") if is_of_tools else pl.lit(_ALL)
            of_call = pl.concat_str(pl.lit(mark), "tool_name") if is_of_tools else pl.lit(_ALL)
            told = mine.join(keys, on=KEY, nulls_equal=True).select("of", "key")
            yield Telling(
                self.calls.select("row", "of").join(told, on="of").select(TOLD.names()).cast(TOLD),
                keys.with_columns(scope=scope).select(KEYS.names()).cast(KEYS),
                self.calls.select("row", scope=of_call).cast(KNOWN),
            )


def digests(calls: pl.DataFrame) -> pl.Series:
    """Digests of the arguments of some calls."""
    return calls.drop_nulls("arguments").select(_digest().alias("digest"))["digest"]


def drawn(digests: Iterable[pl.Series]) -> pl.Series:
    """The smallest of some digests, as many as are taken apart."""
    return pl.concat(digests).unique().sort().head(CALLS_AT_MOST)


def last_of(drawn: pl.Series) -> int:
    """Up to which digest arguments are taken apart: the last of those that are drawn, if there may be more."""
    return ALL_DIGESTS if drawn.len() < CALLS_AT_MOST else int(drawn[-1])


def _digest() -> pl.Expr:
    return pl.concat_str(pl.col("tool_name").fill_null(""), pl.col("arguments"), separator="\x1f").hash()


def arguments_of(calls: pl.DataFrame, upto: int = ALL_DIGESTS) -> Arguments:
    """The arguments of some calls, taken apart.

    Args:
        calls: `row`, `tool_name` and `arguments`.
        upto: those are with no larger digest.
    """
    some = calls.drop_nulls("arguments").with_columns(pl.col("tool_name").fill_null(""))
    drawn = some.filter(_digest() <= pl.lit(upto, dtype=pl.UInt64))
    each = drawn.select("tool_name", "arguments").unique(maintain_order=True).with_row_index("of")
    rows = [
        (of, attribute, None if path is None else tool, path, value)
        for of, tool, arguments in each.select("of", "tool_name", "arguments").iter_rows()
        for attribute, path, value in dict.fromkeys(_attributes(arguments))
    ]
    found = pl.DataFrame(rows, schema={"of": pl.UInt32, **dict.fromkeys(KEY, pl.String)}, orient="row")
    numbered = some.join(each, on=["tool_name", "arguments"]).select("row", "of", "tool_name")
    return Arguments(numbered, found, some.height - numbered.height)


def of_several_tools(sums: Sums, target_tools: pl.DataFrame) -> Sums:
    """Without targets of one tool alone: their arguments tell them."""
    several = target_tools.group_by("value").agg(pl.col("tool").n_unique()).filter(pl.col("tool") > 1)
    is_target = pl.col("attribute") == "target"
    return replace(
        sums,
        values=pl.concat(
            [sums.values.filter(~is_target), sums.values.filter(is_target).join(several, on="value", how="semi")]
        ),
    )


def _attributes(arguments: str) -> Iterator[tuple[str, str | None, str]]:
    """Attribute, path and value of everything that some arguments tell."""
    for at, (path, value) in enumerate(leaves(arguments)):
        if at >= _LEAVES_AT_MOST:
            return
        yield "argument_given", path, "given"
        written = json.dumps(value, ensure_ascii=False)
        if len(written) <= MOST_CHARACTERS:
            yield "argument", path, written
        if isinstance(value, str):
            yield from _of_text(path, value)
        else:
            yield from _of_number(path, value)


def _of_text(path: str, value: str) -> Iterator[tuple[str, str | None, str]]:
    first, _, rest = value[:MOST_CHARACTERS].strip().partition(" ")
    if rest:
        yield "argument_begins", path, first
    if host := _HOST.search(value[:MOST_CHARACTERS]):
        yield "argument_host", path, host[1].lower()
    if LEAST_CHARACTERS <= len(value) <= MOST_CHARACTERS:
        yield "target", None, value
    if path.rpartition(".")[2].removesuffix("[]") in HOLDERS and len(value) <= MOST_CHARACTERS:
        yield "namespace", None, value
    elif _SQL_STARTS.match(value):
        for named in _SQL.finditer(value[: 10 * MOST_CHARACTERS]):
            yield "namespace", None, re.sub(r'["`\[\]]', "", named[1])


def _of_number(path: str, value: Scalar) -> Iterator[tuple[str, str | None, str]]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        return
    size = abs(value)
    if size < 1:
        yield "argument_size", path, "0" if size == 0 else "below 1"
        return
    power = floor(log10(size))
    sign = "-" if value < 0 else ""
    yield "argument_size", path, f"{sign}{10**power:,} to {sign}{10 ** (power + 1):,}"
