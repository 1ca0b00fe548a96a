"""Opening a file: by path or as standard input, gzip or not."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aftertrace.ingest import files
from aftertrace.ingest.files.opened import HEAD_BYTES
from aftertrace.store.errors import Invalid

LINE = b'{"resourceLogs":[]}'
MANY = (LINE + b"\n") * (2 * HEAD_BYTES // len(LINE))


def lines_of(path: Path) -> int:
    """How many requests a file of the line above gives."""
    with files.opened(path) as source:
        return sum(isinstance(item, files.Item) and item.body == LINE for item in files.read(source))


@pytest.mark.parametrize("content", [MANY, gzip.compress(MANY), gzip.compress(MANY[: len(MANY) // 2]) * 2])
def test_a_file_may_be_gzipped(tmp_path: Path, content: bytes) -> None:
    """Its name does not say so; several gzip members are one file."""
    path = tmp_path / "logs.jsonl"
    path.write_bytes(content)
    assert lines_of(path) >= MANY.count(b"\n") - 1


@pytest.mark.parametrize("content", [MANY, gzip.compress(MANY)])
def test_standard_input_is_read_from_a_pipe(content: bytes) -> None:
    """One cannot go back in it."""
    script = (
        "from pathlib import Path; from aftertrace.ingest import files\n"
        "with files.opened(Path('-')) as source: print(sum(1 for _ in files.read(source)), source.identity == '')"
    )
    ended = subprocess.run([sys.executable, "-c", script], input=content, capture_output=True, env=os.environ)
    assert ended.stdout.decode().split() == [str(MANY.count(b"\n")), "True"], ended.stderr


@pytest.mark.parametrize("keep", [4, 20, 0.5])
def test_a_gzip_file_that_is_cut_short_is_told(tmp_path: Path, keep: float) -> None:
    """In its header or anywhere else."""
    whole = gzip.compress(os.urandom(1 << 16))
    path = tmp_path / "x.gz"
    path.write_bytes(whole[: int(keep if keep > 1 else len(whole) * keep)])
    with pytest.raises(Invalid, match="the gzip file is damaged or cut short"):
        lines_of(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the way out."""
    with pytest.raises(Invalid, match="No such file or directory; name a file that can be read"):
        lines_of(tmp_path / "absent")


def test_where_one_cannot_go_back_it_is_held_in_memory(tmp_path: Path) -> None:
    """For formats whose index stands at the end."""
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    with files.opened(path) as source:
        assert source.seekable() is source.file
        source.file = io.BufferedReader(_Pipe(b"abc"))
        assert source.seekable().read() == b"abc"


class _Pipe(io.RawIOBase):
    """Gives its content once."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        given, self._content = self._content[: len(buffer)], self._content[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)
