"""`retention` of large contents: told before they go, destroyed as told, certified, and shown as destroyed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.ingest.canaries import files_with
from tests.ingest.drain_samples import drain, new_store
from tests.ingest.referring import CANARY, refer, spans_of, tool_call

from aftertrace.store.ledger.sealer import seal

from .conftest import Command

WHY = ("--why", "over", "--by", "ann")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with a request that refers to a content."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(tool_call(1)))
    drain(layout)
    seal(layout)
    return layout.data


def test_contents_go_by_their_own_term(aftertrace: Command, data: Path) -> None:
    """The record stays, the content of the run page is told as destroyed, and the certificate names it."""
    shown = aftertrace("run", "last", "--data", data, "--format", "json").out
    assert CANARY in shown
    told = json.loads(aftertrace("retention", "plan", "--data", data, "--format", "json").out)
    (going,) = [each for each in told["going"] if each["class"] == "content"]
    assert (going["day"], going["contents"], going["term_days"]) == ("2025-11-25", 1, 30)
    page = aftertrace("retention", "plan", "--data", data).out
    assert "2025-11-25  1 large contents" in page
    done = aftertrace("retention", "apply", "--plan", told["plan"], "--today", told["today"], "--data", data, *WHY)
    assert (done.code, done.out.partition(" ")[2]) == (0, "1 contents were destroyed\n")
    certified = aftertrace("retention", "certificate", done.out.partition(":")[0], "--data", data).out
    (named,) = json.loads(certified)["destroyed"]
    assert (named["day"], len(named["contents"])) == ("2025-11-25", 1)
    data.with_name("certificate").write_text(certified)
    checked = aftertrace("retention", "check", data.with_name("certificate"), "--key", data / "ledger" / "key")
    assert (checked.code, "1 contents received on 1 days" in checked.out) == (0, True)
    shown = aftertrace("run", "last", "--data", data, "--format", "json").out
    assert ("destroyed on" in shown, CANARY in shown) == (True, False)
    assert files_with(data, CANARY.encode()) == []
    report = json.loads(aftertrace("verify", "--data", data, "--format", "json").out)
    assert {each["code"] for each in report["findings"]} - {"derived_unverified"} == {"contents_destroyed"}
    assert "contents" not in aftertrace("retention", "plan", "--data", data).out


def test_a_term_of_content_may_be_off(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or none that there is."""
    monkeypatch.setenv("AFTERTRACE_RETENTION_CONTENT_DAYS", "0")
    assert "contents" not in aftertrace("retention", "plan", "--data", data).out
    monkeypatch.setenv("AFTERTRACE_RETENTION_CONTENT_DAYS", "-1")
    assert aftertrace("retention", "plan", "--data", data).code == 2


def test_a_hold_of_the_run_keeps_its_contents(aftertrace: Command, data: Path) -> None:
    """And the plan says why."""
    assert aftertrace("hold", "add", "--run", "last", "--data", data, "--why", "case 7", "--by", "ann").code == 0
    told = json.loads(aftertrace("retention", "plan", "--data", data, "--format", "json").out)
    assert [each["class"] for each in told["going"]] == []
    assert [each["contents"] for each in told["staying"] if each["class"] == "content"] == [1]
