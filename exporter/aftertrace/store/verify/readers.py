"""What stands in a Delta log for other readers: its checkpoints, and whatever may lead them elsewhere than our own.

aftertrace reads commits, and checkpoints through the Delta library, which passes over what it does not know. Another
engine may heed it: bounds in another form, rows that are marked as deleted, files that compact the log.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoints
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from aftertrace.store.commits import LAST_CHECKPOINT, Log
from aftertrace.store.errors import Corrupt

_OWN: Final = re.compile(rf"\d{{20}}\.json|\d{{20}}\.checkpoint\.parquet|{re.escape(LAST_CHECKPOINT)}|\..*")
"""Names in a log that the drain and the Delta library write here; drafts begin with a point."""
_CHECKPOINT: Final = ".checkpoint.parquet"
_OF_FILE: Final = frozenset({"path", "partitionValues", "size", "modificationTime", "dataChange", "stats"})
_OF_TABLE: Final = ("metaData", "protocol")
_HARMLESS: Final = frozenset({"add", "remove", "txn", *_OF_TABLE})
"""Actions of a checkpoint that are compared, or that hide no row."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, as a log names it."""

    partition: Mapping[str, Any]
    size_bytes: int
    statistics: Mapping[str, Any]
    further: frozenset[str]
    """What else is said of it, which aftertrace never does: rows that are marked as deleted, tags."""

    def leads_as(self, told: NamedFile) -> bool:
        """Whether readers find the rows by it that they find by what was told. A bound that is not there hides none."""
        if self.further or self.partition != told.partition or self.size_bytes != told.size_bytes:
            return False
        own = {name: value for name, value in self.statistics.items() if not isinstance(value, Mapping)}
        if own != {name: value for name, value in told.statistics.items() if not isinstance(value, Mapping)}:
            return False
        return all(
            name in told.statistics and value.items() <= told.statistics[name].items()
            for name, value in self.statistics.items()
            if isinstance(value, Mapping)
        )


@dataclass(slots=True)
class State:
    """What a log adds up to: the files of the table, and what is said of the table itself."""

    files: dict[str, NamedFile] = field(default_factory=dict)
    """By path."""
    about: dict[str, Any] = field(default_factory=dict)
    """`metaData` and `protocol`."""


def named_file(add: Mapping[str, Any]) -> NamedFile:
    """A file by its action `add`.

    Raises:
        LookupError, TypeError, ValueError: it is none, or without statistics.
    """
    statistics = json.loads(add["stats"])
    if not isinstance(statistics, dict):
        raise TypeError(add)
    further = frozenset(name for name, value in add.items() if value is not None) - _OF_FILE
    return NamedFile(dict(add["partitionValues"]), int(add["size"]), statistics, further)


def strangers(log: Log) -> list[str]:
    """Names in a log that aftertrace never writes, and that may lead others past rows."""
    return [each.name for each in log.objects.list_under(log.key) if not _OWN.fullmatch(each.name)]


def checkpoints(log: Log) -> list[int]:
    """The versions that a log has a checkpoint of."""
    names = [each.name for each in log.objects.list_under(log.key) if _OWN.fullmatch(each.name)]
    return sorted(int(name.removesuffix(_CHECKPOINT)) for name in names if name.endswith(_CHECKPOINT))


def checkpoint(log: Log, version: int) -> State:
    """What a checkpoint says.

    Raises:
        Corrupt: it is none, or says what aftertrace never does.
        OSError: it cannot be read.
    """
    content = log.objects.get(f"{log.key}/{version:020d}{_CHECKPOINT}")
    try:
        rows = pq.read_table(pa.BufferReader(content)).to_pylist()
        return _state(rows)
    except (pa.ArrowException, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError):
        raise Corrupt(
            f"read checkpoint {version} of {log.key}: not as it was made, expected files of a version"
        ) from None


def is_about(held: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether a checkpoint says of the table what its commits say; what it leaves empty is not said."""
    return _said(held) == _said(told)


def _said(about: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is said, with maps as maps: a checkpoint holds lists of pairs."""
    found: dict[str, dict[str, Any]] = {}
    for name, members in about.items():
        found[name] = {key: value for key, value in members.items() if value is not None}
        if "configuration" in found[name]:
            found[name]["configuration"] = dict(found[name]["configuration"])
        if "format" in found[name]:
            provider = found[name]["format"]
            found[name]["format"] = {**provider, "options": dict(provider.get("options") or ())}
        if "schemaString" in found[name]:
            found[name]["schemaString"] = json.loads(found[name]["schemaString"])
    return found


def _state(rows: Iterable[Mapping[str, Any]]) -> State:
    state = State()
    for row in rows:
        actions = {name: value for name, value in row.items() if value is not None}
        if not actions.keys() <= _HARMLESS:
            raise ValueError(actions)
        if "add" in actions:
            state.files[unquote(actions["add"]["path"])] = named_file(actions["add"])
        state.about |= {name: actions[name] for name in _OF_TABLE if name in actions}
    return state
