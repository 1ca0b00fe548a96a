"""The options that say how rows leave: ``--format``, ``--out``, ``--limit``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from aftertrace.cli.formats import FORMATS

_Function = TypeVar("_Function", bound=Callable[..., Any])


def output_options(command: _Function) -> _Function:
    """Add the options; the command gets ``form``, ``out`` and ``limit``."""
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
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="`table` and `markdown` show the main columns, the others all of them; `json` is one object per line.",
    )(command)
