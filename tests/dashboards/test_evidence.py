"""The page Evidence: how far what is stored is signed, whether it holds, and what was lost."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from dashboards import stores
from dashboards.conftest import OpenPage, drawn, said
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer.ledger import reading, verification
from aftertrace.analyzer.ledger.standing import ledger_standing
from aftertrace.cli import root
from aftertrace.dashboards import data, launch, signing_in, verifying
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import Sealer

PATIENCE_S = 60.0


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A store of which all is signed, with a copy of what is kept elsewhere."""
    data = stores.recorded(tmp_path / "data", ["claude-code/hook_deny", "claude-code/tty_reject"])
    with Sealer(Layout(data)) as sealer:
        sealer.seal()
        sealer.keep(tmp_path / "anchor")
    return data


def metrics(page: AppTest) -> dict[str, tuple[str, str]]:
    """The numbers above, each with what stands below it."""
    return {each.label: (str(each.value), str(each.delta)) for each in page.metric}


def verified(page: AppTest, data: Path, key: str = "") -> AppTest:
    """The page when what it was asked to verify is."""
    page.text_input(key="key").set_value(key)
    next(each for each in page.button if each.label == "Verify now").click().run()
    deadline = time.monotonic() + PATIENCE_S
    while verifying.of(str(data)).is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    return page.run()


def verdicts(page: AppTest) -> dict[str, str]:
    """The answers that a page shows, by the first word of their question."""
    (document,) = drawn(page, "document")
    (cards,) = [block for block in document["blocks"] if block["is"] == "cards"]
    return {card["title"].split(":")[0].lower(): card["marks"][0]["word"] for card in cards["cards"]}


def test_it_says_how_far_all_is_signed(signed: Path, open_page: OpenPage) -> None:
    """And gives what is to be kept elsewhere."""
    layout = Layout(signed)
    now = ledger_standing(signed)
    page = open_page("evidence", signed)
    told = metrics(page)
    assert told["Signed entries"] == (f"{now.signed}", "all that there are")
    assert told["Kept elsewhere"] == ("nowhere", "ledger.anchor is not set")
    assert told["Requests waiting"] == ("0", "all in the tables")
    assert told["Last verified"] == ("not yet", "since this dashboard began")
    code = [each.value for each in page.code]
    assert code[:2] == [layout.ledger_key.read_text().strip(), layout.checkpoint.read_text().rstrip("\n")]
    assert code[2].startswith(f"aftertrace verify --data {signed} --key ledger-key --checkpoint ")
    assert not page.exception


