"""Acts that somebody asks the drain to enter in the ledger: it alone appends, and the sealer alone signs. Whoever may
write to this folder may order what the ledger has them do; what those ask who may only read, `exports` has.

Whoever acts writes a file, `acts/<id>.json`, and looks for the entry with its id. The drain enters it with its next
turn and then removes the file: after a crash between the two it knows the id. Who asked is what the file system says,
not what the file does.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from aftertrace.store import durable, folder, quarantine
from aftertrace.store.dropped import look
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import files
from aftertrace.store.ledger.contents import RetainingContents
from aftertrace.store.ledger.entries import (
    ACT_BYTES,
    TEXT_CHARACTERS,
    AnyAct,
    Entry,
    ErasedRow,
    Erasure,
    HeldBy,
    Hold,
    Release,
    Retention,
    Rotation,
    decoded,
    encoded,
)
from aftertrace.store.ledger.state import Act
from aftertrace.tlog.tiles import WIDTH, Bundle
from aftertrace.verifier.verdicts import Finding

_MOST_BYTES: Final = 64 << 20
"""What is to be destroyed is named by stretches of requests, of each day."""
_NAME: Final = re.compile(r"[0-9a-f]{32}\.json")
_ID: Final = re.compile(r"[0-9a-f]{32}")
_REFUSED: Final = ".refused"


class _AskedHold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="hold"):
    of: HeldBy
    name: str
    by: str
    why: str


class _AskedRelease(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="release"):
    hold: str
    by: str
    why: str


class _AskedRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rotation"):
    note: str


class Destroyed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests of a receiver and a day, as `Retention` has them."""

    receiver: str
    day: str
    requests: tuple[tuple[int, int], ...]
    rows: dict[str, int]


class Retaining(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="retention"
):
    """What retention is asked to destroy; members as those of `Retention`."""

    after: int | UnsetType = UNSET
    """Number of the last hold or release that was known when it was planned."""
    today: str | UnsetType = UNSET
    """The day that it is, `YYYY-MM-DD` in UTC, as a person says who was asked; not there where the clock is asked."""
    by: str
    why: str
    policy: str
    plan: str
    term_days: int
    floor_days: int
    parts: Annotated[tuple[Destroyed, ...], msgspec.Meta(min_length=1)]


class ErasedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a receiver and a day, as `Erasure` has them."""

    receiver: str
    day: str
    rows: dict[str, tuple[ErasedRow, ...]]


class Erasing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="erasure"):
    """What somebody asks to erase; members as those of `Erasure`."""

    after: int | UnsetType = UNSET
    """Number of the last hold or release that was known when the rows were chosen."""
    by: str
    why: str
    parts: Annotated[tuple[ErasedPart, ...], msgspec.Meta(min_length=1)]


_Asked: TypeAlias = _AskedHold | _AskedRelease | _AskedRotation | Retaining | Erasing | RetainingContents


_ORDERS: Final = (Retaining, Erasing, RetainingContents)
_DECODER: Final[msgspec.json.Decoder[_Asked]] = msgspec.json.Decoder(_Asked, strict=True)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An act that waits."""

    path: Path
    entries: tuple[AnyAct, ...]
    after: int | UnsetType | None = None
    """Only while this is the last hold or release, not set while there is none; None: in any case."""
    today: str | UnsetType = UNSET
    """The day that it is, as a person says."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An act with its place in the ledger."""

    number: int
    act: AnyAct


def ask_hold(layout: Layout, of: HeldBy, name: str, by: str, why: str) -> str:
    """Ask for a hold; parameters as members of `Hold`. Returns its id, and raises as `ask_to_destroy`."""
    return _ask(layout, _AskedHold(of, name, by, why))


def ask_release(layout: Layout, hold: str, by: str, why: str) -> str:
    """Ask that a hold holds no more; parameters as members of `Release`. Returns and raises as `ask_hold`."""
    return _ask(layout, _AskedRelease(hold, by, why))


