"""What a run is called: the digest of the least of the keys that its records carry, each scoped by who sent it.

Which keys belong to one run is the analyzer's to say, and needs many records. What a run may be called can be said of
each row alone, so that rows are found by the id of their run (`lookup`).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

SEPARATOR: Final = "\x1f"
OWNER: Final = ("source", "service_name")
"""What ids are scoped by: sessions `s1` of two programs never meet."""
POINTER: Final = ("receiver", "seq", "index")
ID_CHARACTERS: Final = 16
NUMBER_CHARACTERS: Final = 8
"""So many hexadecimal digits of a run's id are its number in a lookup file: a range of them is a beginning of ids."""
_REMEMBERED: Final = 8_192
"""So many runs are asked for again soon: by the events of their spans, and by what comes next of them."""
_NAMING: Final = ("trace_id", "run_key", "conversation_id")
COLUMNS: Final = (*POINTER, *OWNER, *_NAMING, "turn_id")
"""What `names` reads of a row."""


@lru_cache(maxsize=_REMEMBERED)
def name_of(key: str) -> str:
    """The id of a run whose least key is this."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:ID_CHARACTERS]


def number_of(key: str) -> int:
    """What the id of a run whose least key is this begins with, `NUMBER_CHARACTERS` of it, as a number."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[: NUMBER_CHARACTERS // 2])


def joined(*parts: pl.Expr | str) -> pl.Expr:
    """A key from its parts; a text stands for a column. Null where any of them is."""
    import polars as pl

    return pl.concat_str(*parts, separator=SEPARATOR)


def owned(kind: str, *parts: pl.Expr | str) -> pl.Expr:
    """A key that counts for its source and service alone, from its kind and further parts."""
    import polars as pl

    return joined(pl.lit(kind), *(pl.col(name).fill_null("") for name in OWNER), *parts)


def thread_of(kind: str, ident: pl.Expr | str) -> pl.Expr:
    """What ids are scoped by where a row lies: in a `conversation`, else a `trace`, else in its `record` alone."""
    import polars as pl

    owner = [pl.col(name).fill_null("") for name in OWNER]
    return joined(*owner, pl.lit(kind), ident)


def trace_key(part: pl.Expr | str) -> pl.Expr:
    """The key of a trace, or of that part of it which lies in one of its conversations."""
    import polars as pl

    return joined(pl.lit("trace"), part)


def pointer() -> pl.Expr:
    """Where a row points to: `receiver/seq/index`."""
    import polars as pl

    return pl.concat_str([pl.col(name).cast(pl.String) for name in POINTER], separator="/")


def nodes(rows: pl.DataFrame) -> pl.LazyFrame:
    """The keys of rows by which the run of each may be called, alone or with others.

    Args:
        rows: rows of `spans` or `events`, with `COLUMNS` at least.

    Returns:
        `row` (position in `rows`), `of` (which of its keys it is), `node`.
    """
    import polars as pl

    is_threaded = pl.col("conversation_id").is_not_null()
    conversation, alone = thread_of("conversation", "conversation_id"), thread_of("record", pointer())
    thread = pl.when(is_threaded).then(conversation).otherwise(alone)
    part = joined("trace_id", pl.col("conversation_id").fill_null(""))
    untold = pl.when(pl.col("trace_id").is_null() & pl.col("run_key").is_null())
    keys = {
        "run": owned("run", "run_key"),
        "trace": trace_key("trace_id"),
        "part": trace_key(part),
        "thread": untold.then(joined(pl.lit("thread"), thread)),
        "turn": untold.then(joined(pl.lit("turn"), thread, "turn_id")),
    }
    told = rows.lazy().select(**keys).with_row_index("row")
    return told.unpivot(index="row", variable_name="of", value_name="node").drop_nulls("node")


def names(rows: pl.DataFrame, beginning: str = "") -> pl.DataFrame:
    """What the runs of some rows may be called, alone or with others.

    Args:
        rows: rows of `spans` or `events`, with `COLUMNS` at least.
        beginning: that of the ids that are asked for, in lower-case hexadecimal digits.

    Returns:
        `run_id`, and `kind` and `key` of the wire key that leads to the run.
    """
    import polars as pl

    # Rows of one run differ in where they point to, which names those alone that nothing else does.
    is_named = pl.any_horizontal(pl.col(name).is_not_null() for name in _NAMING)
    placeless = (pl.when(~is_named).then(name).alias(name) for name in POINTER)
    distinct = rows.select(*OWNER, *_NAMING, "turn_id", *placeless).unique()
    told = nodes(distinct).collect()
    ids = {node: name_of(node) for node in told["node"].unique().to_list()}
    called = [(node, run_id) for node, run_id in ids.items() if run_id.startswith(beginning)]
    is_run, is_trace = pl.col("of") == "run", pl.col("of").is_in(["trace", "part"])
    is_threaded = pl.col("conversation_id").is_not_null()
    place = pl.when(is_threaded).then(pl.lit("conversation")).otherwise(pl.lit("record"))
    return (
        told.join(pl.DataFrame(called, {"node": pl.String, "run_id": pl.String}, orient="row"), on="node", how="inner")
        .join(distinct.with_row_index("row"), on="row", how="inner")
        .select(
            "run_id",
            kind=pl.when(is_run).then(pl.lit("run")).when(is_trace).then(pl.lit("trace")).otherwise(place),
            key=pl.when(is_run)
            .then("run_key")
            .when(is_trace)
            .then("trace_id")
            .otherwise(pl.coalesce("conversation_id", pointer())),
        )
    )
