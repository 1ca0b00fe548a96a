"""The cookbook is a session that runs as it stands, and prints what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .analyzer import duck
from .test_docs import RECORDINGS, ROOT, matches

PAGE = ROOT / "docs" / "COOKBOOK.md"
CELLS = """
import contextlib, io, sys
import duckdb
import polars as pl
duckdb.execute("SET enable_progress_bar = false")
# In place of a download.
duckdb.install_extension(sys.argv[1])
pl.Config.set_tbl_width_chars(118)
pl.Config.set_fmt_str_lengths(40)
for cell in sys.stdin.read().split("\\0"):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(cell)
    sys.stdout.write(printed.getvalue() + "\\0")
"""
"""Runs cells one after another in one session, and tells what each printed."""


def cells() -> list[tuple[str, list[str]]]:
    """The cells of the page, each with what it says that it prints."""
    found = re.findall(
        r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return [(code, said.splitlines()) for code, said in found]


@pytest.mark.slow
def test_every_cell_prints_what_the_page_shows(tmp_path: Path) -> None:
    """After the commands that the page begins with."""
    if (reader := duck.reader()) is None:
        pytest.skip(duck.MISSING)
    for recording in RECORDINGS.iterdir():
        shutil.copy(recording, tmp_path)
    begun = re.findall(r"^\$ aftertrace (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(begun) == 2
    for command in begun:
        subprocess.run(
            [sys.executable, "-m", "aftertrace.cli", *command.split()], cwd=tmp_path, check=True, capture_output=True
        )
    ended = subprocess.run(
        [sys.executable, "-c", CELLS, str(reader)],
        input="\0".join(code for code, _ in cells()),
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    printed = [part.splitlines() for part in ended.stdout.split("\0")[:-1]]
    assert len(printed) == len(cells()) > 6
    for (code, said), shown in zip(cells(), printed, strict=True):
        assert matches(said, shown), (code, shown)


def test_the_control_sees_another_output() -> None:
    """A page that shows another number is not true."""
    _, said = cells()[0]
    assert said
    assert not matches(said, [line.replace("1", "2") for line in said])
