"""Any file of a store flipped, cut, reordered, swapped, put back or removed: verify names it, and nothing else.

`SEED` chooses the places; `make faults` goes through a thousand of them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pytest
from faults.amount import SEED, amount
from faults.file_classes import CLASSES, OF_A_LAKE, FileClass, class_of
from faults.whole_store import files_in, lake_store, whole_store

from aftertrace.cli import root
from aftertrace.store import verify as verifying
from aftertrace.store.commentary.log import read
from aftertrace.store.errors import AftertraceError
from aftertrace.store.layout import Layout
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import Asked, verify
from aftertrace.tlog.keys import VerifierKey

MUTATIONS: Final = amount(quick=64, usual=1000, full=10_000)
KINDS: Final = ("flip", "cut", "lengthen", "empty", "reorder", "swap", "roll back", "remove")
RECORDED: Final = {"gap", "put_aside", "contents_destroyed", "derived_unverified", "key_rotated"}
"""What is told of the store as it is: what was recorded when it happened."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is done to files of a class."""

    of: str
    """Of which class."""
    kind: str
    path: Path
    becomes: Mapping[Path, bytes | None]
    """What each file of it holds then; None: it is gone."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Knows the keys from elsewhere, as somebody who verifies does."""

    ledger: VerifierKey
    comments: VerifierKey | None
    written: int
    """How many comments there are."""

    @classmethod
    def of(cls, layout: Layout) -> Judge:
        """With the keys of a store."""
        commentary = read(layout)
        return cls(VerifierKey.parse(layout.ledger_key.read_text().strip()), commentary.key, len(commentary.comments))

    def said(self, layout: Layout) -> Counter[str]:
        """What `verify` and `comment verify` have to say."""
        found: Counter[str] = Counter()
        try:
            report = verify(layout, Asked(keys=(self.ledger,), patience_s=0))
            found.update(each.code for each in report.findings)
        except AftertraceError as refusal:
            found[type(refusal).__name__] += 1
        except Exception as crash:  # noqa: BLE001 (a traceback names nothing)
            found[f"a traceback of {type(crash).__name__}"] += 1
        try:
            commentary = read(layout)
            is_sound = commentary.key == self.comments and len(commentary.comments) >= self.written
        except AftertraceError:
            is_sound = False
        if not is_sound or commentary.unsigned:
            found["comments"] += 1
        return found


def put(files: Mapping[Path, bytes | None]) -> None:
    """Let files hold this."""
    for path, content in files.items():
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)


def by_class(layout: Layout) -> dict[str, list[Path]]:
    """The files of each class, of those of tables the ones that readers see: those that a fold replaced stay for an
    hour, and nobody reads them.
    """
    snapshot = Snapshot.of(layout.data)
    seen = {path.rpartition("/")[2] for table in TABLES for path, _ in snapshot.files(table)}
    found: dict[str, list[Path]] = {}
    for path in files_in(layout):
        kind = class_of(path.relative_to(layout.data).as_posix())
        if kind is not None and (path.name in seen or "/received_date=" not in path.as_posix()):
            found.setdefault(kind, []).append(path)
    return found


def reordered(content: bytes, place: float) -> bytes:
    """A line changes places with the next one; where there are no lines, two parts do."""
    lines = content.splitlines(keepends=True)
    if len(lines) > 1 and content.isascii():
        at = int(place * (len(lines) - 1))
        return b"".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    at = int(place * len(content))
    return content[at:] + content[:at]


def becomes(kind: str, path: Path, other: Path, place: float) -> dict[Path, bytes | None]:
    """What comes of a file, and of another one of its class."""
    content = path.read_bytes()
    at = int(place * len(content))
    if kind == "swap":
        return {path: other.read_bytes(), other: content}
    changed = {
        "flip": content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :],
        "cut": content[:at],
        "lengthen": content + b"\x01\x02\x03",
        "empty": b"",
        "reorder": reordered(content, place),
        "remove": None,
    }
    return {path: changed[kind]}


