"""`readers`: which group may read the store, as the configuration has it, and `serve` does when it starts."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aftertrace.cli import serving, settings

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout


@click.command(short_help="Let a group read the store, or nobody.")
@settings.data_option
def readers(data: Path) -> None:
    """Let the members of the group `store.readers` read the store, and write nothing of it; nobody, where it is empty.

    `serve` does the same whenever it starts. Root does it for the account that the store belongs to, which then need
    not be in that group. What a reader of the group cannot read are keys, what is encrypted under them, and requests
    that are not in the tables yet.
    """
    from aftertrace.store.layout import Layout

    layout = Layout(settings.existing(data))
    group = settings.current().store.readers
    with _as_owner(layout, group):
        changed = settle(layout, group)
    who = f"members of {group}" if group else "nobody but its owner"
    click.echo(f"{data}: {who} may read it; {changed} files and folders were changed")
    if changed and serving.find(data) is not None:
        sys.stderr.write("note: what `serve` makes from now on is as it was when it started: start it anew\n")


def settle(layout: Layout, group: str) -> int:
    """Let the members of a group read a store and nobody else, or nobody where there is no group.

    A store that no group was admitted to is left as it is.

    Returns:
        How many files and folders were changed.

    Raises:
        Invalid: there is no such group, or this account may not do that.
    """
    from aftertrace.store import readers as of_store

    if group:
        changed = of_store.admit(layout, of_store.gid_of(group))
    else:
        changed = of_store.dismiss(layout) if of_store.group_of(layout) is not None else 0
    settings.keep_readable(layout.data)
    return changed


def named(layout: Layout) -> str | None:
    """The group whose members may read a store; None: there is none."""
    from aftertrace.store.readers import group_of

    gid = group_of(layout)
    if gid is None:
        return None
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@contextmanager
def _as_owner(layout: Layout, group: str) -> Iterator[None]:
    """Have root go on as the owner of a store and a member of its readers: whoever may write to the folder could lead
    root to other files.
    """
    from aftertrace.store.readers import gid_of

    owner = layout.data.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    before = os.getegid(), os.getgroups()
    try:
        own = pwd.getpwuid(owner.st_uid).pw_gid
    except KeyError:
        own = owner.st_uid
    os.setgroups([gid_of(group)] if group else [])
    os.setegid(own)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before[0])
        os.setgroups(before[1])
