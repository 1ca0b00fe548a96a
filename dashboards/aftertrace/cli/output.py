"""How rows and texts leave a command: ``--format``, ``--out``, ``--limit``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aftertrace.cli.formats import FORMATS

if TYPE_CHECKING:
    from aftertrace.analyzer.documents.document import Document

_Function = TypeVar("_Function", bound=Callable[..., Any])

out_option = click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to a file instead of standard output.",
)
"""``--out``: the command gets ``out``, a path or None."""


def form_option(forms: Sequence[str], help: str) -> Callable[[_Function], _Function]:  # noqa: A002  # click's word
    """``--format``: the command gets ``form``, one of some; the first unless it is given."""
    return click.option("--format", "form", type=click.Choice(forms), default=forms[0], show_default=True, help=help)


def write(text: str, out: Path | None) -> None:
    """Write a text to a file, with the same bytes on every system, or to standard output where there is none."""
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8", newline="\n")


def say(lines: Sequence[str], out: Path | None) -> None:
    """Write the lines of a page, as `write` does."""
    write("\n".join(lines) + "\n", out)


def written(document: Document, form: str) -> str:
    """A document as ``html`` or ``markdown``."""
    from aftertrace.analyzer.documents import html, markdown

    return html.written(document) if form == "html" else markdown.written(document)


def output_options(command: _Function) -> _Function:
    """Add the options; the command gets ``form``, ``out`` and ``limit``."""
    return _options(command, FORMATS, "")


def text_or_rows(command: _Function) -> _Function:
    """The same options, where a page of text is one of the formats, and the one that is taken."""
    return _options(command, ("text", *FORMATS), "`text` is a page to read; ")


def _options(command: _Function, forms: Sequence[str], page: str) -> _Function:
    command = click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Only the first N.")(command)
    command = out_option(command)
    return form_option(
        forms,
        f"{page}`table` and `markdown` show the main columns, the others all of them; `json` is one object per line.",
    )(command)