def mutations(layout: Layout, older: Mapping[Path, bytes], classes: Mapping[str, FileClass]) -> Iterator[Mutation]:
    """Each kind for each class of files in turn, without an end, as far as it does harm and changes anything."""
    chosen = random.Random(SEED)
    found = by_class(layout)
    turns = [(of, kind) for kind in KINDS for of in classes if kind not in classes[of].untold]
    chosen.shuffle(turns)
    for of, kind in cycle(turns):
        path = chosen.choice(found[of])
        if kind == "roll back":
            # All files of the class: of one alone most classes have no older form.
            changed = {each: older.get(each) for each in found[of]}
        else:
            others = [each for each in found[of] if each != path]
            changed = becomes(kind, path, chosen.choice(others or [path]), chosen.random())
        if any(each.read_bytes() != content for each, content in changed.items()):
            yield Mutation(of, kind, path, changed)


def missed(layout: Layout, mutated: Iterable[Mutation], classes: Mapping[str, FileClass]) -> list[str]:
    """What was not told of, or not named rightly; after each the store is put back as it was, and nothing is told."""
    judge = Judge.of(layout)
    sound = judge.said(layout)
    found: list[str] = []
    codes, kinds = Counter[str](), Counter[str]()
    for mutation in mutated:
        before = {path: path.read_bytes() for path in mutation.becomes}
        put(mutation.becomes)
        told = judge.said(layout) - sound
        put(before)
        codes.update(told.keys())
        kinds[mutation.kind] += 1
        if not told.keys() & classes[mutation.of].told:
            where = mutation.path.relative_to(layout.data)
            found.append(f"{mutation.of}, {mutation.kind}: {where}: {', '.join(told) or 'nothing told'}")
    assert judge.said(layout) == sound
    print(f"{kinds.total()} mutations of {len(classes)} classes: {dict(kinds)}; told: {dict(codes.most_common())}")
    return found


@pytest.mark.slow
def test_every_mutation_is_told_of_and_named_rightly(tmp_path: Path) -> None:
    """And a store that is put back as it was has nothing to be told but what was recorded."""
    layout, older = whole_store(tmp_path / "data")
    assert by_class(layout).keys() == CLASSES.keys()
    assert Judge.of(layout).said(layout).keys() == RECORDED
    mutated = islice(mutations(layout, older, CLASSES), MUTATIONS)
    assert missed(layout, mutated, CLASSES) == []


@pytest.mark.slow
def test_what_only_a_shared_lake_has_is_told_of(tmp_path: Path) -> None:
    """The holds in it, which others take from there."""
    layout = lake_store(tmp_path)
    assert by_class(layout).keys() > OF_A_LAKE.keys()
    assert missed(layout, islice(mutations(layout, {}, OF_A_LAKE), 20), OF_A_LAKE) == []


def test_a_judge_who_sees_nothing_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: with a verify that looks at no batch of reads, theirs are missed, and only theirs."""
    layout, older = whole_store(tmp_path / "data")
    monkeypatch.setattr(verifying, "check_reads", lambda *_, **__: None)
    chosen = (each for each in mutations(layout, older, CLASSES) if each.of in ("reads", "blobs"))
    mutated = list(islice(chosen, 4))
    assert len(missed(layout, mutated, CLASSES)) == sum(each.of == "reads" for each in mutated) > 0


def test_a_store_that_was_made_by_commands_has_no_file_of_another_class(tmp_path: Path) -> None:
    """That of the demo; and a file that nobody knows is named."""
    assert root.run(["demo", "--once", "--folder", str(tmp_path / "demo")]) == 0
    data = tmp_path / "demo" / "store"
    names = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    assert {class_of(name) for name in names} >= {"evidence", "tiles", "the WAL", None}
    with pytest.raises(LookupError, match=r"tables/notes.txt: of no class of files"):
        class_of("tables/notes.txt")