def test_what_is_kept_elsewhere_is_told(signed: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the newest copy; and a folder that is not there, or empty, is said to be."""
    anchor = signed.with_name("anchor")
    (anchor / "notes.txt").touch()
    assert _with_anchor(open_page, monkeypatch, signed, anchor)[0] == f"{ledger_standing(signed).signed}"
    empty = signed.with_name("empty")
    assert _with_anchor(open_page, monkeypatch, signed, empty) == ("not there", "the folder of ledger.anchor")
    empty.mkdir()
    assert _with_anchor(open_page, monkeypatch, signed, empty) == ("none yet", "in the folder of ledger.anchor")


def _with_anchor(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, data: Path, anchor: Path) -> tuple[str, str]:
    page = open_page("evidence", data)
    monkeypatch.setattr("sys.argv", ["app.py", "--data", str(data), "--anchor", str(anchor)])
    return metrics(page.run())["Kept elsewhere"]


@pytest.mark.parametrize("with_key", [False, True])
def test_verdicts_are_those_of_the_command_line(
    with_key: bool, signed: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the key that somebody kept, and without: then nobody can tell who signed."""
    key = Layout(signed).ledger_key.read_text().strip() if with_key else ""
    root.run(["verify", "--data", str(signed), "--format", "json", *(["--key", key] if with_key else [])])
    told = json.loads(capsys.readouterr().out)
    page = verified(open_page("evidence", signed), signed, key)
    assert verdicts(page) == {name: told[name] for name in ("integrity", "completeness", "authenticity")}
    assert metrics(page)["Last verified"][0] == f"{3 if with_key else 2} of 3 hold"
    words = set(said(drawn(page, "document")[0]))
    assert any(f"{told['records']} records of {told['requests']} requests" in each for each in words)


def test_a_button_of_an_open_page_does_nothing_once_the_sign_in_is_over(
    signed: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buttons are heard before anything is drawn again."""
    page = open_page("evidence", signed)
    last = verifying.of(str(signed))
    with monkeypatch.context() as over:
        over.setattr(signing_in, "person", lambda: None)
        next(each for each in page.button if each.label == "Verify now").click().run()
    assert last.began_ns is None
    stopped: list[object] = []
    monkeypatch.setattr(verifying.Verification, "stop", lambda self: stopped.append(self))  # noqa: PLW0108  # a method
    last.began_ns = 1
    page = open_page("evidence", signed, is_first=False)
    with monkeypatch.context() as over:
        over.setattr(signing_in, "person", lambda: None)
        next(each for each in page.button if each.label == "Stop").click().run()
    assert stopped == []
    page = open_page("evidence", signed, is_first=False)
    next(each for each in page.button if each.label == "Stop").click().run()
    assert stopped == [last]


def test_a_byte_that_was_changed_is_found(signed: Path, open_page: OpenPage) -> None:
    """With what and where; the control is the verification before it."""
    page = verified(open_page("evidence", signed), signed)
    assert verdicts(page)["integrity"] == "holds"
    file = min((signed / "tables" / "events").glob("*/*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    page = verified(page, signed)
    assert verdicts(page)["integrity"] == "broken"
    assert metrics(page)["Last verified"][0] == "broken"
    assert "file_digest" in set(said(drawn(page, "document")[0]))


def test_a_store_that_cannot_be_analysed_can_be_verified(signed: Path, open_page: OpenPage) -> None:
    """That is when it is asked."""
    for log in (signed / "tables" / "events" / "_delta_log").glob("*.json"):
        log.write_text("{")
    page = verified(open_page("evidence", signed), signed)
    assert not page.exception
    assert [each.value for each in page.error] == [
        "How the store stands cannot be read; verifying it says what is damaged."
    ]
    assert verdicts(page)["integrity"] == "broken"
    assert any(each.value.startswith("It cannot be told: ") for each in page.text)


def test_what_is_no_key_is_said_to_be_none(signed: Path, open_page: OpenPage) -> None:
    """With what was expected."""
    page = verified(open_page("evidence", signed), signed, "nonsense")
    assert [each.value for each in page.warning] == ["It could not be verified."]
    assert any("give what ledger/key holds" in each.value for each in page.code)


def test_a_store_that_was_put_back_is_found_by_what_is_kept_elsewhere(
    signed: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not without it."""
    shutil.copytree(signed, signed.with_name("older"))
    stores.recorded(signed, ["claude-code/tty_approve"])
    anchor = signed.with_name("anchor")
    with Sealer(Layout(signed)) as sealer:
        sealer.seal()
        sealer.keep(anchor)
    older = signed.with_name("older")
    assert verdicts(verified(open_page("evidence", older), older))["completeness"] == "holds"
    page = open_page("evidence", older)
    monkeypatch.setattr("sys.argv", ["app.py", "--data", str(older), "--anchor", str(anchor)])
    assert verdicts(verified(page.run(), older))["completeness"] == "broken"


def test_a_verification_that_goes_on_says_how_far_it_is_and_can_be_stopped(
    signed: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can begin another meanwhile; what was stopped found nothing."""
    told = json.dumps({"progress": {"done_bytes": 2_500_000, "total_bytes": 5_000_000}})
    slow = f"import time; print({told!r}, flush=True); time.sleep(60)"
    command = verification.command(signed, None, "")
    monkeypatch.setattr(verification, "command", lambda *_: [command[0], "-c", slow])
    page = open_page("evidence", signed)
    next(each for each in page.button if each.label == "Verify now").click().run()
    running = verifying.of(str(signed))
    deadline = time.monotonic() + PATIENCE_S
    while not running.progress.total_bytes and time.monotonic() < deadline:
        time.sleep(0.05)
    page.run()
    (bar,) = page.get("progress")
    assert (bar.proto.value, bar.proto.text.split(",")[0]) == (50, "2.5 MB of 5.0 MB of files read")
    assert next(each for each in page.button if each.label == "Verify now").disabled
    next(each for each in page.button if each.label == "Stop").click().run()
    while running.is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    page.run()
    assert [each.value for each in page.warning] == ["It could not be verified."]
    assert running.report is None


def test_losses_are_those_of_the_command_line(
    recorded: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row by row; where there are none it says so."""
    assert root.run(["losses", "--data", str(recorded), "--format", "json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    page = open_page("evidence", recorded)
    listed = [each.value for each in page.dataframe]
    assert sum(table.shape[0] for table in listed) == len(told)
    assert bool(page.success) == (not told)
    if told:
        assert sorted(listed[0]["lost"]) == sorted(row["count"] for row in told)
    assert metrics(page)["Signed entries"] == ("0", f"{ledger_standing(recorded).entries} entries not signed yet")
    assert "Nothing was signed yet." in " ".join(each.value for each in page.text)


def test_what_was_redacted_is_that_of_the_command_line(
    recorded: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the letter."""
    assert root.run(["status", "--data", str(recorded)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("redacted")]
    said = line.removeprefix("redacted").strip()
    assert said[:1].upper() + said[1:] in [each.value for each in open_page("evidence", recorded).text]


def test_filters_outlive_a_look_at_it(recorded: Path, open_page: OpenPage) -> None:
    """It filters nothing, and the next page does as before."""
    page = open_page("runs", recorded, agent="dbbot")
    page.switch_page("views/evidence.py").run()
    page.switch_page("views/runs.py").run()
    assert {each["agent"] for each in drawn(page, "runs")[0]["runs"]} == {"dbbot"}
    assert page.query_params == {"agent": "dbbot"}


def test_who_read_what_is_shown_where_it_is_recorded(signed: Path, open_page: OpenPage, monkeypatch: Any) -> None:
    """A page that is opened, once for each who looks; by default only what takes records out is."""
    assert "No read is recorded" in " ".join(each.value for each in open_page("evidence", signed).caption)
    monkeypatch.setattr(data, "settings", lambda: launch.Settings(signed, "", "", reads="all"))
    page = open_page("evidence", signed).run()
    assert not page.exception
    told = reading.reads(signed)
    assert told.select("how", "what", "uid").rows() == [("page Evidence", "", os.getuid())]
    assert any("1 read, the latest first" in each.value for each in page.caption)
