"""Where bytes are that must be gone: in every file below a folder, as they stand there, and in what Parquet holds."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def files_with(folder: Path, needle: bytes) -> list[str]:
    """Files that hold some bytes, by their paths below a folder."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and _holds(path, needle)
    )


def _holds(path: Path, needle: bytes) -> bool:
    """Whether a file does; one that went since it was listed, as a draft of a log that goes on does, holds nothing."""
    try:
        return needle in path.read_bytes() or _in_columns(path, needle)
    except FileNotFoundError:
        return False


def _in_columns(path: Path, needle: bytes) -> bool:
    """Whether a value in a Parquet file has them, or what its footer says."""
    if not path.read_bytes().startswith(b"PAR1"):
        return False
    file = pq.ParquetFile(path)
    table = file.read(use_threads=False)
    columns = (table.column(name).cast(pa.large_binary()) for name in table.column_names if _is_text(table, name))
    return needle in repr(file.metadata.metadata).encode() or any(
        needle in value for column in columns for value in column.to_pylist() if value is not None
    )


def _is_text(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_of(kind) for is_of in kinds)
