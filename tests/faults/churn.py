"""What happens in a store beside storing: that kills hit it at work is seen by what it got done between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_TABLES: Final = ("evidence", "spans", "events")


@dataclass(slots=True)
class Churn:
    """Counts over looks at a data folder, best taken while nothing runs."""

    commits: int = 0
    """Commits of the tables with rows."""
    folds: int = 0
    """Those of them that replace small files by a large one."""
    checkpoints: int = 0
    segments: int = 0
    """WAL segments that were there at a look and gone at a later one: at least so many were removed, or became spares
    to be used again."""
    busy_looks: int = 0
    """Looks since each of which something was folded and a segment removed."""
    looks: int = 0
    _seen: set[Path] = field(default_factory=set, repr=False)
    _there: set[Path] = field(default_factory=set, repr=False)

    def look(self, data: Path) -> None:
        """Count what was done since the last look."""
        folds = segments = 0
        for path in (path for table in _TABLES for path in (data / "tables" / table / "_delta_log").glob("*")):
            if path in self._seen or path.name.startswith("_"):
                continue
            if path.suffix == ".json":
                self._seen.add(path)
                self.commits += 1
                folds += b'{"remove":' in path.read_bytes()
            elif ".checkpoint.parquet" in path.name:
                self._seen.add(path)
                self.checkpoints += 1
        there = set(data.glob("wal/*/*.wal"))
        segments = len(self._there - there)
        self._there = there
        self.folds += folds
        self.segments += segments
        self.looks += 1
        self.busy_looks += bool(folds and segments)

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.commits} commits, {self.folds} folds, {self.checkpoints} checkpoints, {self.segments} segments"
            f" removed or more; folds and removals between {self.busy_looks} of {self.looks} kills"
        )
