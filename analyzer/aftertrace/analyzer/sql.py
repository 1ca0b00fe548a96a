"""SQL over the documented tables, and over nothing else: no file functions, no other tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

from aftertrace.store.errors import Invalid

_LITERALS: Final = re.compile(r"'(?:[^']|'')*'")
_COMMENTS: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_FILE_FUNCTION: Final = re.compile(r"\b(read_\w+|scan_\w+)\b", re.IGNORECASE)
_STATEMENT: Final = re.compile(r"\s*(select|with|show|describe|explain|from)\b", re.IGNORECASE)


def query(tables: Mapping[str, pl.LazyFrame], text: str) -> pl.DataFrame:
    """Run one reading statement over `tables`.

    Raises:
        Invalid: it is no reading statement, names a file function or an unknown table or column, or does not parse.
    """
    bare = _COMMENTS.sub(" ", _LITERALS.sub("''", text))
    function = _FILE_FUNCTION.search(bare)
    if function is not None:
        raise Invalid(
            f"sql: {function[1]!r} reads files, expected tables only; the tables are {', '.join(sorted(tables))}"
        )
    if not _STATEMENT.match(bare) or ";" in bare.rstrip().removesuffix(";"):
        raise Invalid(
            "sql: expected one statement that reads (SELECT, WITH, SHOW, EXPLAIN); nothing here can be written"
        )
    context = pl.SQLContext(dict(tables), register_globals=False)
    try:
        return context.execute(text, eager=True)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise Invalid(f"sql: {reason}; the tables are {', '.join(sorted(tables))}") from error
