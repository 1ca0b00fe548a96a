"""Rows on their way out: a table to read, or JSON lines, CSV, Parquet and Markdown for what comes next.

Every format holds the same rows in the same order. `table` and `markdown` are for people: main columns, times to the
second, waits in seconds, long texts cut. The others hold every column as it is.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from rich.cells import cell_len, set_cell_size

from aftertrace.dashboards import hostile
from aftertrace.dashboards.csv_lines import csv_lines, shown, text_of
from aftertrace.dashboards.plain import plain
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

Format: TypeAlias = Literal["table", "json", "csv", "parquet", "markdown"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_TEXT_CHARACTERS: Final = 60
"""Texts in the main columns are cut to this."""
_MOMENTS: Final = frozenset({"first_ns", "last_ns", "time_ns", "at_ns"})
"""Nanoseconds that are a point in time, not a length."""
_MIN_COLUMN_CELLS: Final = 6
"""No column of a table is made narrower than this to fit a terminal."""


def write(frame: pl.DataFrame, form: Format, *, shown: Sequence[str] = (), out: Path | None = None) -> None:
    """Write rows to `out`, or to standard output.

    Args:
        frame: the rows.
        form: how to write them.
        shown: the columns of `table` and `markdown`, in order; all of them if none are given.
        out: a file that is made anew, or None for standard output.

    Raises:
        Invalid: Parquet was asked for and standard output is a terminal.
    """
    if form == "parquet":
        _write_parquet(frame, out)
        return
    lines: Iterable[str]
    if form == "json":
        lines = json_lines(frame)
    elif form == "csv":
        lines = csv_lines(frame)
    elif form == "markdown":
        lines = markdown_lines(for_people(frame, shown))
    else:
        lines = table_lines(for_people(frame, shown), width=_terminal_width() if out is None else None)
    if out is None:
        for line in lines:
            sys.stdout.write(line + "\n")
    else:
        out.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def for_people(frame: pl.DataFrame, shown: Sequence[str]) -> pl.DataFrame:
    """The main columns as people read them: times to the second (UTC), nanoseconds as seconds, long texts cut."""
    import polars as pl

    columns = []
    for name in shown or frame.columns:
        kind, column = frame.schema[name], pl.col(name)
        if kind == pl.Datetime:
            columns.append(column.dt.strftime("%Y-%m-%d %H:%M:%S"))
        elif name in _MOMENTS:
            columns.append(pl.from_epoch(column, time_unit="ns").dt.strftime("%Y-%m-%d %H:%M:%S").alias("time"))
        elif name.endswith("_ns"):
            columns.append((column / 1e9).round(1).alias(f"{name.removesuffix('_ns')}_s"))
        elif kind == pl.String and shown:
            cut = pl.concat_str(column.str.slice(0, _TEXT_CHARACTERS - 1), pl.lit("…"))
            columns.append(pl.when(column.str.len_chars() > _TEXT_CHARACTERS).then(cut).otherwise(column).alias(name))
        else:
            columns.append(column)
    return frame.select(columns)


def json_lines(frame: pl.DataFrame) -> Iterable[str]:
    """One JSON object per row, in ASCII: a reader gets back the exact text, and no terminal is steered by it."""
    for row in frame.iter_rows(named=True):
        yield json.dumps(row, default=shown, ensure_ascii=True, separators=(", ", ": "))


def markdown_lines(frame: pl.DataFrame) -> Iterable[str]:
    """A table of GitHub-flavoured Markdown."""
    yield _markdown_row(frame.columns)
    yield "|" + "|".join("---" for _ in frame.columns) + "|"
    for row in frame.iter_rows():
        yield _markdown_row([text_of(value) for value in row])


def table_lines(frame: pl.DataFrame, *, width: int | None) -> list[str]:
    """Aligned columns under a header; cut to `width` terminal cells, or as wide as they need where that is None."""
    header = [plain(name) for name in frame.columns]
    right = [dtype.is_numeric() for dtype in frame.dtypes]
    rows = [[plain(text_of(value)) for value in row] for row in frame.iter_rows()]
    widths = [max(cell_len(row[at]) for row in (header, *rows)) for at in range(len(header))]
    if width is not None:
        widths = _fit(widths, width)
    return [
        "  ".join(
            _aligned(text, cells, right=numeric) for text, cells, numeric in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (header, *rows)
    ]


def _fit(widths: list[int], width: int) -> list[int]:
    """Take cells from the widest column until the row fits, or no column can give more."""
    fitted = list(widths)
    while fitted and sum(fitted) + 2 * (len(fitted) - 1) > width:
        widest = max(range(len(fitted)), key=fitted.__getitem__)
        if fitted[widest] <= _MIN_COLUMN_CELLS:
            break
        fitted[widest] -= 1
    return fitted


def _aligned(text: str, cells: int, *, right: bool) -> str:
    if cell_len(text) > cells:
        return set_cell_size(text, cells - 1) + "…"
    padding = " " * (cells - cell_len(text))
    return padding + text if right else text + padding


def _markdown_row(values: Sequence[str]) -> str:
    return "| " + " | ".join(hostile.markdown(value) for value in values) + " |"


def _terminal_width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _write_parquet(frame: pl.DataFrame, out: Path | None) -> None:
    if out is not None:
        frame.write_parquet(out)
        return
    if sys.stdout.isatty():
        raise Invalid("write parquet: standard output is a terminal, expected a file; give --out FILE or redirect")
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    sys.stdout.buffer.write(buffer.getvalue())
