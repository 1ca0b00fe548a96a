"""What of a store the account that agents run under, or anybody else, may write or read: by owner, group and mode."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from aftertrace.store.layout import Layout

May: TypeAlias = Literal["read", "write"]
_BITS: dict[May, tuple[int, int, int]] = {
    "read": (stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH),
    "write": (stat.S_IWUSR, stat.S_IWGRP, stat.S_IWOTH),
}


@dataclass(frozen=True, slots=True)
class Exposure:
    """Something of a store that is open to somebody who should not have it."""

    path: str
    may: May
    who: str
    """`agents`, `group` or `others`."""


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom agents run as."""

    uid: int
    gids: frozenset[int]


def exposures(layout: Layout, agents_user: str) -> tuple[Exposure, ...]:
    """What is open.

    Args:
        layout: of the store.
        agents_user: name or number of the account that agents run under. Empty: it is not known, so what groups and
            others may is told.
    """
    account = _account(agents_user) if agents_user else None
    return tuple(_found(layout, account))


def _found(layout: Layout, account: _Account | None) -> Iterator[Exposure]:
    data = layout.data
    folders = (
        data,
        layout.wal_folder,
        layout.tables_folder,
        layout.ledger,
        layout.sealer,
        layout.store_key.parent,
        layout.derived,
        layout.acts,
        layout.reads,
        layout.commentary,
    )
    secrets = (layout.sealer_key, layout.sealer_next, layout.store_key, layout.sources)
    asked: list[tuple[Path, May]] = [(path, "write") for path in (*folders, *layout.tables_folder.glob("[a-z]*"))]
    if account is not None:
        # A group that may read is no alarm, unless agents are in it.
        asked.append((data, "read"))
    asked += [(path, may) for path in secrets for may in _BITS]
    asked += [(path, "write") for path in (layout.checkpoint, layout.ledger_key, layout.sealer_signed)]
    with suppress(OSError):
        if not layout.reads_new.stat().st_mode & stat.S_ISVTX:
            # With that bit it is a drop box: each may put something in, and take nothing of others out.
            asked.append((layout.reads_new, "write"))
    for path, may in asked:
        try:
            found = path.stat()
        except OSError:
            # Not there, or not to be seen: then nobody else's business is told either.
            continue
        for who in _who(found, may, account):
            yield Exposure(path.relative_to(data).as_posix(), may, who)


def _who(found: os.stat_result, may: May, account: _Account | None) -> Iterator[str]:
    own, group, others = _BITS[may]
    if account is None:
        yield from (who for bit, who in ((group, "group"), (others, "others")) if found.st_mode & bit)
    elif account.uid == 0:
        yield "agents"
    else:
        bit = own if account.uid == found.st_uid else group if found.st_gid in account.gids else others
        # Whoever owns it can give it any mode.
        if found.st_mode & bit or account.uid == found.st_uid:
            yield "agents"


def _account(name: str) -> _Account:
    try:
        known = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        # A number without an entry, as in a container; or an account that is not of this machine.
        return _Account(int(name), frozenset()) if name.isdecimal() else _Account(-1, frozenset())
    groups = {each.gr_gid for each in grp.getgrall() if known.pw_name in each.gr_mem}
    return _Account(known.pw_uid, frozenset({known.pw_gid, *groups}))
