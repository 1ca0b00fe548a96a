"""What every entry of the ledger says, and every act: the beginnings of the forms in `entries`."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class CommitRange(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Versions of a table, one after the other."""

    first: int
    last: int
    digest: str
    """SHA-256 over the SHA-256 digests of their commits."""


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every entry says of the log as of it. The log fills it in; an entry is written with all of it."""

    time_ns: str = "0"
    """When it was made, in decimal: nanoseconds are more than every reader of JSON keeps exactly."""
    upto: dict[str, int] = {}
    """Last seq of each receiver that the log speaks of."""
    versions: dict[str, int] = {}
    """Last version of each table that it speaks of."""
    commits: dict[str, CommitRange] = {}
    """Those of tables since the entry before that had some of the same table."""
    last_act: int | UnsetType = UNSET
    """Number of the last entry before it that is an act; not there before the first one. So the last entry leads to
    all acts."""


class Act(State, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody asked for."""

    id: str
    """32 hex digits; entries of one act have the same."""
    uid: int
    """The account that asked for it, as the file system has it."""
