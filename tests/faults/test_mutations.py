"""Any file of a store flipped, cut, lengthened, emptied, swapped or removed: verify tells of it, and of nothing else.

`SEED` chooses the places; `make faults` goes through a thousand of them.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from faults.amount import SEED, amount
from tests.ingest.drain_samples import drain, logs, new_store, send, traces

from aftertrace.ingest.drain import DrainOptions
from aftertrace.store import tables
from aftertrace.store.errors import AftertraceError
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import Asked, verify
from aftertrace.tlog.keys import VerifierKey

MUTATIONS: Final = amount(quick=60, usual=1000, full=10_000)
KINDS: Final = ("flip", "cut", "lengthen", "empty", "swap", "remove")
_CLASSES: Final = {
    "evidence": "tables/evidence/received_date",
    "spans": "tables/spans/received_date",
    "events": "tables/events/received_date",
    "resources": "tables/resources/received_date",
    "scopes": "tables/scopes/received_date",
    "lookups": "tables/_lookup",
    "commits": "_delta_log/0",
    "Delta's checkpoints": ".checkpoint.parquet",
    "the WAL": ".wal",
    "entries": "ledger/tile/entries",
    "tiles": "ledger/tile/0",
    "the checkpoint": "ledger/checkpoint",
    "the key": "ledger/key",
    "the sealer's": "sealer/",
}
_HARMLESS: Final = ("keys/", "lock", "FORMAT", "_last_checkpoint", "entries/000.p/")
"""Secrets and locks are not evidence. What else is there helps readers: it is made again, or read elsewhere."""

_UNSEEN: Final = {("the WAL", "lengthen"), ("Delta's checkpoints", "flip")}
"""A WAL that is being written ends in part of a frame, too. Of a checkpoint of Delta's, what readers see is compared
with the commits, and not the bytes: `test_verify` forges one."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is done to a file."""

    kind: str
    path: Path
    other: Path
    place: float

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind} {self.path.name} at {self.place:.3f}"

    def apply(self) -> bool:
        """Do it; whether anything is other than before."""
        content, others = self.path.read_bytes(), self.other.read_bytes()
        at = int(self.place * len(content))
        if self.kind == "flip" and content:
            changed = content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
        else:
            changed = {"cut": content[:at], "lengthen": content + b"\x01\x02\x03", "swap": others}.get(self.kind, b"")
        if self.kind == "remove":
            self.path.unlink()
        else:
            self.path.write_bytes(changed)
        if self.kind == "swap":
            self.other.write_bytes(content)
        return self.kind == "remove" or changed != content


def live(layout: Layout) -> set[str]:
    """Names of data files that readers see: those that a fold replaced stay for an hour, and nobody reads them."""
    snapshot = Snapshot.of(layout.data)
    return {path.rpartition("/")[2] for table in TABLES for path, _ in snapshot.files(table)}


def class_of(path: Path, data: Path, seen: set[str]) -> str | None:
    """Which class of files a file is of; None for those whose loss does no harm."""
    name = path.relative_to(data).as_posix()
    if any(part in name for part in _HARMLESS) or ("/received_date" in name and path.name not in seen):
        return None
    if ".checkpoint." in name and path != max(path.parent.glob("*.checkpoint.parquet")):
        # Readers begin at the newest.
        return None
    return next(kind for kind, part in reversed(_CLASSES.items()) if part in name)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A store with folded files, a checkpoint of Delta's, two receivers, and all of it signed."""
    layout = new_store(tmp_path_factory.mktemp("ready") / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "CHECKPOINT_EVERY", 3)
        for number in range(1, 6):
            send(layout, traces(number))
            drain(layout, DrainOptions(fold_at=2))
            seal(layout)
        send(layout, logs(6), signal="logs", receiver="import")
        drain(layout)
        seal(layout)
    return layout


def mutations(layout: Layout) -> Iterator[Mutation]:
    """Each class of files in turn."""
    chosen = random.Random(SEED)
    classes: dict[str, list[Path]] = {}
    seen = live(layout)
    for path in sorted(path for path in layout.data.rglob("*") if path.is_file() and path.stat().st_size):
        found = class_of(path, layout.data, seen)
        if found is not None:
            classes.setdefault(found, []).append(path)
    assert classes.keys() == _CLASSES.keys()
    for number in range(MUTATIONS):
        kind = KINDS[number // len(classes) % len(KINDS)]
        paths = classes[list(classes)[number % len(classes)]]
        path = chosen.choice(paths)
        if (list(classes)[number % len(classes)], kind) in _UNSEEN:
            continue
        yield Mutation(kind, path, chosen.choice([each for each in paths if each != path] or [path]), chosen.random())


def said(layout: Layout, key: VerifierKey) -> list[str]:
    """What verify has to say."""
    try:
        report = verify(layout, Asked(keys=(key,), patience_s=0))
    except AftertraceError as refusal:
        return [type(refusal).__name__]
    return [found.code for found in report.findings]


@pytest.mark.slow
def test_every_mutation_is_told_of(ready: Layout, tmp_path: Path) -> None:
    """And a store that is put back as it was has nothing to be told."""
    key = VerifierKey.parse(ready.ledger_key.read_text().strip())
    layout = Layout(tmp_path / "data")
    shutil.copytree(ready.data, layout.data)
    assert said(layout, key) == []
    missed: list[str] = []
    codes: Counter[str] = Counter()
    for mutation in mutations(layout):
        before = {path: path.read_bytes() for path in (mutation.path, mutation.other)}
        if mutation.apply():
            told = said(layout, key)
            codes.update(set(told))
            if not told:
                missed.append(f"{mutation.path.relative_to(layout.data)}: {mutation}")
        for path, content in before.items():
            path.write_bytes(content)
    print(f"{MUTATIONS} mutations: {dict(codes.most_common())}")
    assert missed == [], "\n".join(missed)
    assert said(layout, key) == []
