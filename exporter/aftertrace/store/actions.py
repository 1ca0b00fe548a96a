"""What stands in a commit: actions of Delta's protocol, as lines of JSON. Pure; `store.commits` reads them.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

from aftertrace.store.commits import METADATA_KEY
from aftertrace.store.schema import PARTITION, SCHEMA_VERSION

if TYPE_CHECKING:
    from aftertrace.store.parquet import DataFile

Action: TypeAlias = dict[str, Any]

_READER_VERSION: Final = 1
_WRITER_VERSION: Final = 2
_KEEPS_COMMITS: Final = {"delta.enableExpiredLogCleanup": "false"}
"""Old commits hold the digests of the files."""
_UNESCAPED: Final = "/=-_."
"""Paths stand in a log as in a URL; these mean themselves there."""


def commit(
    operation: str,
    now_ms: int,
    actions: Iterable[Action],
    stored: Mapping[str, int],
    files: Iterable[DataFile],
    gone: Mapping[str, Any] | None = None,
) -> bytes:
    """The content of a commit.

    Args:
        operation: what it does, as `DESCRIBE HISTORY` of other engines shows it.
        now_ms: when.
        actions: what it does to the table.
        stored: up to which seq of each receiver the table holds everything as of it.
        files: those that it adds, for their digests.
        gone: what the table has no more, as `Commit` has it: `destroyed` or `erased`.
    """
    ours: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "files": {file.path: [file.digest, file.size_bytes] for file in files},
        "stored": dict(sorted(stored.items())),
    }
    ours |= gone or {}
    return lines(operation, now_ms, actions, ours)


def lines(operation: str, now_ms: int, actions: Iterable[Action], ours: Mapping[str, Any]) -> bytes:
    """The content of a commit of any table, with what we note in it for ourselves."""
    info = {
        "timestamp": now_ms,
        "operation": operation,
        "operationParameters": {},
        "engineInfo": "aftertrace",
        METADATA_KEY: ours,
    }
    return b"".join(json.dumps(action).encode() + b"\n" for action in ({"commitInfo": info}, *actions))


def protocol() -> Action:
    """What a reader and a writer of the table must know: no more than any does."""
    return {"protocol": {"minReaderVersion": _READER_VERSION, "minWriterVersion": _WRITER_VERSION}}


def described(
    table_id: str,
    name: str,
    brief: str,
    schema_json: str,
    created_ms: int,
    *,
    partitions: Sequence[str] = (PARTITION,),
    configuration: Mapping[str, str] = _KEEPS_COMMITS,
) -> Action:
    """What the table is.

    Args:
        table_id: stays the same when columns are added.
        name: of the table.
        brief: what one row is.
        schema_json: its columns, in Delta's form.
        created_ms: when it was made.
        partitions: columns whose values stand in the log and in paths.
        configuration: properties, by Delta's names.
    """
    return {
        "metaData": {
            "id": table_id,
            "name": name,
            "description": f"Each row is {brief}",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema_json,
            "partitionColumns": list(partitions),
            "createdTime": created_ms,
            "configuration": dict(configuration),
        }
    }


def stored_upto(receiver: str, seq: int) -> Action:
    """Delta's own note of how far a receiver is stored."""
    return {"txn": {"appId": receiver, "version": seq}}


def added(file: DataFile, *, is_new: bool) -> Action:
    """A file of the table. `is_new`: its rows are; otherwise it replaces files that held them."""
    partition = {PARTITION: file.day.isoformat()}
    return file_added(file.path, partition, file.size_bytes, file.written_ms, file.statistics, is_new=is_new)


def file_added(
    path: str, partition: Mapping[str, str], size_bytes: int, written_ms: int, statistics: str, *, is_new: bool
) -> Action:
    """The same of any table: a file with its values of partition columns, and Delta's JSON of counts and bounds."""
    return {
        "add": {
            "path": quote(path, safe=_UNESCAPED),
            "partitionValues": dict(partition),
            "size": size_bytes,
            "modificationTime": written_ms,
            "dataChange": is_new,
            "stats": statistics,
        }
    }


def replaced(path: str, day: date, size_bytes: int, now_ms: int, *, is_gone: bool) -> Action:
    """A file whose rows others hold as of this commit; not all of them where any `is_gone`."""
    return file_removed(path, {PARTITION: day.isoformat()}, size_bytes, now_ms, is_gone=is_gone)


def file_removed(path: str, partition: Mapping[str, str], size_bytes: int, now_ms: int, *, is_gone: bool) -> Action:
    """A file that the table has no more. `is_gone`: nor has it all of its rows. The protocol has `extendedFileMetadata`
    say its size.
    """
    return {
        "remove": {
            "path": quote(path, safe=_UNESCAPED),
            "partitionValues": dict(partition),
            "extendedFileMetadata": True,
            "size": size_bytes,
            "deletionTimestamp": now_ms,
            "dataChange": is_gone,
        }
    }
