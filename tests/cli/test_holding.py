"""`hold`: what is held, by whom and for what, in the ledger for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.drain_samples import drain

from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, exports
from aftertrace.store.ledger.entries import Hold, Reads, Release

from .conftest import Command

BY = ("--by", "ann", "--why", "case 7")


@pytest.fixture
def data(store: Path, tmp_path: Path) -> Path:
    """A store of this test's own."""
    return Path(shutil.copytree(store, tmp_path / "data"))


def held(aftertrace: Command, data: Path) -> list[dict[str, Any]]:
    """What `hold list` tells."""
    return [
        json.loads(line) for line in aftertrace("hold", "list", "--data", data, "--format", "json").out.splitlines()
    ]


def test_what_is_held_is_told_and_released(aftertrace: Command, data: Path) -> None:
    """A run by the beginning of its id, an agent, days; each an entry that is signed, and so is the release."""
    (run_id, *_) = [
        json.loads(line)["run_id"] for line in aftertrace("runs", "--data", data, "--format", "json").out.splitlines()
    ]
    for what in (("--run", run_id[:10]), ("--agent", "refunds"), ("--days", "2026-01-31"), ("--tenant", "acme")):
        assert aftertrace("hold", "add", "--data", data, *what, *BY).code == 0
    told = held(aftertrace, data)
    assert [(each["of"], each["name"], each["by"], each["why"]) for each in told] == [
        ("run", run_id, "ann", "case 7"),
        ("agent", "refunds", "ann", "case 7"),
        ("days", "2026-01-31/2026-01-31", "ann", "case 7"),
        ("tenant", "acme", "ann", "case 7"),
    ]
    assert aftertrace("hold", "release", "--data", data, told[1]["hold"][:8], *BY).code == 0
    assert [each["of"] for each in held(aftertrace, data)] == ["run", "days", "tenant"]
    entered = (each.act for each in acts.recorded(Layout(data)))
    # What was read is entered among them, at some time after.
    assert [type(act) for act in entered if not isinstance(act, Reads)] == [*[Hold] * 4, Release]
    report = json.loads(aftertrace("verify", "--data", data, "--format", "json").out)
    assert (report["integrity"], report["completeness"], report["logs"][0]["unsealed"]) == ("holds", "holds", 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "expected one of --run"),
        (("--run", "a", "--agent", "b"), "expected one of --run"),
        (("--run", "nobody"), "nobody"),
        (("--days", "yesterday"), "no days"),
        (("--days", "2026-02-01/2026-01-01"), "ends before it begins"),
        (("--agent", "x" * 501), "say it shorter"),
    ],
)
def test_what_is_no_hold_is_refused(aftertrace: Command, data: Path, options: tuple[str, ...], said: str) -> None:
    """And nothing waits for the drain."""
    done = aftertrace("hold", "add", "--data", data, *options, *BY)
    assert (done.code, said in done.err, list((data / "acts").glob("*"))) == (2, True, [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--agent", "claude-cod"), "no agent 'claude-cod' has sent anything yet; did you mean claude-code?"),
        (("--agent", "GitHub"), "did you mean github-copilot?"),
        (("--agent", "\x1b[2Jzzzz"), r"no agent '\x1b[2Jzzzz' has sent anything yet."),
        (("--source", "imports"), "did you mean import?"),
        (("--source", "import"), ""),
        (("--tenant", "acme"), "no tenant 'acme' has sent anything yet."),
        (("--days", "1999-01-01"), "nothing that was received on 1999-01-01/1999-01-01 is stored."),
        (("--agent", "claude-code"), ""),
    ],
)
def test_a_name_that_nothing_has_is_held_and_warned_of(
    aftertrace: Command, data: Path, options: tuple[str, str], said: str
) -> None:
    """With the nearest; the controls: names that something has, of which nothing is said."""
    done = aftertrace("hold", "add", "--data", data, *options, *BY)
    assert (done.code, said in done.err, bool(done.err)) == (0, True, bool(said))
    assert [each["hold"] for each in held(aftertrace, data)] == [done.out.strip()]


def test_a_hold_that_is_none_is_not_released(aftertrace: Command, data: Path) -> None:
    """Neither one that was never set, nor all of them."""
    aftertrace("hold", "add", "--data", data, "--tenant", "acme", *BY)
    for ident in ("ffff", ""):
        done = aftertrace("hold", "release", "--data", data, ident, *BY)
        assert (done.code, "expected one" in done.err) == (2, True)


def test_a_hold_is_told_of_by_its_own_entry_alone(
    aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that went without one holds nothing; nor does another entry with its id, as a packet's could be."""
    aftertrace("hold", "add", "--data", data, "--tenant", "acme", *BY)
    (hold,) = held(aftertrace, data)
    layout = Layout(data)
    for name in ("ask_hold", "ask_release"):
        monkeypatch.setattr(acts, name, lambda *_: "0" * 32)
        what = ("add", "--tenant", "acme") if name == "ask_hold" else ("release", hold["hold"])
        done = aftertrace("hold", *what, "--data", data, *BY)
        assert (done.code, done.out, "not entered, expected its entry" in done.err) == (1, "", True)
    ident = exports.ask(layout, "run", 1, bytes(32))
    drain(layout)
    monkeypatch.setattr(acts, "ask_hold", lambda *_: ident)
    assert aftertrace("hold", "add", "--data", data, "--tenant", "acme", *BY).code == 1
    assert held(aftertrace, data) == [hold]
