"""Files that break their readers: each is refused by its name, whatever it holds, and never an error of its own."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from aftertrace.ingest import files
from aftertrace.ingest.files import pieces
from aftertrace.ingest.files.item import Made, Origin, log_record
from aftertrace.store.errors import Invalid

LEVELS: Final = 450
SPAN: Final = {"span_kind": "TOOL", "start_time": "2026-01-01T00:00:00Z", "name": "n"}
MEMBER: Final = "header.json"


def told(path: Path) -> tuple[int, list[str]]:
    """How many requests a file gives, and what is said of the rest of it."""
    requests, refused = 0, []
    try:
        with files.opened(path) as source:
            for item in files.read(source):
                requests += isinstance(item, files.Item)
                refused += [f"{item.where}: {item.why}"] if isinstance(item, files.Refused) else []
    except Invalid as error:
        refused.append(str(error))
    return requests, refused


def damaged(compression: int) -> bytes:
    """An archive whose member cannot be inflated."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", compression) as archive:
        archive.writestr(MEMBER, json.dumps({"eval": {"task": "t" * 400}}))
    whole = bytearray(held.getvalue())
    begin = 30 + len(MEMBER) + 10
    whole[begin : begin + 20] = bytes(range(200, 220))
    return bytes(whole)


def patched(values: dict[int, int]) -> bytes:
    """An archive whose central directory says something else of its member, by offset."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(MEMBER, "{}")
    whole = bytearray(held.getvalue())
    for offset, value in values.items():
        whole[whole.index(b"PK\x01\x02") + offset] = value
    return bytes(whole)


BROKEN: Final = {
    "a deep page of Phoenix": ('{"data":[' * LEVELS + json.dumps(SPAN) + "]}" * LEVELS).encode(),
    "a deep page of Langfuse": ('{"data":[{"observations":[' * LEVELS + "{}" + "]}]}" * LEVELS).encode(),
    "a deep trace": ('{"id":"t","timestamp":"","observations":[' * LEVELS + "{}" + "]}" * LEVELS).encode(),
    "a role that is a list": b'{"type":"function_call","role":["x"]}\n{"role":"user","content":"x"}\n',
    "a damaged LZMA member": damaged(zipfile.ZIP_LZMA),
    "a damaged bzip2 member": damaged(zipfile.ZIP_BZIP2),
    "a version of the zip format to come": patched({6: 255}),
    "a name of a member that is no UTF-8": patched({9: 0x08, 46: 0xFF}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_breaks_its_reader_is_read_or_refused(tmp_path: Path, name: str) -> None:
    """As far as it can be read; what cannot is told with the file's name."""
    path = tmp_path / "x"
    path.write_bytes(BROKEN[name])
    requests, refused = told(path)
    assert requests or refused
    assert [each for each in refused if str(path) not in each] == []


def test_a_defect_of_a_reader_costs_the_rest_of_its_file_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made before is stored; the file is refused by its name, with what went wrong and none of its content."""
    monkeypatch.setattr(files, "FORMATS", (replace(files.FORMATS[0], is_of=lambda _: True, read=_failing),))
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n")
    why = "KeyError while it was read, a defect of aftertrace; what stands before that place is read"
    assert told(path) == (1, [f"read {path}: {why}"])


def _failing(source: files.Opened, look: pieces.Look) -> Iterator[Made | files.Refused]:
    yield Made(log_record("e", "b", {}), Origin("s"), source.name)
    raise KeyError(str(look))


LONG: Final[dict[str, Callable[[str], object]]] = {
    "otlp": lambda text: {"resourceLogs": [], "x": text},
    "langfuse": lambda text: {"id": "t", "timestamp": "", "observations": [], "x": text},
    "phoenix": lambda text: {"data": [SPAN], "x": text},
    "messages": lambda text: {"messages": [{"role": "user", "content": "hi"}], "x": text},
}


@pytest.mark.parametrize("kind", LONG)
def test_an_object_that_is_longer_than_a_piece_may_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """However small it is on the disk: no more of it is inflated than may be held."""
    most = 1 << 19
    monkeypatch.setattr(pieces, "MAX_PIECE_BYTES", most)
    for size, expected in {most // 2: True, 2 * most: False}.items():
        path = tmp_path / f"{kind}-{size}.json.gz"
        path.write_bytes(gzip.compress(json.dumps(LONG[kind]("x" * size), indent=1).encode()))
        _, refused = told(path)
        assert (not refused) is expected, refused
    assert refused[0].startswith(f"read {path}: longer than {most} bytes in one piece, expected less")
