"""The entries of the ledger: lines of JSON that hold digests, counts and places, and nothing of a record.

An entry is written in one way only: members in order of their names, no space, every member of its kind and no other.
Digests stand in base64, as in the files of the log.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from aftertrace.store.errors import Corrupt
from aftertrace.store.ledger import contents
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.days import days_of, is_day
from aftertrace.store.ledger.state import Act, State
from aftertrace.tlog.merkle import HASH_BYTES, root_of

Of: TypeAlias = Literal["run", "incident", "period"]
"""What a packet is about."""
HeldBy: TypeAlias = Literal["run", "agent", "tenant", "source", "days"]
"""By what it is told which requests a hold keeps."""
ERASED: Final = 500
"""Rows in an entry at most that are erased."""
STRETCHES: Final = 1000
"""Stretches of requests in an entry at most."""
SOURCES: Final = 100
"""Sources that an entry names at most."""
REFUSALS: Final = 200
"""Counts of refused requests in an entry at most."""
ACT_BYTES: Final = 16
"""Of the id of an act."""
TEXT_CHARACTERS: Final = 500
"""How long a text may be that a person wrote."""
_TAKEN: Final = frozenset({"evidence", "spans", "events"})
NOTE_CHARACTERS: Final = 2000
"""How long a note may be that names keys."""
_DIGEST: Final = re.compile(r"[A-Za-z0-9+/]{43}=")
_ACT: Final = re.compile(r"[0-9a-f]{32}")


class Rows(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The rows of a request in a table."""

    count: int
    root: str
    """Root of the tree over their leaves, in order of index and ordinal."""


class FrameEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request, and what it became."""

    seq: int
    digest: str
    """Of its frame in the WAL."""
    evidence: Rows
    spans: Rows
    events: Rows

    def rows(self, table: str) -> Rows:
        """Those in one of the three tables."""
        return {"evidence": self.evidence, "spans": self.spans, "events": self.events}[table]


class Begin(State, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="begin"):
    """From here on the log covers a receiver. What was stored of it up to a seq, and is not in the log, never will."""

    receiver: str
    after_seq: int
    shared: bool | UnsetType = UNSET
    """Whether other data folders store in the same tables; not there in entries of before 2026-11-22."""


class Batch(State, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="batch"):
    """Requests of a receiver and a day, in order."""

    receiver: str
    day: str
    """Of receipt, in UTC, `YYYY-MM-DD`."""
    frames: tuple[FrameEntry, ...]


class Gap(State, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="gap"):
    """Requests of a receiver that its WAL had no more when they were to be stored."""

    receiver: str
    first_seq: int
    last_seq: int


class Quarantine(State, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="quarantine"):
    """Bytes that could not be read, put aside."""

    receiver: str
    code: str
    where: str
    digest: str
    """Of the bytes."""
    name: str
    """Of the files in `quarantine/`."""


class Tables(State, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="tables"):
    """Commits that stored no request: a table was made or folded, or got a column."""


class Restored(State, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="restored"):
    """Tables were found at older versions than the log speaks of: they were put back. It was not said by whom, nor why;
    what they do not have any more is missed. Commits behind these versions are told once more from here on.
    """

    back: dict[str, int]
    """Version of each that it was found at."""


class Export(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="export"):
    """A packet was made: a copy of records that somebody took out."""

    of: Of
    runs: int
    """How many runs it has evidence of."""
    digest: str
    """Of its `tagmanifest-sha256.txt`, from which all of it follows."""


class Hold(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="hold"):
    """From here on nothing of what it names is destroyed."""

    of: HeldBy
    name: str
    """Of the run, agent, tenant or source; or the first and the last day of receipt, `YYYY-MM-DD/YYYY-MM-DD`."""
    by: str
    """Who ordered it, as they said."""
    why: str


class Release(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="release"):
    """A hold holds no more."""

    hold: str
    """Its id."""
    by: str
    """Who ordered it, as they said."""
    why: str


class _Order(Act, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something of a receiver and a day is destroyed once this is signed: its rows of all three tables."""

    by: str
    """Who ordered it, as they said."""
    why: str
    receiver: str
    day: str
    """Of receipt, in UTC, `YYYY-MM-DD`."""
    sources: tuple[str, ...] | UnsetType = UNSET
    """Who sent it, as the drain found when it entered this; not there where they are more than 100."""
    compared: int | UnsetType = UNSET
    """Number of the last hold or release then: of what held, none kept any of it. Not there where there was none."""


