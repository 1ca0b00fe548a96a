"""`redact test`: what a policy would find, in a file and in a store, without a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Command

SECRET = "ghp_" + "C4naryC4nary" * 3
SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "name": f"call {SECRET}",
    "attributes": [
        {"key": "app.customer", "value": {"stringValue": "Ann"}},
        {"key": "note", "value": {"stringValue": f"{SECRET} and ann@example.com and {SECRET}"}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "password", "value": {"stringValue": "x1y2"}}]}}},
    ],
}
REQUEST = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "owner", "value": {"stringValue": "ann@example.com"}}]},
            "scopeSpans": [{"spans": [SPAN]}],
        }
    ]
}
OWN = """
[redaction]
redact_keys = ["app.customer"]
rules_on = ["email"]
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A file of one request."""
    file = tmp_path / "recorded.jsonl"
    file.write_text(json.dumps(REQUEST) + "\n")
    return file


def rows(out: str) -> list[tuple[str, str, int]]:
    """The rows of an output in JSON."""
    return [(row["rule"], row["place"], row["hits"]) for row in map(json.loads, out.splitlines())]


def test_a_file_is_looked_at_by_the_policy_in_force(recorded: Path, aftertrace: Command) -> None:
    """Counted by rule and place; no value is told."""
    ended = aftertrace("redact", "test", str(recorded), "--format", "json")
    assert ended.code == 1
    assert rows(ended.out) == [("github", "note", 2), ("github", "Span.name", 1), ("password-field", "map", 1)]
    assert not any(value in ended.out + ended.err for value in (SECRET, "Ann", "ann@", "x1y2"))


def test_a_policy_is_tried_on_what_is_stored_before_it_is_in_force(
    tmp_path: Path, recorded: Path, aftertrace: Command
) -> None:
    """What was redacted is not found again; the store is not changed."""
    data, policy = tmp_path / "data", tmp_path / "next.toml"
    policy.write_text(OWN)
    assert aftertrace("import", str(recorded), "--data", str(data)).code == 0
    held = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    clean = aftertrace("redact", "test", "--data", str(data), "--format", "json")
    assert (clean.code, clean.out) == (0, "")
    ended = aftertrace("redact", "test", "--data", str(data), "--policy", str(policy), "--format", "json")
    assert ended.code == 1
    assert rows(ended.out) == [("email", "note", 1), ("email", "owner", 1), ("redacted-key", "app.customer", 1)]
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == held


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[redaction]\nrules_on = ['mail']", "there is no such rule 'mail'; did you mean 'email'?"),
        ("[redaction]\nkeys = []", "unknown key 'keys'"),
    ],
)
def test_a_policy_that_cannot_hold_is_refused(
    tmp_path: Path, recorded: Path, aftertrace: Command, text: str, message: str
) -> None:
    """With the way out, and the exit code of wrong input."""
    policy = tmp_path / "next.toml"
    policy.write_text(text)
    ended = aftertrace("redact", "test", str(recorded), "--policy", str(policy))
    assert (ended.code, message in ended.err) == (2, True)
