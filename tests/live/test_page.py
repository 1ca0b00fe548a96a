"""The page of live cases: rows of other runs are kept, and every case is on it."""

from __future__ import annotations

from pathlib import Path

from . import cases, page
from .page import Row

PAYS = Row("shop/pays", "shop 1.0", 3, 2, 1, "not told: pay: basis: no record")
WRONG = Row("shop/fails", "shop 1.0", 2, 1, 0, "wrong: pay: outcome is 'a|b', in truth 'failed'")
SKIPPED = Row("wagon/pays", "wagon 2", None, None, None, "not run: node is not on the path")


def test_a_page_is_read_as_it_was_written() -> None:
    """Signs that tables give a meaning are kept out of it."""
    rows = {row.name: row for row in (WRONG, PAYS, SKIPPED)}
    assert page.read(page.text(rows)) == rows
    assert (
        "2 cases ran with 5 calls: 3 are told right, 1 as far as the telemetry tells. 1 cases could not run."
        in page.text(rows)
    )


def test_a_run_writes_its_own_rows_and_keeps_the_others(tmp_path: Path) -> None:
    """What is no case any more goes."""
    path = tmp_path / "LIVE.md"
    page.write(path, (PAYS, WRONG, SKIPPED), ("shop/pays", "shop/fails", "wagon/pays"))
    mended = Row("shop/fails", "shop 1.0", 2, 2, 0, "")
    page.write(path, (mended,), ("shop/pays", "shop/fails"))
    assert page.read(path.read_text()) == {"shop/fails": mended, "shop/pays": PAYS}


def test_every_case_is_on_the_page_as_it_went_last() -> None:
    """A case that was added and never run is seen here: run `make live`."""
    rows = page.read(page.PAGE.read_text(encoding="utf-8"))
    assert sorted(rows) == sorted(agent.name for agent in cases.ALL)
    assert {name: row.version for name, row in rows.items()} == {
        agent.name: agent.installation.version for agent in cases.ALL
    }