class Retention(_Order, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="retention"):
    """Requests whose term is over."""

    policy: str
    """Digest of the policy by which they were chosen."""
    plan: str
    """Digest of the plan that was ordered."""
    term_days: int
    """The shortest term of those by which they were chosen."""
    floor_days: int
    """The shortest term that the policy allows."""
    requests: tuple[tuple[int, int], ...]
    """First and last seq of stretches of them, in order."""
    rows: dict[str, int]
    """How many they had in each table."""


class ErasedRow(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A row that is erased, and the hash that stays of it."""

    seq: int
    index: int
    ordinal: int
    leaf: str
    """Of the tree over the rows of its request: so the roots of all that is kept are made as before."""


class Erasure(_Order, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="erasure"):
    """Single records."""

    rows: dict[str, tuple[ErasedRow, ...]]
    """By table."""


class Withdrawn(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="withdrawn"):
    """An order is carried out no further: a hold keeps some of what it names."""

    hold: str
    """Its id."""
    day: str
    """What the order names of days before this one is destroyed; what it names of later ones stays."""
    gone: tuple[str, ...]
    """Tables whose rows of this day were destroyed already, of what it names; the others stay."""


class Retained(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="retained"):
    """All that an order had to destroy is gone, with the files that had it."""

    files: int
    """How many files of tables, and blobs, were removed for it, as far as is known."""


class Refusal(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="refusal"):
    """Requests that a receiver refused on a day that is over: entered by the drain, for the account that it runs as."""

    receiver: str
    day: str
    """In UTC, `YYYY-MM-DD`."""
    refused: tuple[tuple[str, str, int, int], ...]
    """Source, signal, HTTP status, and how many, up to 200 of them; more are in further entries of the same act."""


class Reads(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="reads"):
    """So many reads, in a file of this digest, `reads/<id>.jsonl`: entered by the drain, for its account."""

    reads: int
    digest: str


class Rotation(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="rotation"):
    """With a checkpoint that ends here, another key signs."""

    note: str
    """That names both, as `verifier.rotations` has it."""


AnyAct: TypeAlias = (
    Export | Hold | Release | Retention | Erasure | ContentRetention | Withdrawn | Retained | Refusal | Reads | Rotation
)
Entry: TypeAlias = Begin | Batch | Gap | Quarantine | Tables | Restored | AnyAct
_DECODER: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry, strict=True)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def encoded(entry: Entry) -> bytes:
    """The bytes of an entry."""
    return _ENCODER.encode(entry)


def decoded(content: bytes) -> Entry:
    """The inverse of `encoded`.

    Raises:
        Corrupt: it is not an entry, or not written as `encoded` writes it.
    """
    try:
        entry = _DECODER.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _none() from None
    if encoded(entry) != content or not _is_sound(entry):
        raise _none()
    return entry


def text_of(digest: bytes) -> str:
    """A digest as it stands in an entry."""
    return b64encode(digest).decode()


def digest_of(text: str) -> bytes:
    """The inverse of `text_of`. Raises `Corrupt` for anything else."""
    if _DIGEST.fullmatch(text) is None:
        raise _none()
    found = b64decode(text)
    if len(found) != HASH_BYTES or text_of(found) != text:
        raise _none()
    return found


def rows_of(leaves: Sequence[bytes]) -> Rows:
    """What an entry says of rows with these leaves."""
    return Rows(len(leaves), text_of(root_of(leaves)))


def _is_sound(entry: Entry) -> bool:
    """What types do not say: numbers that can be, and digests that are some."""
    numbers = [*entry.upto.values(), *entry.versions.values()]
    digests: list[str] = []
    for commits in entry.commits.values():
        numbers += [commits.first, commits.last, commits.last - commits.first]
        digests.append(commits.digest)
    if isinstance(entry, Begin):
        numbers.append(entry.after_seq)
    elif isinstance(entry, Gap):
        numbers += [entry.first_seq, entry.last_seq - entry.first_seq]
    elif isinstance(entry, Quarantine):
        digests.append(entry.digest)
    elif isinstance(entry, Restored):
        numbers += [*entry.back.values(), len(entry.back) - 1]
    elif isinstance(entry, Act):
        told, named = _told_of_act(entry)
        numbers += told
        digests += named
    elif isinstance(entry, Batch):
        for frame in entry.frames:
            for rows in (frame.evidence, frame.spans, frame.events):
                numbers.append(rows.count)
                digests.append(rows.root)
            numbers.append(frame.seq - 1)
            digests.append(frame.digest)
        numbers += [later.seq - frame.seq - 1 for frame, later in pairwise(entry.frames)]
        if not entry.frames or not is_day(entry.day):
            return False
    numbers += [] if entry.last_act is UNSET else [entry.last_act]
    is_counted = all(0 <= number < 1 << 63 for number in numbers) and entry.time_ns.isascii()
    return is_counted and entry.time_ns.isdecimal() and all(_DIGEST.fullmatch(digest) for digest in digests)


def _told_of_act(entry: Act) -> tuple[list[int], list[str]]:
    """Numbers that must not be negative, and digests; -1 stands for what cannot be."""
    ids, numbers, digests = [entry.id], [entry.uid], list[str]()
    if isinstance(entry, Retention | Erasure):
        numbers += [0 if entry.sources is UNSET or 0 < len(entry.sources) <= SOURCES else -1]
        numbers += [0 if entry.compared is UNSET else entry.compared]
    if isinstance(entry, Export | Reads):
        numbers.append(entry.runs if isinstance(entry, Export) else entry.reads - 1)
        digests.append(entry.digest)
    elif isinstance(entry, Hold):
        numbers += _fits(entry.by, entry.why, entry.name)
        numbers += [0 if entry.of != "days" or days_of(entry.name) else -1]
    elif isinstance(entry, Release):
        ids.append(entry.hold)
        numbers += _fits(entry.by, entry.why)
    elif isinstance(entry, Retention):
        ends = [seq for stretch in entry.requests for seq in stretch]
        is_sorted = all(last < first for (_, last), (first, _) in pairwise(entry.requests))
        numbers += [*_fits(entry.by, entry.why), entry.term_days, entry.floor_days, *entry.rows.values()]
        numbers += [seq - 1 for seq in ends] + [last - first for first, last in entry.requests]
        numbers += [0 if is_sorted and 0 < len(ends) <= 2 * STRETCHES and is_day(entry.day) else -1]
        digests += [entry.policy, entry.plan]
    elif isinstance(entry, Erasure):
        rows = [row for found in entry.rows.values() for row in found]
        numbers += _fits(entry.by, entry.why)
        numbers += [part for row in rows for part in (row.seq - 1, row.index, row.ordinal)]
        numbers += [0 if 0 < len(rows) <= ERASED and is_day(entry.day) else -1]
        digests += [row.leaf for row in rows]
    elif isinstance(entry, Withdrawn):
        ids.append(entry.hold)
        numbers += [0 if is_day(entry.day) and len(entry.gone) < len(_TAKEN) and {*entry.gone} <= _TAKEN else -1]
    elif isinstance(entry, ContentRetention):
        numbers += [*_fits(entry.by, entry.why), *contents.numbers(entry)]
        digests.append(entry.plan)
    elif isinstance(entry, Retained):
        numbers.append(entry.files)
    elif isinstance(entry, Rotation):
        numbers.append(NOTE_CHARACTERS - len(entry.note))
    elif isinstance(entry, Refusal):
        numbers += [requests - 1 for *_, requests in entry.refused] + [status for _, _, status, _ in entry.refused]
        numbers += [0 if 0 < len(entry.refused) <= REFUSALS and is_day(entry.day) else -1]
    return [*numbers, *(0 if _ACT.fullmatch(ident) else -1 for ident in ids)], digests


def _fits(*texts: str) -> list[int]:
    return [0 if 0 < len(text) <= TEXT_CHARACTERS else -1 for text in texts]


def _none() -> Corrupt:
    return Corrupt("read ledger: not an entry, expected one as aftertrace writes it; run `aftertrace verify`")
