"""SQL over the documented tables, and over nothing else: no file functions, no other tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

from aftertrace.store.errors import Invalid

_UNCODED: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Texts, quoted names and comments: whichever begins first holds the others."""
_FILE_FUNCTION: Final = re.compile(r"""\b((?:read|scan)_\w+)["`\]]?\s*(?=\(|--|/\*|\#)""", re.IGNORECASE)
"""Looked for in the whole text, also inside quotes and comments: where those end is for the parser to say, and a query
that reads a file must not depend on our agreeing with it. The name alone, as in `tool_name = 'read_csv'`, is none."""
_STATEMENT: Final = re.compile(r"\s*(select|with|show|describe|explain|from)\b", re.IGNORECASE)


def words(text: str) -> set[str]:
    """The words of a statement: every table that it reads is among them."""
    return set(re.findall(r"\w+", text))


def query(tables: Mapping[str, pl.LazyFrame], text: str) -> pl.DataFrame:
    """Run one reading statement over `tables`.

    Raises:
        Invalid: it is no reading statement, names a file function or an unknown table or column, or does not parse.
    """
    function = _FILE_FUNCTION.search(text)
    if function is not None:
        raise Invalid(
            f"sql: {function[1]!r} reads files, expected tables only; the tables are {', '.join(sorted(tables))}"
        )
    bare = _UNCODED.sub(" ", text)
    if not _STATEMENT.match(bare) or ";" in bare.rstrip().removesuffix(";"):
        raise Invalid(
            "sql: expected one statement that reads (SELECT, WITH, SHOW, EXPLAIN); nothing here can be written"
        )
    context = pl.SQLContext(dict(tables), register_globals=False)
    try:
        return context.execute(text, eager=True)
    except UnicodeEncodeError as error:
        raise Invalid("sql: the query holds bytes that are no text, expected UTF-8") from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise Invalid(f"sql: {reason}; the tables are {', '.join(sorted(tables))}") from error
