"""Every path inside a data folder, and nothing else.

::

    <data>/FORMAT                                         which version of this layout the folder has
    <data>/drain.lock                                     held by the one drain
    <data>/keys/store.key                                 32 random bytes, mode 0600
    <data>/keys/sources.json, sources.lock                who may send, mode 0600; locked while it is changed
    <data>/keys/quotas.json                               how much each may send, mode 0600
    <data>/keys/blobs/<day>.key                           what the blobs of a day are encrypted with, mode 0600
    <data>/blobs/<day>/<digest>.blob                      large content that records refer to (`blobs`)
    <data>/blobs/<day>.destroyed                          when that of a day was destroyed, for readers
    <data>/wal/<receiver>/lock                            held by the one writer of this WAL
    <data>/wal/<receiver>/claim                           what shows that the name is its own in a shared lake
    <data>/wal/<receiver>/claim.wanted                    the same, until the lake has it
    <data>/wal/<receiver>/anew                            asks the writer to begin another segment
    <data>/wal/<receiver>/<first seq>.<generation>.wal    a segment
    <data>/wal/<receiver>/<…>.wal.spare                   space for a segment that is to come: zeros
    <data>/tables/                                        the lake; where several receivers share it, a link or a URL
    <data>/tables/LAKE                                    of a shared one: by which key its records are told apart
    <data>/tables/_receivers/<receiver>                   of a shared one: whose name that is
    <data>/tables/_holds/<id>, <id>.released              of a shared one: what is held, and what no more
    <data>/tables/<table>/received_date=…/….parquet       rows, with `_delta_log/` beside them
    <data>/tables/_lookup/<table>/…                       which groups of rows of that file hold which ids
    <data>/derived/STATE                                  which files of derived tables count (`derived`)
    <data>/derived/lock                                   held by the one process that derives
    <data>/derived/<table>/….parquet                      what was derived of some runs
    <data>/derived/index/….keys                           which of these, and of stored files, hold a key (`key_index`)
    <data>/derived/<table>/_delta_log/                    which of them other engines read (`derived_logs`)
    <data>/derived/<table>/.checkpoint/                   a checkpoint of that log while it is made
    <data>/ledger/checkpoint                              what is signed of the ledger
    <data>/ledger/witnessed                               the same with signatures of witnesses
    <data>/ledger/key                                     the public key that it is signed with
    <data>/ledger/tile/…                                  its hashes and entries (`tlog.tiles`)
    <data>/ledger/tile/entries/….open                     the entries that do not fill a bundle yet
    <data>/sealer/key                                     the key that signs, mode 0600
    <data>/sealer/next                                    the key that is to sign next, mode 0600
    <data>/sealer/signed                                  the last checkpoint that it signed
    <data>/sealer/lock                                    held by the one sealer
    <data>/commentary/comments                            what people wrote, one comment a line (`commentary.log`)
    <data>/commentary/checkpoint, key                     what is signed of it, and the public key
    <data>/commentary/signer, lock                        the key that signs, mode 0600; held while one is added
    <data>/commentary/unsigned.<digest>                   lines that were found behind what was signed
    <data>/reads/<id>.jsonl                               who read what, as the ledger has it (`reads`)
    <data>/reads/new/<id>.json, <id>.export               left by whoever read or made a packet, for the drain to take
    <data>/acts/<id>.json                                 an act that the drain is to enter in the ledger
    <data>/acts/<id>.refused                              why it did not, until whoever asked has read it
    <data>/retention.json                                 when retention ran last by itself, and what came of it
    <data>/refused/<receiver>.json                        how many requests were refused, by day
    <data>/quarantine/<name>.json, <name>.bin             what was damaged: what is known of it, and its bytes
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from aftertrace.store.errors import Invalid

FORMAT_VERSION: Final = 4
"""Raised when an older aftertrace could misread the folder."""

SEGMENT_SUFFIX: Final = ".wal"
SPARE_SUFFIX: Final = ".spare"
NAME_CHARACTERS: Final = 32
"""How long the name of a receiver may be."""
_RECEIVER: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{NAME_CHARACTERS - 1}}}")
_SEGMENT: Final = re.compile(r"(\d{20})\.(\d{4})\.wal")
_FOR_READERS: Final = frozenset(
    {
        "FORMAT", "acts", "blobs", "commentary", "derived", "ledger", "quarantine", "reads", "refused",
        "retention.json", "serving.json", "tables", "wal",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one data folder. Nothing is read or made here: `store.folder.open_folder` does that."""

    data: Path

    @property
    def marker(self) -> Path:
        """The file that says which version of the layout this is."""
        return self.data / "FORMAT"

    @property
    def store_key(self) -> Path:
        """The key of the keyed record digests."""
        return self.data / "keys" / "store.key"

    @property
    def sources(self) -> Path:
        """Who may send, with digests of their tokens."""
        return self.data / "keys" / "sources.json"

    @property
    def quotas(self) -> Path:
        """How much each source may send."""
        return self.data / "keys" / "quotas.json"

    @property
    def sources_lock(self) -> Path:
        """Locked while `sources` is changed."""
        return self.data / "keys" / "sources.lock"

    @property
    def drain_lock(self) -> Path:
        """Locked by the drain while it runs."""
        return self.data / "drain.lock"

    @property
    def wal_folder(self) -> Path:
        """Holds one folder per receiver."""
        return self.data / "wal"

    @property
    def tables_folder(self) -> Path:
        """The lake: holds one folder per table. Where it is in a bucket, a file with its URL."""
        return self.data / "tables"

    @property
    def is_shared(self) -> bool:
        """Whether other receivers, with data folders of their own, commit to the same tables."""
        return self.tables_folder.is_symlink() or self.tables_folder.is_file()

    @property
    def blobs(self) -> Path:
        """Large content that records refer to."""
        return self.data / "blobs"

    def blobs_of(self, day: date) -> Path:
        """That of records that were received on a day."""
        return self.blobs / day.isoformat()

    def blob(self, day: date, digest: str) -> Path:
        """One of these."""
        return self.blobs_of(day) / f"{digest}.blob"

    def blobs_destroyed(self, day: date) -> Path:
        """Says when they were destroyed."""
        return self.blobs / f"{day.isoformat()}.destroyed"

    def blob_key(self, day: date) -> Path:
        """The key that they are encrypted with."""
        return self.data / "keys" / "blobs" / f"{day.isoformat()}.key"

    @property
    def quarantine(self) -> Path:
        """Holds copies of what was found damaged."""
        return self.data / "quarantine"

    @property
    def derived(self) -> Path:
        """What was derived from the tables, and can be again."""
        return self.data / "derived"

    @property
    def derived_index(self) -> Path:
        """What leads from keys to stored and derived files."""
        return self.derived / "index"

    @property
    def derived_state(self) -> Path:
        """Which files of it count."""
        return self.derived / "STATE"

    @property
    def derived_lock(self) -> Path:
        """Locked by the process that derives."""
        return self.derived / "lock"

    @property
    def ledger(self) -> Path:
        """The log that commits to all that the drain has stored; its public files."""
        return self.data / "ledger"

    @property
    def checkpoint(self) -> Path:
        """What is signed of the ledger."""
        return self.ledger / "checkpoint"

    @property
    def witnessed(self) -> Path:
        """What was signed when witnesses last saw it, with their signatures."""
        return self.ledger / "witnessed"

    @property
    def ledger_key(self) -> Path:
        """The public key that it is signed with."""
        return self.ledger / "key"

    @property
    def sealer(self) -> Path:
        """What the sealer alone needs to read and to write."""
        return self.data / "sealer"

    @property
    def sealer_key(self) -> Path:
        """The key that signs."""
        return self.sealer / "key"

    @property
    def sealer_next(self) -> Path:
        """The key that signs once the ledger says so."""
        return self.sealer / "next"

    @property
    def sealer_signed(self) -> Path:
        """The last checkpoint that was signed."""
        return self.sealer / "signed"

    @property
    def sealer_lock(self) -> Path:
        """Locked by the sealer while it runs."""
        return self.sealer / "lock"

    @property
    def commentary(self) -> Path:
        """What people wrote: a log of its own, with a key of its own."""
        return self.data / "commentary"

    def wal(self, receiver: str) -> Path:
        """The WAL folder of a receiver.

        Raises:
            Invalid: the name is not one to `NAME_CHARACTERS` of `a-z 0-9 _ -`; names become paths, so they are narrow.
        """
        if not _RECEIVER.fullmatch(receiver):
            raise Invalid(f"open WAL {receiver!r}: not a receiver name, expected {_RECEIVER.pattern}; rename it")
        return self.wal_folder / receiver

    def wal_lock(self, receiver: str) -> Path:
        """Locked by the writer of a receiver's WAL."""
        return self.wal(receiver) / "lock"

    def wal_anew(self, receiver: str) -> Path:
        """Asks the writer of a receiver's WAL to begin another segment."""
        return self.wal(receiver) / "anew"

    def claim(self, receiver: str) -> Path:
        """Shows that a receiver's name in a shared lake is that of this WAL."""
        return self.wal(receiver) / "claim"

    def claim_wanted(self, receiver: str) -> Path:
        """The same, until the lake has it."""
        return self.wal(receiver) / "claim.wanted"

    @property
    def retention_run(self) -> Path:
        """When retention ran last by itself."""
        return self.data / "retention.json"

    def refused(self, receiver: str) -> Path:
        """How many requests a receiver refused, by day."""
        return self.data / "refused" / f"{self.wal(receiver).name}.json"

    @property
    def acts(self) -> Path:
        """Acts that wait to be entered in the ledger."""
        return self.data / "acts"

    @property
    def reads(self) -> Path:
        """Who read what, in batches that the ledger commits to."""
        return self.data / "reads"

    @property
    def reads_new(self) -> Path:
        """Where whoever reads leaves what is not in a batch yet."""
        return self.reads / "new"

    def receivers(self) -> list[str]:
        """Names of the receivers that have a WAL, in order."""
        if not self.wal_folder.is_dir():
            return []
        return sorted(path.name for path in self.wal_folder.iterdir() if _RECEIVER.fullmatch(path.name))

    def own(self, receivers: Iterable[str]) -> set[str]:
        """Those of some receivers whose files in the lake this folder's drain looks after: all but where it shares."""
        return set(receivers) & set(self.receivers()) if self.is_shared else set(receivers)


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """What a segment's file name says; in the order in which segments are read."""

    first_seq: int
    """Sequence number of the first frame that the segment was made for."""
    generation: int
    """0, or one more than the segment with the same `first_seq` before it."""

    def __str__(self) -> str:
        """The file name."""
        return f"{self.first_seq:020d}.{self.generation:04d}{SEGMENT_SUFFIX}"

    @classmethod
    def parse(cls, name: str) -> SegmentName | None:
        """The inverse of `str()`; None for any other file."""
        match = _SEGMENT.fullmatch(name)
        return cls(int(match[1]), int(match[2])) if match else None


def is_for_readers(parts: Sequence[str]) -> bool:
    """Whether a path is for those who may read a store and not write to it (`readers`). What this does not know is not.

    Args:
        parts: of the path, below the data folder.
    """
    first, name = parts[0], parts[-1]
    if first not in _FOR_READERS or name == "lock" or name.endswith(".new") or parts == ("commentary", "signer"):
        return False
    if first == "wal":
        # Which receivers there are; the requests of each have a salt and digests that tables have once they are stored.
        return len(parts) <= 2
    return first != "blobs" or len(parts) == 1 or name.endswith(".destroyed")


def segments(folder: Path) -> list[Path]:
    """The segments of a WAL folder, in reading order; none if there is no such folder."""
    if not folder.is_dir():
        return []
    named = ((SegmentName.parse(path.name), path) for path in folder.iterdir())
    return [path for _, path in sorted((name, path) for name, path in named if name is not None)]
