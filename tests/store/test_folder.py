"""The data folder: made once, whole after a crash, and never mistaken for another."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.folder import check_format, open_folder, store_key
from aftertrace.store.layout import Layout, SegmentName


def test_a_folder_is_opened_again_as_it_was_made(tmp_path: Path) -> None:
    """The key is made at its first use, secret, and stays."""
    layout = open_folder(tmp_path / "a" / "b")
    key = store_key(layout)
    assert open_folder(tmp_path / "a" / "b") == layout
    assert (store_key(layout), len(key)) == (key, 32)
    assert stat.S_IMODE(layout.store_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.data.stat().st_mode) == 0o700
    assert layout.marker.read_text() == "aftertrace store 4\n"


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    """Exactly one of them makes it."""
    layout = open_folder(tmp_path)
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(store_key(layout))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(keys), len(set(keys))) == (8, 1)
    assert [path.name for path in layout.store_key.parent.iterdir()] == ["store.key"]


def test_a_half_made_folder_is_finished(tmp_path: Path) -> None:
    """As a crash leaves it before the marker is there."""
    (tmp_path / "wal").mkdir()
    (tmp_path / ".FORMAT.1.ab.new").touch()
    open_folder(tmp_path)
    check_format(Layout(tmp_path))


def test_a_folder_of_an_older_version_becomes_one_of_this(tmp_path: Path) -> None:
    """Before anything is written there that the older one would take for damage: it refuses the folder then."""
    layout = open_folder(tmp_path)
    layout.marker.write_text("aftertrace store 1\n")
    check_format(layout)
    assert layout.marker.read_text() == "aftertrace store 1\n"
    open_folder(tmp_path)
    assert layout.marker.read_text() == "aftertrace store 4\n"


@pytest.mark.parametrize(
    "content",
    [
        "aftertrace store 5\n",
        "something else\n",
        "",
        "aftertrace store x\n",
        "aftertrace store 0\n",
        "aftertrace store 4",
    ],
)
def test_a_folder_of_another_kind_or_version_is_refused(tmp_path: Path, content: str) -> None:
    """Reading it could only go wrong."""
    (tmp_path / "FORMAT").write_text(content)
    with pytest.raises(Invalid):
        open_folder(tmp_path)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    """`--data ~` must not fill somebody's home."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(Invalid, match=r"thesis\.tex"):
        open_folder(tmp_path)
    with pytest.raises(Invalid, match="no store"):
        check_format(Layout(tmp_path))


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    """Another key would make every later resend look new."""
    layout = open_folder(tmp_path)
    store_key(layout)
    layout.store_key.write_bytes(b"short")
    with pytest.raises(Corrupt, match="5 bytes, expected 32"):
        store_key(layout)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "main.wal", "ä", "a" * 33, "-a", "a\0"])
def test_a_receiver_name_that_is_no_plain_name_is_refused(name: str) -> None:
    """It becomes a path."""
    with pytest.raises(Invalid):
        Layout(Path("data")).wal(name)


def test_segment_names_are_read_back_in_order() -> None:
    """`parse` is the inverse of `str`."""
    names = [SegmentName(1, 0), SegmentName(2, 0), SegmentName(2, 1), SegmentName(10, 0)]
    assert [SegmentName.parse(text) for text in sorted(map(str, names))] == names
    assert SegmentName.parse("lock") is None


def test_a_written_file_is_synced_named_and_synced_again(tmp_path: Path, disk: list[tuple[str, str]]) -> None:
    """The order of `durable.write_file`, as its page says it."""
    durable.write_file(tmp_path / "name", b"content")
    operations = [(kind, "draft" if name.endswith(".new") else name) for kind, name in disk]
    assert operations == [("fsync", "draft"), ("rename", "name"), ("fsync", tmp_path.name)]


def test_a_file_is_never_seen_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash before the rename leaves the old content and a draft."""
    path = tmp_path / "name"
    durable.write_file(path, b"old")
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("as if killed here"))
    with pytest.raises(pytest.fail.Exception):
        durable.write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert durable.create_file(path, b"other") is False
    assert path.read_bytes() == b"old"
