"""What every command is told: the configuration, and the data folder that the command works on."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aftertrace.cli import config
from aftertrace.store.errors import Invalid, Unavailable
from aftertrace.store.layout import Layout

if TYPE_CHECKING:
    from aftertrace.analyzer import Analysis
    from aftertrace.analyzer.inventory.declared import Inventory

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass
class Settings:
    """The configuration, read when it is first needed, so that `--help` works beside a broken file."""

    file: Path | None
    """What `--config` named."""

    @cached_property
    def config(self) -> config.Config:
        """The configuration. Raises `Invalid`."""
        return config.load(self.file, os.environ)


def current() -> config.Config:
    """The configuration of the running command. Raises `Invalid`."""
    settings = click.get_current_context().find_object(Settings)
    return settings.config if settings is not None else Settings(None).config


def told_file() -> Path | None:
    """The file that ``--config`` named, absolute; None where it was not used."""
    settings = click.get_current_context().find_object(Settings)
    return None if settings is None or settings.file is None else settings.file.absolute()


def reread() -> config.Config:
    """The same, read anew: what a server goes on by that is told to. Raises `Invalid`."""
    settings = click.get_current_context().find_object(Settings)
    return config.load(None if settings is None else settings.file, os.environ)


def inventory(file: Path | None = None) -> Inventory | None:
    """The inventory of a file, or of the one that is configured; None where there is none. Raises `Invalid`."""
    from aftertrace.analyzer.inventory.declared import read

    named = file or (Path(told) if (told := current().inventory.file) else None)
    return None if named is None else read(named)


def analysis(data: Path, *, as_of_ns: int | None = None, declared: Inventory | None = None) -> Analysis:
    """The analysis of a store, as every command reads it: with what people declared.

    Args:
        data: folder of the store.
        as_of_ns: only what had been received before then is looked at; None: all.
        declared: the inventory that counts; None: the one that is configured.

    Raises:
        Invalid: the configured inventory is none.
    """
    from aftertrace.analyzer import open_analysis

    return open_analysis(data, as_of_ns=as_of_ns, inventory=declared or inventory())


def analysis_of_run(
    data: Path, text: str, *, as_of_ns: int | None = None, now_ns: int | None = None, declared: Inventory | None = None
) -> tuple[Analysis, str]:
    """The same of what one run needs, and the run's id (`opening.open_run`). Raises `Invalid`, also for the run."""
    from aftertrace.analyzer import open_run

    return open_run(data, text, now_ns=now_ns, as_of_ns=as_of_ns, inventory=declared or inventory())


def data_option(command: _Function) -> _Function:
    """Add ``--data DIR``; the command gets ``data``, a folder that may not exist yet."""
    return click.option(
        "--data",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        callback=_data,
        help="Folder of the store.  [default: store.data of aftertrace.toml, else ./aftertrace-data]",
    )(command)


def existing(data: Path) -> Path:
    """The folder, if it holds a store.

    Raises:
        Invalid: it does not; reading must not make one.
    """
    if not (data / "FORMAT").is_file():
        raise Invalid(
            f"open {data}: no store there, expected one that `aftertrace serve` or `aftertrace import` made; "
            "say where it is: --data DIR"
        )
    return data


def readable(data: Path) -> Path:
    """The folder, with everything in its tables that was accepted so far, also where no `serve` runs to drain it.

    Raises:
        Invalid: there is no store.
    """
    from aftertrace.store.waiting import waits

    layout = Layout(existing(data))
    with suppress(Unavailable, PermissionError):
        if waits(layout):
            from aftertrace.ingest.catching_up import catch_up

            catch_up(data)
    return data


def keep_readable(data: Path) -> None:
    """Have what this process makes be as the store's readers need it, where it has readers."""
    from aftertrace.store.readers import UMASK, group_of

    if group_of(Layout(data)) is not None:
        os.umask(UMASK)


def _data(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path:
    # Also where `--data` is given: a file with a misspelt key must not look as if it were in force.
    configured = Path(current().store.data)
    data = value if value is not None else configured
    keep_readable(data)
    return data
