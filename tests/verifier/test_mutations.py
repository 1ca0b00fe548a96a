"""Whatever is done to a packet afterwards is reported, and named; clean ones raise no alarm."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aftertrace.verifier import layout
from aftertrace.verifier.verify import verify_packet

from .packed import Packed, codes, rebagged, verified

FLIPS = 400
SEED = 20_261_122


def files_of(folder: Path) -> list[Path]:
    """Of a packet, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def mutations(content: bytes, other: bytes, draws: random.Random) -> Iterator[tuple[str, bytes]]:
    """What can be done to the bytes of a file."""
    at = draws.randrange(len(content))
    lines = content.splitlines(keepends=True)
    yield "flip", content[:at] + bytes([content[at] ^ (1 << draws.randrange(8))]) + content[at + 1 :]
    yield "truncate", content[: draws.randrange(len(content))]
    yield "truncate by one", content[:-1]
    yield "empty", b""
    yield "append", content + b"\n"
    yield "swap", other
    yield "twice", content + content
    yield "delete a line", b"".join(lines[:-1])
    if len(lines) > 1 and lines[0] != lines[1]:
        yield "reorder", b"".join([lines[1], lines[0], *lines[2:]])


def test_every_change_to_a_file_is_reported(packed: Packed, folder: Path) -> None:
    """Of each file, of all kinds, one after the other; put back, nothing is reported."""
    draws = random.Random(SEED)
    files = files_of(folder)
    done = 0
    for number, path in enumerate(files):
        content, other = path.read_bytes(), files[number - 1].read_bytes()
        for _ in range(3):
            for what, changed in mutations(content, other, draws):
                if changed == content:
                    continue
                path.write_bytes(changed)
                report = verified(folder, packed.key)
                assert "broken" in report.verdicts.values(), (path.name, what)
                assert any(path.name in found.where or codes(report) for found in report.findings)
                done += 1
        path.unlink()
        report = verified(folder, packed.key)
        expected = "partial" if path.name == layout.RECEIPT else "broken"
        assert expected in report.verdicts.values(), path.name
        path.write_bytes(content)
        done += 1
    assert done > 400
    assert verified(folder, packed.key).findings == ()


def test_every_bit_that_flips_in_the_file_is_reported(packed: Packed, tmp_path: Path) -> None:
    """Also in what stands between the files of an archive, which other readers of ZIP do not look at."""
    draws = random.Random(SEED)
    content = packed.file.read_bytes()
    changed = tmp_path / "changed.zip"
    ends = [*range(60), *range(len(content) - 400, len(content))]
    for at in [*ends, *(draws.randrange(len(content)) for _ in range(FLIPS))]:
        changed.write_bytes(content[:at] + bytes([content[at] ^ (1 << draws.randrange(8))]) + content[at + 1 :])
        report = verified(changed, packed.key)
        assert report.verdicts["integrity"] == "broken", at
    for cut in (0, 1, 30, len(content) // 2, len(content) - 22, len(content) - 1):
        changed.write_bytes(content[:cut])
        assert verified(changed, packed.key).verdicts["integrity"] == "broken", cut
    for more in (content + b"\x00", b"\x00" + content, content + content):
        changed.write_bytes(more)
        assert verified(changed, packed.key).verdicts["integrity"] == "broken"


@pytest.mark.parametrize("name", ["data/evidence/more.jsonl", "data/x.html", "more.txt", "data/runs/x/record.html"])
def test_a_file_more_is_reported(packed: Packed, folder: Path, name: str) -> None:
    """Whether its digest is in a manifest or not."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("more\n")
    assert "bag_altered" in codes(verified(folder, packed.key))
    rebagged(folder)
    assert verified(folder, packed.key).verdicts["integrity"] == "broken"


def test_clean_packets_raise_no_alarm(packed: Packed, folder: Path, tmp_path: Path) -> None:
    """Wherever they are, whatever they are called, and whatever rights their files have."""
    for path in files_of(folder):
        path.chmod(0o444)
    shutil.copytree(folder, tmp_path / "another name ö")
    shutil.copy(packed.file, tmp_path / "renamed")
    for each in (folder, tmp_path / "another name ö", tmp_path / "renamed"):
        assert verify_packet(each, [packed.key]).findings == ()
