"""The page of live cases: rows of other runs are kept, and every case is on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import __main__ as live
from . import cases, page
from .agent import Agent, Installation
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


def test_a_case_that_cannot_run_keeps_its_last_result(tmp_path: Path) -> None:
    """A machine without the network erases nothing; a case that never ran is shown with the reason."""
    path = tmp_path / "LIVE.md"
    names = ("shop/pays", "wagon/pays")
    page.write(path, (PAYS,), names)
    page.write(path, (Row("shop/pays", "shop 2.0", None, None, None, "not run: no network"), SKIPPED), names)
    assert page.read(path.read_text()) == {"shop/pays": PAYS, "wagon/pays": SKIPPED}


def test_a_run_in_which_nothing_ran_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code says so, and the page stays as it was."""
    missing = Agent("shop/pays", Installation("pip", ("shop==1.0",)), (), (), needs=("no-such-program",))
    monkeypatch.setattr(cases, "ALL", (missing,))
    path = tmp_path / "LIVE.md"
    page.write(path, (PAYS,), ("shop/pays",))
    before = path.read_text()
    assert live.main(["--page", str(path), "--cache", str(tmp_path / "cache")]) == 3
    assert path.read_text() == before


def test_every_case_is_on_the_page_as_it_went_last() -> None:
    """A case that was added and never run is seen here: run `make live`."""
    rows = page.read(page.PAGE.read_text(encoding="utf-8"))
    assert sorted(rows) == sorted(agent.name for agent in cases.ALL)
    assert {name: row.version for name, row in rows.items()} == {
        agent.name: agent.installation.version for agent in cases.ALL
    }


def test_the_page_says_what_is_told_of_what_cannot_be_told() -> None:
    """Beside the truth, so that a wrong answer is seen as one."""
    rows = page.read(page.PAGE.read_text(encoding="utf-8"))
    remarks = [remark for row in rows.values() for remark in row.remarks.split("; ") if remark]
    assert [remark for remark in remarks if ", in truth " not in remark] == []
    for name in ("pydantic-ai/hook_skips", "openai-agents/openinference_tool_guardrail"):
        assert "outcome is executed, in truth denied" in rows[name].remarks
