"""Objects that a tool returns after it changed them: the kind in the name of the tool, the id in what came back.

`cancel_reservation` that returns `{"reservation_id": "K1NW8N", …}` cancelled that reservation. It is read from the name
and the result together, and only where the call was not about another one by its arguments.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

NAME: Final = "object_returned"
"""Of the rule, as in `effects.rule`."""
BRIEF: Final = (
    "A tool whose name begins with a verb that changes (`cancel_reservation`, `create_task`, `updateTaskStatus`) ran "
    "without an error and returns a JSON object with one id of that kind (`reservation_id`), which is the one in the "
    "arguments if they name one. It is read where no other rule reads anything, and is no race with another run: which "
    "system it is of is not told."
)
CHANGES: Final = (
    "approve|archive|assign|book|cancel|change|close|create|delete|edit|modify|refund|remove|rename|reopen|set|update"
)
"""The verbs, as a pattern."""
_ACT: Final = re.compile(rf"({CHANGES})_([a-z]+)(?:_|$)")
_ID: Final = re.compile(r'"([A-Za-z]{1,64}?)_?[iI]d": ?"?([\w-]{1,200})')
_FAILED: Final = re.compile(
    r'"(?:error|errors|exception)":(?! ?(?:null|false|""|\[\]))'
    r'|"(?:status|state|result)": ?"(?:error|failed|failure|rejected|denied|refused|invalid|forbidden)"'
    r'|"(?:success|ok)": ?false|"dry_?[rR]un": ?true',
    re.IGNORECASE,
)
_TOLD: Final = pl.Struct({"operation": pl.String, "object_type": pl.String, "object_id": pl.String})


def returned_objects(results: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The effects that results tell of so.

    Args:
        results: `call_key`, `pointer`, `tool_name`, `outcome`, `asked` (JSON of the arguments) and `json` of calls.
        schema: columns of what is told (`result_effects.SCHEMA`).
    """
    some = results.filter(
        pl.col("outcome").is_in(("executed", "modified"))
        & pl.col("tool_name").str.contains(rf"(?i)(?:^|__|[./:])(?:{CHANGES})(?:_|-|[A-Z])")
        & pl.col("json").str.contains(r"^\s*(?:\{|\[\{\"type\": ?\"text\")")
    )
    told = [_told(*row) for row in some.select("tool_name", "asked", "json").iter_rows()]
    rows = some.with_columns(pl.Series("told", told, dtype=_TOLD)).drop_nulls("told").unnest("told")
    known = rows.with_columns(rule=pl.lit(NAME))
    return known.select(
        (pl.col(name) if name in known.columns else pl.lit(None).alias(name)).cast(kind)
        for name, kind in schema.items()
    )


def _told(tool: str, asked: str | None, result: str) -> dict[str, str] | None:
    """What a tool did to which object, as its name and its result tell; None where they do not."""
    act = _ACT.match(_words(tool))
    if act is None or _FAILED.search(result):
        return None
    verb, kind = act.groups()
    ids = {value for name, value in _ID.findall(result) if name.lower() == kind}
    meant = {value for name, value in _ID.findall(asked or "") if name.lower() == kind}
    if len(ids) != 1 or (meant and meant != ids):
        return None
    return {"operation": verb, "object_type": kind, "object_id": ids.pop()}


def _words(tool: str) -> str:
    """The name of a tool in lower case with its words apart, without the server that has it."""
    own = re.split(r"__|[./:]", tool)[-1]
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", own).lower())
