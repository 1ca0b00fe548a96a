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
    "A tool that is named by a verb that changes and what it changes (`cancel_reservation`, `create_task`; after "
    "`update`, `modify`, `edit`, `change` and `set` also by a part of it: `updateTaskStatus`) ran without an error and "
    "returns a JSON object with one id of that kind (`reservation_id`), which is the one in the arguments if they name "
    'one, and with nothing that says that it is not done (`error_code`, `"deleted": false`, `pending_approval`). It is '
    "read where no other rule reads anything, and is no race with another run: which system it is of is not told."
)
CHANGES: Final = (
    "approve|archive|assign|book|cancel|change|close|create|delete|edit|modify|refund|remove|rename|reopen|set|update"
)
"""The verbs, as a pattern."""
_ACT: Final = re.compile(rf"({CHANGES})_([a-z]+)((?:_[a-z0-9]+)*)")
_OF_PARTS: Final = ("change", "edit", "modify", "set", "update")
"""Verbs that change an object where they name a part of it; `delete_user_session` deletes no user."""
_ONLY_LOOKS: Final = {"check", "dry", "estimate", "preview", "quote"}
_ID: Final = re.compile(
    r'"([A-Za-z]{1,64}?)_?[iI]d":(?!\s*null\b)(?:\s?(?:"([^"\\\s]{1,200})"|(-?\d{1,40}))\s*(?=[,}\]]))?'
)
"""An id with its value, or without where it is not one word or number: such a one is not cut to what fits."""
_STATES: Final = r'"(?:status|state|result)": ?"'
_FAILED: Final = re.compile(
    r'"(?:error\w*|exception)":(?! ?(?:null|false|""|\[\]|\{\}|0\b))'
    rf"|{_STATES}(?:error|failed|failure|rejected|denied|refused|declined|invalid|forbidden|unauthori[sz]ed|not_?found)"
    r'"|"(?:http_?)?status(?:_?code)?": ?"?[45]\d\d\b'
    r'|"(?:success|ok|accepted|applied|changed|modified|updated)": ?"?false'
    r'|"(?:dry_?run|is_?error|preview|queued)": ?"?true',
    re.IGNORECASE,
)
_UNDONE: Final = {
    verb: re.compile(rf'"(?:is_?|was_?)?(?:{words})": ?"?false', re.IGNORECASE)
    for verb in CHANGES.split("|")
    for words in ["deleted|removed" if verb in {"delete", "remove"} else f"{verb}(?:d|l?ed)?"]
}
_WAITS: Final = re.compile(rf"{_STATES}(?:pending|awaiting|waiting|requires|needs)[_ -]\w", re.IGNORECASE)
_NOT_YET: Final = re.compile(
    rf'{_STATES}(?:pending|awaiting|queued|requested|scheduled|submitted|processing|in_?progress)"', re.IGNORECASE
)
_ENDS: Final = ("approve", "archive", "cancel", "close", "delete", "refund", "remove")
"""Verbs after which an object that is `pending` is as it was; one that was made or changed may well be."""
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
    act = _ACT.fullmatch(_words(tool))
    if act is None:
        return None
    verb, kind, rest = act.groups()
    parts = set(rest.split("_")) - {""}
    if (parts and verb not in _OF_PARTS) or parts & _ONLY_LOOKS or _is_undone(verb, result):
        return None
    ids = _ids(result)
    if len(ids.get(kind, ())) != 1 or parts & ids.keys():
        return None
    if _ids(asked or "").get(kind, ids[kind]) != ids[kind]:
        return None
    (value,) = ids[kind]
    return {"operation": verb, "object_type": kind, "object_id": value} if value else None


def _is_undone(verb: str, result: str) -> bool:
    """Whether a result says that nothing was done, or not yet."""
    return (
        _FAILED.search(result) is not None
        or _UNDONE[verb].search(result) is not None
        or (verb != "create" and _WAITS.search(result) is not None)
        or (verb in _ENDS and _NOT_YET.search(result) is not None)
    )


def _ids(text: str) -> dict[str, set[str]]:
    """The ids that a JSON text names by their kind; an empty one is for what cannot be read."""
    found: dict[str, set[str]] = {}
    for name, quoted, number in _ID.findall(text):
        found.setdefault(name.lower(), set()).add(quoted or number)
    return found


def _words(tool: str) -> str:
    """The name of a tool in lower case with its words apart, without the server that has it."""
    own = re.split(r"__|[./:]", tool)[-1]
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", own).lower())
