"""The options that say how rows leave: ``--format``, ``--out``, ``--limit``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from aftertrace.cli.formats import FORMATS

_Function = TypeVar("_Function", bound=Callable[..., Any])


def output_options(command: _Function) -> _Function:
    """Add the options; the command gets ``form``, ``out`` and ``limit``."""
    return _options(command, FORMATS, "")


def text_or_rows(command: _Function) -> _Function:
    """The same options, where a page of text is one of the formats, and the one that is taken."""
    return _options(command, ("text", *FORMATS), "`text` is a page to read; ")


def _options(command: _Function, forms: Sequence[str], page: str) -> _Function:
    command = click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Only the first N.")(command)
    command = click.option(
        "--out",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write to a file instead of standard output.",
    )(command)
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help=f"{page}`table` and `markdown` show the main columns, the others all of them; `json` is one object per "
        "line.",
    )(command)
