"""Rows as CSV, the same wherever they are written: at a terminal, in a packet, from a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aftertrace.dashboards import hostile

if TYPE_CHECKING:
    import polars as pl


def csv_lines(frame: pl.DataFrame) -> Iterator[str]:
    """A header and one line per row, quoted as in RFC 4180; text is visible and never a formula: see `hostile.cell`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="")
    for values in (frame.columns, *frame.iter_rows()):
        writer.writerow([_value(value) for value in values])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def text_of(value: object) -> str:
    """A value as people read it: lists and the like as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, dict)):
        return json.dumps(value, default=shown, ensure_ascii=False)
    return str(value)


def shown(value: object) -> str:
    """A value that JSON has no kind for, as text."""
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _value(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return hostile.cell(text_of(value))
