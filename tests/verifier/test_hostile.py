"""A packet is hostile input: whatever is in it, the answer is a report, and nothing is written or waited for."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftertrace.tlog.errors import Invalid
from aftertrace.verifier import archive, layout
from aftertrace.verifier.about import About
from aftertrace.verifier.archive import Archive
from aftertrace.verifier.bag import parse_manifest
from aftertrace.verifier.command import main, visible
from aftertrace.verifier.entries import parse_batch, parse_export
from aftertrace.verifier.lines import line, parse
from aftertrace.verifier.members import checked_name
from aftertrace.verifier.requests import Request
from aftertrace.verifier.rows import KINDS, parse_row
from aftertrace.verifier.verify import PacketReport, verify_packet

from .packed import Packed, codes, rebagged, verified

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)
NAMES = ("../x", "/etc/passwd", "a/../../x", "a\\b", "a//b", "a/", ".hidden", "a\x00b", "ä", "CON:", "x" * 300, "")
UNPACKED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def zipped(members: list[tuple[zipfile.ZipInfo, bytes]], file: Path) -> Path:
    """An archive as another tool makes it."""
    with zipfile.ZipFile(file, "w") as made:
        for info, told in members:
            made.writestr(info, told)
    return file


def named(name: str, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """A member of an archive."""
    info = zipfile.ZipInfo(name)
    info.compress_type = compression
    return info


def refused(report: PacketReport) -> None:
    """Broken, with nothing read of it."""
    assert (report.verdicts["integrity"], codes(report)) == ("broken", {"archive_altered"})


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_a_packet(tmp_path: Path, name: str) -> None:
    """In an archive, in a manifest, in a folder."""
    with pytest.raises(Invalid):
        checked_name(name)
    with pytest.raises(Invalid):
        parse_manifest(f"{'0' * 64}  {name}\n".encode(), "manifest")
    if name and "\x00" not in name:
        refused(verify_packet(zipped([(named(f"packet/{name}"), b"x")], tmp_path / "p.zip")))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """Nothing that is compressed is read, nor what says that it is longer than the file."""
    refused(verify_packet(zipped([(named("packet/a", zipfile.ZIP_DEFLATED), bytes(50 << 20))], tmp_path / "p.zip")))
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0x21, 0, 2**32 - 1, 2**32 - 1, 8, 0) + b"packet/a"
    (tmp_path / "long.zip").write_bytes(head + b"x")
    refused(verify_packet(tmp_path / "long.zip"))


def test_names_twice_links_and_hidden_bytes_are_refused(tmp_path: Path, packed: Packed) -> None:
    """What two readers could take in two ways."""
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as made:
        made.writestr(named("packet/a"), b"good")
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr(named("packet/a"), b"bad")
    (tmp_path / "twice.zip").write_bytes(twice.getvalue())
    refused(verify_packet(tmp_path / "twice.zip"))
    link = named("packet/a")
    link.external_attr = 0o120777 << 16
    refused(verify_packet(zipped([(link, b"/etc/passwd")], tmp_path / "link.zip")))
    content = packed.file.read_bytes()
    (tmp_path / "before.zip").write_bytes(b"#!/bin/sh\n" + content)
    refused(verify_packet(tmp_path / "before.zip"))


def test_links_and_pipes_in_a_folder_are_not_followed(folder: Path, packed: Packed) -> None:
    """A pipe would be waited for, a link leads to what the packet has not."""
    for make in (lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, lambda path: path.symlink_to(folder)):
        path = folder / "data" / "extra"
        make(path)
        refused(verified(folder, packed.key))
        path.unlink()
    target = folder / layout.ABOUT
    target.rename(folder.with_name("moved"))
    target.symlink_to(folder.with_name("moved"))
    refused(verified(folder, packed.key))


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000, b'{"a":' * 100_000, b"1" * 20_000, b'{"own":1e999}', b'{"own":NaN}', b"\xff\xfe{\x00}\x00",
        b'{"own":"","own":""}', b'{"a":' + b"9" * 5_000 + b"}", b'{"a":"\\ud800"}', b"{}", b"null", b'{"a":1.0E5}',
    ],
)  # fmt: skip
def test_json_that_is_an_adventure_is_refused(packed: Packed, folder: Path, content: bytes) -> None:
    """In every file that has some; with manifests that fit."""
    names = (layout.ABOUT, layout.REQUESTS, *(layout.table(table) for table in (*KINDS, "resources", "scopes")))
    for name in names:
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b"\n")
        rebagged(folder)
        assert "broken" in verified(folder, packed.key).verdicts.values(), name
        (folder / name).write_bytes(before)


@given(st.one_of(st.binary(max_size=400), JSON.map(lambda each: json.dumps(each).encode() + b"\n")))
def test_any_bytes_are_refused_in_the_same_way(content: bytes) -> None:
    """By every parser; what one takes is written again as it was."""
    for read in (
        About.parse,
        Request.parse,
        parse_batch,
        parse_export,
        *(lambda told, table=table: parse_row(table, told) for table in KINDS),
    ):
        with pytest.raises(Invalid):
            read(content)
    for again in (lambda: line(parse(content, "x")).encode(), lambda: _manifest_again(content)):
        try:
            assert again() == content
        except Invalid:
            continue


def _manifest_again(content: bytes) -> bytes:
    from aftertrace.verifier.bag import manifest

    return manifest(parse_manifest(content, "x"))


@UNPACKED
@given(
    st.sampled_from(["own", "position", *KINDS["events"]]),
    st.one_of(JSON, st.sampled_from([-1, 2**63, 2**70, -(2**63) - 1, True, 1.5, "", "\ud800", [], {}, "2026-13-45"])),
)
def test_any_value_in_a_row_gives_a_row_or_a_refusal(folder: Path, name: str, value: object) -> None:
    """Never another error."""
    told = json.loads((folder / layout.table("events")).read_bytes().splitlines()[0])
    (told if name in ("own", "position") else told["row"])[name] = value
    try:
        content = json.dumps(told, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        row = parse_row("events", content)
    except Invalid:
        return
    assert len(row.leaf) == 32


@UNPACKED
@given(st.data())
def test_a_damaged_archive_is_read_to_a_report(packed: Packed, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever bytes are put where."""
    content = packed.file.read_bytes()
    at = data.draw(st.integers(0, len(content)))
    put = data.draw(st.binary(max_size=64))
    (tmp_path / "changed").write_bytes(content[:at] + put + content[at + data.draw(st.integers(0, 64)) :])
    report = verified(tmp_path / "changed", packed.key)
    same = (tmp_path / "changed").read_bytes() == content
    assert (report.verdicts["integrity"] == "holds") == same


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,9}(/[a-z0-9_.-]{1,3}[a-z])?", fullmatch=True), st.binary(max_size=50), max_size=9
    )
)
def test_an_archive_is_read_as_it_was_written(files: dict[str, bytes]) -> None:
    """Any files."""
    names = [name for name in sorted(files) if not name.partition("/")[2].startswith((".", "-"))]
    written = io.BytesIO()
    archive.write(written, ((name, lambda name=name: iter([files[name]])) for name in names))
    path = Path("archive.zip")
    path.write_bytes(written.getvalue())
    if not names:
        with pytest.raises(Invalid):
            Archive(path)
        return
    read = Archive(path)
    assert {name: b"".join(read.chunks(name)) for name in read.sizes} == {name: files[name] for name in names}


def test_a_text_of_a_packet_steers_no_terminal(
    packed: Packed, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it says of itself, the names in it, and what it says is missing."""
    hostile = "\x1b[31m\u202e\u200b\U000e0041\n\x07"
    told = json.loads((folder / layout.ABOUT).read_bytes())
    told["title"] = hostile
    told["missing"] = [{"count": 1, "what": hostile, "why": hostile}]
    (folder / layout.ABOUT).write_text(json.dumps(told, sort_keys=True, separators=(",", ":")) + "\n")
    rebagged(folder)
    assert main([str(folder), "--key", str(packed.key)]) == 1
    printed = capsys.readouterr().out
    assert all(letter == "\n" or letter.isprintable() for letter in printed)
    assert visible(hostile) == r"\x1b[31m\u202e\u200b\U000e0041\n\x07"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: No such file"),
        (["{packet}", "--key", "nonsense"], "read --key"),
        (["{packet}", "--checkpoint", "nowhere"], "read checkpoint"),
    ],
)
def test_wrong_use_ends_with_2(
    packed: Packed, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """One line that says what was expected."""
    assert main([each.format(packet=packed.file) for each in arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n"), said in printed.err) == ("", 1, True)
