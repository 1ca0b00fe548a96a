"""The documents are true: what they list exists, what exists is listed, and what they show was run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import click
import pytest

from aftertrace.analyzer import DERIVED, EMITTERS
from aftertrace.cli import config, reference
from aftertrace.cli.root import aftertrace
from aftertrace.store.schema import TABLES

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "REFERENCE.md"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    path
    for folder in ("semconv", "exporter", "analyzer", "dashboards", "benchmarks", "deploy", "docs")
    for path in (ROOT / folder).glob("*.md")
)
RECORDINGS = ROOT / "dashboards" / "aftertrace" / "cli" / "recordings"
LIMIT_S = 120
ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Shown:
    """A command in a document, and what the document says that it prints."""

    command: str
    output: list[str]


def transcripts(page: Path) -> Iterator[list[Shown]]:
    """The `console` blocks of a page; lines that begin with `$` are commands."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        shown: list[Shown] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                shown.append(Shown(line[2:], []))
            else:
                shown[-1].output.append(line)
        yield shown


def matches(said: list[str], printed: list[str]) -> bool:
    """Whether a document tells the truth: `…` stands for anything, alone on a line for any number of lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == ANYTHING else ".*".join(map(re.escape, line.split(ANYTHING))) + r"\n" for line in said
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


TRANSCRIPTS = [(page, index) for page in PAGES for index, _ in enumerate(transcripts(page))]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "index"), TRANSCRIPTS, ids=lambda part: getattr(part, "name", part))
def test_every_transcript_is_what_the_commands_print(tmp_path: Path, page: Path, index: int) -> None:
    """Each block runs in a folder of its own that holds the recordings."""
    for recording in RECORDINGS.iterdir():
        shutil.copy(recording, tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AFTERTRACE_")}
    for shown in list(transcripts(page))[index]:
        command = re.sub(r"^aftertrace\b", f"{sys.executable} -m aftertrace.cli", shown.command)
        ended = subprocess.run(
            ["bash", "-c", f"{command} 2>&1"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        printed = [line for line in ended.stdout.splitlines() if not re.match(r"\d{4}-\d\d-\d\d [\d:,]+ INFO", line)]
        assert matches(shown.output, printed), ended.stdout


def test_a_transcript_that_lies_is_seen() -> None:
    """Negative control of the comparison."""
    assert matches(["a", "…", "c …"], ["a", "b", "b", "c d"])
    assert not matches(["a", "c …"], ["a", "b", "c d"])
    assert not matches(["a …"], ["a b", "more"])


def test_the_readme_shows_transcripts() -> None:
    """Negative control: were the blocks renamed, nothing above would run."""
    assert [part for page, part in TRANSCRIPTS if page.name == "README.md"][:2] == [0, 1]


def test_the_reference_is_as_the_code_has_it() -> None:
    """`make docs` writes it anew."""
    assert REFERENCE.read_text(encoding="utf-8") == reference.text(), "stale: run make docs"


def test_every_command_and_option_is_in_the_reference_and_has_help() -> None:
    """Found here in another way than the reference is made."""
    text = REFERENCE.read_text(encoding="utf-8")
    missing = []
    for path, command in reference.walk(aftertrace, ("aftertrace",)):
        section = text.partition(f"### {' '.join(path)}\n")[2].partition("\n### ")[0]
        missing += [path] if not section or not command.help else []
        for parameter in command.params:
            names = (
                parameter.opts
                if isinstance(parameter, click.Option)
                else [parameter.make_metavar(click.Context(command))]
            )
            missing += [(*path, name) for name in names if f"{name}" not in section]
            missing += [path] if isinstance(parameter, click.Option) and not parameter.help else []
    assert missing == []


def test_every_setting_table_column_and_emitter_is_in_the_reference() -> None:
    """Each with a text that says what it means."""
    text = REFERENCE.read_text(encoding="utf-8")
    expected = {
        f"| `{section}` | `{item.name}` |" for section, kind in config.SECTIONS.items() for item in fields(kind)
    }
    expected |= {f"### {name}\n" for name in DERIVED} | {f"### {name} (stored)\n" for name in TABLES}
    expected |= {f"| `{column}` |" for table in DERIVED.values() for column in table.schema}
    expected |= {f"| `{column}` |" for table in TABLES.values() for column in table.schema.names}
    expected |= {f"| `{emitter.name}` |" for emitter in EMITTERS}
    assert sorted(piece for piece in expected if piece not in text) == []
    assert [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    """Other addresses are not asked."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert [
        target for target in targets if target and "://" not in target and not (page.parent / target).exists()
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_and_command_that_is_named_exists(page: Path) -> None:
    """In inline code, and in blocks of `sh` and `console`; the code in FORMAT.md is bytes."""
    text = page.read_text(encoding="utf-8") if page.name != "FORMAT.md" else ""
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    code = "\n".join([*lines, *re.findall(r"`([^`\n]+)`", prose)])
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", code, re.MULTILINE)) - targets == set()
    assert set(re.findall(r"^aftertrace ([a-z-]+)", code, re.MULTILINE)) - set(aftertrace.commands) == set()


def test_make_help_lists_every_target() -> None:
    """Each target that people call says what it does."""
    makefile = (ROOT / "Makefile").read_text()
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert [target for target in phony.split() if f"  {target} " not in listed] == []


def test_the_changelog_keeps_its_form() -> None:
    """Keep a Changelog: versions, newest first, and known kinds of change."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## \[(.*?)\]", text, re.MULTILINE)[0] == "Unreleased"
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_no_secret_place_is_named() -> None:
    """Nothing in the documents names a machine or a folder of whoever wrote them."""
    for page in PAGES:
        assert not re.search(r"/(root|home/(?!user\b)\w+|work|tmp)/", page.read_text(encoding="utf-8")), page
