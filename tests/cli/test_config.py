"""`aftertrace.toml`: typed, and unforgiving to misspelt keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftertrace.cli import config
from aftertrace.cli.config import Config, DashboardSection, ReceiverSection, StoreSection
from aftertrace.store.errors import Invalid

TEXT = """
[store]
data = "lake"
[receiver]
http = "127.0.0.1:14318"
[dashboard]
enabled = false
"""


def test_a_file_gives_one_whole_configuration() -> None:
    """What the file leaves out has its default."""
    assert config.parse(TEXT, where="here") == Config(
        StoreSection(data="lake"),
        ReceiverSection(http="127.0.0.1:14318"),
        dashboard=DashboardSection(enabled=False),
    )


def test_an_empty_file_is_the_default() -> None:
    """Nothing has to be written."""
    assert config.parse("", where="here") == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[store]\ndate = 'x'", r"read here \[store\]: unknown key 'date'; did you mean 'data'\?"),
        ("[reciever]", r"read here: unknown section \[reciever\]; did you mean 'receiver'\?"),
        ("[zzz]", r"unknown section \[zzz\]; known are store, receiver, drain, derive, dashboard"),
        ("store = 1", r"'store' is a value, expected a section \[store\]"),
        ("[dashboard]\nenabled = 1", r"enabled is of type int, expected bool such as True"),
        ("[store", "not TOML"),
    ],
)
def test_what_would_be_ignored_is_an_error(text: str, message: str) -> None:
    """A setting that is not in force must not look as if it were."""
    with pytest.raises(Invalid, match=message):
        config.parse(text, where="here")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """And a folder in the file counts from the file."""
    file = tmp_path / "aftertrace.toml"
    file.write_text(TEXT)
    environment = {
        "AFTERTRACE_CONFIG": str(file),
        "AFTERTRACE_DASHBOARD_ENABLED": "yes",
        "AFTERTRACE_RECEIVER_MAX_REQUEST_BYTES": "1024",
        "AFTERTRACE_TRACEBACK": "1",
        "HOME": "/",
    }
    assert config.load(None, environment) == Config(
        StoreSection(data=str(tmp_path / "lake")),
        ReceiverSection(http="127.0.0.1:14318", max_request_bytes=1024),
        dashboard=DashboardSection(enabled=True),
    )


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("AFTERTRACE_STORE_DATE", "x", r"no such setting; did you mean 'data'\?"),
        ("AFTERTRACE_DASHBOARD_ENABLED", "maybe", r"'maybe', expected one of true, 1, yes, false, 0, no"),
        ("AFTERTRACE_RECEIVER_MAX_REQUEST_BYTES", "many", r"'many', expected a whole number"),
    ],
)
def test_a_wrong_variable_is_an_error(variable: str, text: str, message: str) -> None:
    """As in the file."""
    with pytest.raises(Invalid, match=message):
        config.load(None, {variable: text})


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    """Only the default file may be missing."""
    with pytest.raises(Invalid, match="No such file"):
        config.load(tmp_path / "other.toml", {})
