"""docs/LIVE.md: the last result of every live case. A run writes the rows of what ran and keeps the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "LIVE.md"
_HEAD: Final = """# Live tests

Real agents with a scripted model, exporting over OTLP into a real `aftertrace serve`. What `aftertrace calls` says of
every call is compared with what the script made happen: outcome, who decided, whether somebody was asked, how long the
answer took (within 10 %), the basis and the arguments; and the number of runs. What an emitter's telemetry cannot tell
is said, call by call, and not counted as right.

`make live` installs the agents, runs them and writes this page; `make live ARGS='pydantic-ai'` runs the cases whose
names begin so.

"""
_COLUMNS: Final = ("case", "version", "calls", "right", "in part", "remarks")
_ROW: Final = re.compile(r"^\| `([^`]+)` \| (.*) \| (\d*) \| (\d*) \| (\d*) \| (.*) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One case on the page."""

    name: str
    version: str
    calls: int | None
    """Calls of the truth; None: it was asked to run and could not, and never did."""
    right: int | None
    in_part: int | None
    remarks: str
    """What was wrong, what the telemetry cannot tell, or why it could not run."""


def read(text: str) -> dict[str, Row]:
    """The rows of a page, by case."""
    return {
        name: Row(name, version, *(int(number) if number else None for number in numbers), _plain(remarks))
        for name, version, *numbers, remarks in _ROW.findall(text)
    }


def text(rows: Mapping[str, Row]) -> str:
    """The page of these rows, in the order of their names."""
    ran = [row for row in rows.values() if row.calls is not None]
    calls, right, in_part = (sum(getattr(row, name) or 0 for row in ran) for name in ("calls", "right", "in_part"))
    total = (
        f"{len(ran)} cases ran with {calls} calls: {right} are told right, {in_part} as far as the telemetry tells. "
        f"{len(rows) - len(ran)} cases could not run.\n\n"
    )
    return _HEAD + total + "\n".join(_table(rows[name] for name in sorted(rows))) + "\n"


def write(path: Path, new: Iterable[Row], names: Iterable[str]) -> None:
    """Put the rows of a run onto the page; one that could not run keeps its last result, cases that are gone go."""
    old = read(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows = {**old, **{row.name: row for row in new if row.calls is not None or row.name not in old}}
    path.write_text(text({name: rows[name] for name in names if name in rows}), encoding="utf-8")


def _table(rows: Iterable[Row]) -> list[str]:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|---|---|---|---|---|"]
    for row in rows:
        numbers = ["" if number is None else str(number) for number in (row.calls, row.right, row.in_part)]
        lines.append(f"| `{row.name}` | {row.version} | {' | '.join(numbers)} | {_escaped(row.remarks)} |")
    return lines


def _escaped(remarks: str) -> str:
    return " ".join(remarks.split()).replace("|", "\\|")


def _plain(remarks: str) -> str:
    return remarks.replace("\\|", "|")
