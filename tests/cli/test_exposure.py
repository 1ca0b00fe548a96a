"""`status`: what of the store is open to the account that agents run under, or to anybody."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from aftertrace.cli.exposure import Exposure, exposures
from aftertrace.store.layout import Layout

from .conftest import Command

STRANGER = "54321"
"""An account that owns nothing and is in no group."""


@pytest.fixture
def closed(data: Path) -> Layout:
    """A store that nobody but its owner may touch."""
    for path in (data, *data.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o022)
    return Layout(data)


def test_a_store_as_it_is_made_is_closed(closed: Layout) -> None:
    """To a stranger, to groups and to others."""
    assert (exposures(closed, ""), exposures(closed, STRANGER), exposures(closed, "nobody-of-this-name")) == (
        (),
        (),
        (),
    )


@pytest.mark.parametrize(
    ("path", "mode", "may"),
    [
        ("sealer/key", 0o604, "read"),
        ("keys/store.key", 0o604, "read"),
        ("ledger/checkpoint", 0o646, "write"),
        ("tables/spans", 0o777, "write"),
        ("wal", 0o777, "write"),
        (".", 0o733, "write"),
    ],
)
def test_what_is_open_is_told_by_path(closed: Layout, path: str, mode: int, may: str) -> None:
    """To a stranger as to others."""
    (closed.data / path).chmod(mode)
    assert list(exposures(closed, STRANGER)) == [Exposure(path, may, "agents")]
    assert Exposure(path, may, "others") in exposures(closed, "")


def test_agents_that_may_read_the_store_are_told(closed: Layout) -> None:
    """They would see what other agents did; where it is not known who they are, a group that reads is no alarm."""
    closed.data.chmod(0o755)
    assert list(exposures(closed, STRANGER)) == [Exposure(".", "read", "agents")]
    closed.data.chmod(0o750)
    assert (exposures(closed, STRANGER), exposures(closed, "")) == ((), ())


def test_the_owner_of_the_store_may_do_all(closed: Layout) -> None:
    """Agents that run under the same account, or as root."""
    for user in (pwd.getpwuid(os.getuid()).pw_name, "0"):
        told = exposures(closed, user)
        assert {Exposure("sealer/key", "read", "agents"), Exposure("ledger", "write", "agents")} <= set(told)


def test_status_warns(aftertrace: Command, closed: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line for each, and in JSON; of the account that the configuration names."""
    monkeypatch.setenv("AFTERTRACE_STORE_AGENTS_USER", STRANGER)
    assert "exposed" not in aftertrace("status", "--data", closed.data).out
    closed.sealer_key.chmod(0o644)
    line = "exposed      sealer/key: the account that agents run under may read it; see to its owner and mode"
    assert line in aftertrace("status", "--data", closed.data).out.splitlines()
    told = json.loads(aftertrace("status", "--data", closed.data, "--format", "json").out)["exposures"]
    assert told == [{"path": "sealer/key", "may": "read", "who": "agents"}]
