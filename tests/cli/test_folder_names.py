"""A data folder of any name: what stands for something else in a URL is a letter there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import RECORDINGS, STORED, Command


@pytest.mark.parametrize("name", ["Jürgen's data", "100%", "a #1?b", "[x] *"])
def test_a_store_is_read_whatever_its_folder_is_called(
    aftertrace: Command, store: Path, tmp_path: Path, name: str
) -> None:
    """Every table, by key and whole, stored and kept; and nothing is found wrong."""
    data = Path(shutil.copytree(store, tmp_path / name / "data"))
    again = aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data)
    assert (again.code, again.out) == (0, "")
    assert aftertrace("derive", "--data", data).code == 0
    for asked in (("runs", "--format", "json"), ("run", "last"), ("find", "pay"), ("sql", "select * from spans")):
        ours, expected = (aftertrace(*asked, "--data", folder) for folder in (data, store))
        assert (ours.code, ours.out) == (expected.code, expected.out)
    assert aftertrace("verify", "--derived", "--data", data).code == aftertrace("verify", "--data", store).code
    assert aftertrace("fsck", "--data", data).code == 0


def test_a_name_that_stands_for_another_is_refused(aftertrace: Command, tmp_path: Path) -> None:
    """Before anything is written there: the library that reads Delta would look in the other one."""
    data = tmp_path / "a%20b"
    ended = aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data)
    assert ended.code == 2
    assert "its path has '%20', expected no % before two hexadecimal digits; choose another --data" in ended.err
    assert not data.exists()