def ask_rotation(layout: Layout, note: str) -> str:
    """Ask for the entry that another key signs, as a note has it. Returns and raises as `ask_hold`."""
    return _ask(layout, _AskedRotation(note))


def ask_to_destroy(layout: Layout, asked: Retaining | Erasing | RetainingContents) -> str:
    """Ask that requests, records or contents are destroyed. Durable when it returns.

    Returns:
        The id that its entries will have.

    Raises:
        Invalid: a text is empty, or longer than the ledger takes.
        OSError: the folder does not take it.
    """
    return _ask(layout, asked)


def _ask(layout: Layout, asked: _Asked) -> str:
    ident = secrets.token_hex(ACT_BYTES)
    if not _are_sound(_entries(asked, ident, 0)):
        raise Invalid(
            f"ask {layout.data}: a text is empty or has more than {TEXT_CHARACTERS} characters, or days are none, "
            "expected who, why and what; say it shorter"
        )
    folder.refuse_reader(layout)
    durable.make_folder(layout.acts)
    durable.write_file(layout.acts / f"{ident}.json", msgspec.json.encode(asked))
    return ident


def is_waiting(layout: Layout, ident: str) -> bool:
    """Whether an act waits to be entered."""
    return (layout.acts / f"{ident}.json").exists()


def refuse(waiting: Waiting, why: str) -> None:
    """Enter an act not, and say why to whoever asked.

    Raises:
        OSError: the folder does not take it.
    """
    durable.write_file(waiting.path.with_suffix(_REFUSED), why.encode())
    durable.remove(waiting.path)


def refusal(layout: Layout, ident: str) -> str | None:
    """Why an act was not entered, told once; None where it was not refused.

    Raises:
        OSError: the folder does not let it be taken away.
    """
    path = layout.acts / f"{ident}{_REFUSED}"
    try:
        why = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None
    durable.remove(path)
    return why


def waiting(layout: Layout) -> Iterator[Waiting]:
    """The acts that wait, in no order. One that is none is put aside.

    Raises:
        OSError: the disk fails.
    """
    with suppress(FileNotFoundError), os.scandir(layout.acts) as listed:
        for found in listed:
            if _NAME.fullmatch(found.name) and not found.is_dir(follow_symlinks=False):
                path = Path(found.path)
                if (found_there := _read(layout, path)) is not None:
                    yield found_there


def _read(layout: Layout, path: Path) -> Waiting | None:
    found = look(path, _MOST_BYTES + 1)
    content, uid = (b"", -1) if found is None else (found.content, found.uid)
    try:
        asked = _DECODER.decode(content)
        entries = _entries(asked, path.stem, uid)
        if not _are_sound(entries):
            raise Corrupt("read act: not one that the ledger takes")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Corrupt):
        message = "not an act, expected one that aftertrace asks for; put aside"
        quarantine.keep(layout, Finding("act_unreadable", "warning", f"acts/{path.name}", message), content)
        durable.remove(path)
        return None
    after = asked.after if isinstance(asked, _ORDERS) else None
    return Waiting(path, entries, after, asked.today if isinstance(asked, Retaining | RetainingContents) else UNSET)


def _entries(asked: _Asked, ident: str, uid: int) -> tuple[AnyAct, ...]:
    """The entries that an act becomes."""
    if isinstance(asked, _AskedHold):
        return (Hold(id=ident, uid=uid, of=asked.of, name=asked.name, by=asked.by, why=asked.why),)
    if isinstance(asked, _AskedRelease):
        return (Release(id=ident, uid=uid, hold=asked.hold, by=asked.by, why=asked.why),)
    if isinstance(asked, _AskedRotation):
        return (Rotation(id=ident, uid=uid, note=asked.note),)
    if isinstance(asked, RetainingContents):
        return asked.entries(ident, uid)
    if isinstance(asked, Erasing):
        said = asked.by, asked.why
        return tuple(_erasure(ident, uid, *said, part) for part in asked.parts)
    return tuple(
        Retention(
            id=ident,
            uid=uid,
            by=asked.by,
            why=asked.why,
            policy=asked.policy,
            plan=asked.plan,
            term_days=asked.term_days,
            floor_days=asked.floor_days,
            receiver=part.receiver,
            day=part.day,
            requests=part.requests,
            rows=part.rows,
        )
        for part in asked.parts
    )


