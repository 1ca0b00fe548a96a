"""The guide for new dialects, done as it says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Final

import pytest

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import Dialect

from .analyzer import frames

GUIDE: Final = (Path(__file__).parents[1] / "docs" / "DIALECTS.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The guide's one block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


def expected() -> list[dict[str, str]]:
    """The guide's table of calls."""
    header, _, *rows = [line.strip("|").split("|") for line in GUIDE.splitlines() if line.startswith("|")]
    return [dict(zip(map(str.strip, header), map(str.strip, row), strict=True)) for row in rows]


def calls(columns: list[str]) -> list[dict[str, str]]:
    """What becomes of the guide's export now."""
    made = frames.of_requests([("logs", "json", block("json").encode())])
    return made.analysis().calls.select(columns).to_dicts()


def test_a_newcomer_gets_what_the_guide_promises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its module, put where it says, reads its export as its table has it. Without the module nothing is read."""
    wanted = expected()
    assert calls(list(wanted[0])) == []
    (tmp_path / "acme.py").write_text(block("python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    acme = importlib.import_module("acme")
    added = Dialect(acme.NAME, acme.READS, acme.read)
    before = [dialect.name for dialect in dialects.DIALECTS].index("genai")
    monkeypatch.setattr(dialects, "DIALECTS", (*dialects.DIALECTS[:before], added, *dialects.DIALECTS[before:]))
    assert calls(list(wanted[0])) == wanted


def test_the_guide_stays_short() -> None:
    """Prose, export and code: what is longer is not read."""
    assert sum(bool(line) for line in GUIDE.splitlines()) <= 60
