"""Leaves: the same bytes as the plain formula gives, for any row, and every field of it in them."""

from __future__ import annotations

import struct
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.store.ledger.leaves import CONTENT, leaves_of
from aftertrace.store.schema import TABLES

TABLE_NAMES = ("evidence", "spans", "events")
TEXT = st.text(max_size=6)
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): TEXT,
    pa.binary(): st.binary(max_size=6),
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.date32(): st.integers(0, 40_000).map(lambda days: date(1970, 1, 1) + timedelta(days=days)),
}


def fields(row: dict[str, Any], names: set[str]) -> bytes:
    """As `exporter/FORMAT.md` has it."""
    written = b""
    for name in sorted(names):
        value = row[name]
        if value is None:
            continue
        if isinstance(value, date):
            value = (value - date(1970, 1, 1)).days
        if isinstance(value, int):
            value = struct.pack("<q", value)
        elif isinstance(value, float):
            value = struct.pack("<d", value)
        elif isinstance(value, str):
            value = value.encode()
        written += name.encode() + b"\x00" + struct.pack("<I", len(value)) + value
    return written


def leaf(table: str, row: dict[str, Any], salt: bytes) -> bytes:
    """The same for a whole row."""
    name = table.encode() + b"\n"
    place = struct.pack("<QQ", row["index"], row.get("ordinal", 0))
    own = sha256(b"aftertrace/salt/v1\n" + salt + name + place).digest()
    others = row.keys() - CONTENT[table] - {"salt"}
    content = sha256(b"aftertrace/content/v1\n" + name + own + fields(row, set(CONTENT[table]))).digest()
    return sha256(b"\x00aftertrace/row/v1\n" + name + content + fields(row, set(others))).digest()


@st.composite
def rows_of(draw: st.DrawFn, table: str) -> list[dict[str, Any]]:
    """Some rows, with nulls wherever they may be."""
    schema = TABLES[table].schema
    # A column is null everywhere, somewhere or nowhere: each is written out in another way.
    sparse = {field.name: draw(st.sampled_from(("null", "some", "all"))) for field in schema}
    made = []
    for _ in range(draw(st.integers(0, 4))):
        row: dict[str, Any] = {}
        for field in schema:
            value = VALUES[field.type]
            kind = sparse[field.name]
            row[field.name] = draw({"null": st.none(), "some": st.none() | value, "all": value}[kind])
        row["index"] = draw(st.integers(0, 2**31 - 1))
        if "ordinal" in row:
            row["ordinal"] = draw(st.integers(0, 2**31 - 1))
        made.append(row)
    return made


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_leaves_are_those_of_the_formula(table: str) -> None:
    """Whatever Arrow's kernels do with nulls, slices and numbers, also in parts of a table."""

    @given(rows_of(table), st.binary(min_size=16, max_size=16), st.integers(0, 3))
    def check(rows: list[dict[str, Any]], salt: bytes, start: int) -> None:
        made = pa.Table.from_pylist(rows, TABLES[table].schema).slice(start)
        rows = rows[start:]
        assert list(leaves_of(table, made, [salt] * len(rows))) == [leaf(table, row, salt) for row in rows]

    check()


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_every_field_and_the_salt_are_in_a_leaf(table: str) -> None:
    """Another value in any column, or null, is another leaf; only the salt's own column is not, which is in it."""
    schema = TABLES[table].schema
    some: dict[pa.DataType, Any] = {
        pa.string(): "a",
        pa.binary(): b"a",
        pa.float64(): 1.5,
        pa.date32(): date(2026, 1, 1),
    }
    row = {field.name: some.get(field.type, 1) for field in schema}
    other = {pa.string(): "b", pa.binary(): b"b", pa.float64(): 2.5, pa.date32(): date(2026, 1, 2)}

    def leaf_of(changed: dict[str, Any], salt: bytes = b"s" * 16) -> bytes:
        (made,) = leaves_of(table, pa.Table.from_pylist([row | changed], schema), [salt])
        return made

    seen = {leaf_of({}), leaf_of({}, b"t" * 16)}
    for field in schema:
        if field.name == "salt":
            continue
        seen.add(leaf_of({field.name: other.get(field.type, 2)}))
        if field.name not in ("index", "ordinal"):
            seen.add(leaf_of({field.name: None}))
    columns = len(schema) - (table == "evidence")
    assert len(seen) == 2 + 2 * columns - (2 if table == "events" else 1)
    assert leaf_of({"salt": b"x"} if table == "evidence" else {}) == leaf_of({})


def test_a_column_that_comes_to_be_changes_no_leaf() -> None:
    """Rows that were stored before it have null there."""
    schema = TABLES["spans"].schema
    row = pa.Table.from_pylist([{"index": 1, "name": "a"}], schema)
    wider = row.append_column("younger", pa.nulls(1, pa.string()))
    assert list(leaves_of("spans", wider, [b""])) == list(leaves_of("spans", row, [b""]))
