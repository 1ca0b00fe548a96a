"""`aftertrace.toml`: typed, and unforgiving to misspelt keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftertrace.cli import config
from aftertrace.cli.config import Config, DashboardSection, ReceiverSection, RedactionSection, StoreSection
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
        ("[zzz]", r"unknown section \[zzz\]; known are store, receiver, redaction, drain, derive"),
        ("store = 1", r"'store' is a value, expected a section \[store\]"),
        ("[dashboard]\nenabled = 1", r"enabled is of type int, expected bool such as True"),
        ("[store", "not TOML"),
        ("[redaction]\ndrop_keys = 'a'", "drop_keys is of type str or holds other values, expected a list of texts"),
        ("[redaction]\ndrop_keys = [1]", "drop_keys is of type list or holds other values, expected a list of texts"),
        ("[redaction]\ncapture_of = ['a']", "capture_of is of type list or .*, expected a table of texts"),
    ],
)
def test_what_would_be_ignored_is_an_error(text: str, message: str) -> None:
    """A setting that is not in force must not look as if it were."""
    with pytest.raises(Invalid, match=message):
        config.parse(text, where="here")


def test_lists_and_tables_are_texts_in_the_order_of_the_file() -> None:
    """As the rules of redaction have them, in the file and in the environment."""
    text = """
[redaction]
drop_keys = ["b.*", "a"]
[redaction.secret_patterns]
employee = 'EMP-[0-9]{6}'
"""
    section = RedactionSection(drop_keys=("b.*", "a"), secret_patterns=(("employee", "EMP-[0-9]{6}"),))
    assert config.parse(text, where="here") == Config(redaction=section)
    environment = {
        "AFTERTRACE_REDACTION_DROP_KEYS": '["b.*", "a"]',
        "AFTERTRACE_REDACTION_SECRET_PATTERNS": "{employee = 'EMP-[0-9]{6}'}",
    }
    assert config.load(None, environment) == Config(redaction=section)


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
        ("AFTERTRACE_REDACTION_DROP_KEYS", "a, b", r"expected a list of texts, as TOML writes it in one line: "),
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