def _erasure(ident: str, uid: int, by: str, why: str, part: ErasedPart) -> Erasure:
    return Erasure(id=ident, uid=uid, by=by, why=why, receiver=part.receiver, day=part.day, rows=part.rows)


def _are_sound(entries: Sequence[AnyAct]) -> bool:
    try:
        for entry in entries:
            decoded(encoded(entry))
    except (Corrupt, UnicodeEncodeError):
        return False
    return True


def newest(number: int, entry: Entry) -> int | UnsetType:
    """The number of the last act up to an entry, with that."""
    return number if isinstance(entry, Act) else entry.last_act


def recorded(layout: Layout) -> tuple[Recorded, ...]:
    """All acts in the ledger, in order. Those that are not signed yet too: a hold holds as soon as it is durable.

    Raises:
        Corrupt: an entry on the way is damaged or gone.
        OSError: one cannot be read.
    """
    read, size = _Reading(layout.ledger), files.size_of(layout.ledger)
    found: list[Recorded] = []
    number = newest(size - 1, read.entry(size - 1)) if size else UNSET
    while number is not UNSET:
        act = read.entry(number)
        if not isinstance(act, Act) or (act.last_act is not UNSET and act.last_act >= number):
            raise Corrupt(f"read {layout.ledger}: entry {number} is no act, expected one; run `aftertrace verify`")
        found.append(Recorded(number, act))
        number = act.last_act
    return tuple(reversed(found))


def entered(known: Iterable[Recorded], ident: str, kinds: tuple[type[AnyAct], ...]) -> list[Recorded]:
    """The entries of an act, by its id and what it became: an export has the id that its file was given."""
    return [each for each in known if each.act.id == ident and isinstance(each.act, kinds)]


def asked(layout: Layout) -> set[str]:
    """The ids of acts in the folder, those that are still being written and those that were refused too.

    Raises:
        OSError: the folder cannot be read.
    """
    with suppress(FileNotFoundError):
        return {ident[0] for path in layout.acts.iterdir() if (ident := _ID.search(path.name))}
    return set()


def last_hold(known: Iterable[Recorded]) -> int | UnsetType:
    """Number of the last hold or release, of acts in order."""
    return max((each.number for each in known if isinstance(each.act, Hold | Release)), default=UNSET)


def entered_ns(known: Iterable[Recorded]) -> int:
    """When the newest act was entered; 0 where there is none."""
    return max((int(each.act.time_ns) for each in known), default=0)


def holds(known: Iterable[Recorded]) -> tuple[Hold, ...]:
    """Those that hold, of acts in order."""
    found: dict[str, Hold] = {}
    for each in known:
        if isinstance(each.act, Hold):
            found[each.act.id] = each.act
        elif isinstance(each.act, Release):
            found.pop(each.act.hold, None)
    return tuple(found.values())


class _Reading:
    """Entries by their numbers; those of one bundle are read once."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._index = -1
        self._held: list[bytes] = []

    def entry(self, number: int) -> Entry:
        index, place = divmod(number, WIDTH)
        if index != self._index:
            self._held = files.split(files.read_bundle(self._ledger, Bundle(index)))[0]
            self._index = index
        if place >= len(self._held):
            raise Corrupt(f"read {self._ledger}: no entry {number}, expected an act; run `aftertrace verify`")
        return decoded(self._held[place])
