"""The classes of files of a data folder, with what names each rightly; and those whose loss does no harm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_DAY: Final = r"\d{4}-\d\d-\d\d"
_HEX: Final = "[0-9a-f]+"
_NAME: Final = "[a-z0-9_-]+"
_ROWS: Final = rf"received_date={_DAY}/{_NAME}\.{_HEX}\.parquet"
_ANSWERS: Final = rf"derived/{_NAME}"
_VERSION: Final = r"\d{20}"


@dataclass(frozen=True, slots=True)
class FileClass:
    """Files of one class."""

    names: str
    """A pattern of their names in a data folder."""
    told: frozenset[str]
    """Codes that name them rightly: one of them is told of whatever is done to a file."""
    untold: Mapping[str, str]
    """Kinds of mutations that do no harm here, each with why."""


def _class(names: str, told: str, **untold: str) -> FileClass:
    return FileClass(names, frozenset(told.split()), {kind.replace("_", " "): why for kind, why in untold.items()})


_OF_A_TABLE: Final = "file_digest file_missing"
_SEEN: Final = "what readers see by it is compared, and not its bytes"
_ANEW: Final = "answers are derived anew where it does not fit, and compared with their records by --derived"

CLASSES: Final[dict[str, FileClass]] = {
    "the format": _class("FORMAT", "Invalid"),
    "evidence": _class(f"tables/evidence/{_ROWS}", _OF_A_TABLE),
    "spans": _class(f"tables/spans/{_ROWS}", _OF_A_TABLE),
    "events": _class(f"tables/events/{_ROWS}", _OF_A_TABLE),
    "resources": _class(f"tables/resources/{_ROWS}", _OF_A_TABLE),
    "scopes": _class(f"tables/scopes/{_ROWS}", _OF_A_TABLE),
    "lookups": _class(f"tables/_lookup/{_NAME}/{_ROWS}", "lookup_missing lookup_differs"),
    "commits": _class(
        rf"tables/{_NAME}/_delta_log/{_VERSION}\.json", "commit_altered commit_missing table_rolled_back"
    ),
    "Delta's checkpoints": _class(
        rf"tables/{_NAME}/_delta_log/{_VERSION}\.checkpoint\.parquet",
        "table_differs",
        flip=_SEEN,
        reorder=_SEEN,
        remove="readers who find none begin at another, or at the first commit",
        roll_back="the same",
    ),
    "the WAL": _class(
        rf"wal/{_NAME}/{_VERSION}\.\d{{4}}\.wal",
        "frame_damaged frame_differs wal_behind",
        lengthen="one that is being written ends in part of a frame, too",
    ),
    "entries": _class(r"ledger/tile/entries/\d{3}(\.open)?", "ledger_altered ledger_missing ledger_torn unsealed"),
    "entries for others": _class(
        r"ledger/tile/entries/\d{3}\.p/\d+",
        "ledger_altered",
        remove="it is only there while the log rests: the entries themselves are in the bundle that is open",
        roll_back="the same",
    ),
    "tiles": _class(r"ledger/tile/\d/\d{3}(\.p/\d+)?", "ledger_altered ledger_missing"),
    "the checkpoint": _class("ledger/checkpoint", "not_signed checkpoint_behind"),
    "the key": _class("ledger/key", "key_damaged sealer_broken"),
    "the key that signs": _class("sealer/key", "sealer_broken"),
    "what was signed": _class("sealer/signed", "sealer_broken"),
    "blobs": _class(rf"blobs/{_DAY}/[a-z2-7]{{32}}\.blob", "blob_differs blob_missing"),
    "keys of blobs": _class(rf"keys/blobs/{_DAY}\.key", "blob_differs blob_missing"),
    "days of contents": _class(rf"blobs/{_DAY}\.destroyed", "destroyed_differs"),
    "the store's key": _class(r"keys/store\.key", "store_key_differs unchecked"),
    "reads": _class(rf"reads/{_HEX}\.jsonl", "reads_differ reads_missing"),
    "refusals": _class(
        rf"refused/{_NAME}\.json",
        "refusals_differ refusals_missing",
        flip="more of them is no fault, as where a clock was put back: `test_refused` makes them fewer",
    ),
    "damage": _class(rf"quarantine/{_NAME}-{_HEX}\.bin", "quarantine_differs quarantine_missing"),
    "what is known of damage": _class(
        rf"quarantine/{_NAME}-{_HEX}\.json",
        "quarantine_differs quarantine_missing",
        flip="how it is put is not in the ledger; its code and place are: `test_verify_files`",
        reorder="the same",
        lengthen="the same",
    ),
    "comments": _class("commentary/(comments|checkpoint|key)", "comments"),
    "the state of answers": _class("derived/STATE", "derived_differs", flip=_ANEW, remove=_ANEW, roll_back=_ANEW),
    "answers": _class(rf"{_ANSWERS}/{_HEX}-{_HEX}\.parquet", "derived_differs"),
    "keys of answers": _class(rf"derived/index/{_HEX}-{_HEX}\.keys", "derived_differs"),
    "logs of answers": _class(rf"{_ANSWERS}/_delta_log/{_VERSION}\.json", "derived_differs", flip=_SEEN, reorder=_SEEN),
}
"""Those without which something that is stored, or is said of it, would be lost or others."""

OF_A_LAKE: Final[dict[str, FileClass]] = {
    "holds": _class(rf"tables/_holds/{_HEX}", "hold_differs hold_missing"),
}
"""The same of what only tables that several receivers share have."""

HARMLESS: Final[dict[str, str]] = {
    r"drain\.lock|(sealer|derived|commentary|wal/[a-z0-9_-]+)/lock|keys/sources\.lock": "held by a process; empty",
    r"keys/sources\.json|keys/quotas\.json": "who may send, and how much: what was sent says which credential it had",
    r"sealer/next": "the key that is to sign: it signs nothing before the ledger names it",
    r"commentary/signer": "the key that signs comments: without it none is added, and none of them changed",
    rf"commentary/unsigned\.{_HEX}": "lines that nobody signed, set aside",
    rf"tables/{_NAME}/_delta_log/_last_checkpoint": "where readers may begin; without it they list the log. Where it "
    "leads them past rows that is told: `test_verify_hidden`",
    rf"{_ANSWERS}/_delta_log/(_last_checkpoint|{_VERSION}\.checkpoint\.parquet)": "the same of what was derived",
    rf"wal/{_NAME}/{_VERSION}\.\d{{4}}\.wal\.spare": "room for a segment that is to come: zeros",
    rf"wal/{_NAME}/(anew|claim|claim\.wanted)": "asks for a segment; shows a lake whose the name is, or nothing starts",
    rf"tables/LAKE|tables/_receivers/{_NAME}": "whose key it has, whose names those are: who has others does not start",
    rf"tables/_holds/{_HEX}\.released": "where it is not there, others go on to hold",
    rf"acts/{_HEX}\.(json|refused)": "asked for, and not entered yet",
    rf"reads/new/{_HEX}\.(json|export)": "left, and not entered yet",
    r"retention\.json": "when retention ran last by itself: the ledger has what it did",
    r"ledger/witnessed": "a checkpoint for whoever knows the witnesses: `aftertrace verify --checkpoint` compares it",
}
"""Patterns of names, each with why nobody loses by such a file."""


def class_of(name: str) -> str | None:
    """The class of a file of a data folder; None where its loss does no harm.

    Raises:
        LookupError: it is of none that is known: something writes files that nobody looks at.
    """
    for kind, each in (CLASSES | OF_A_LAKE).items():
        if re.fullmatch(each.names, name):
            return kind
    if any(re.fullmatch(pattern, name) for pattern in HARMLESS):
        return None
    raise LookupError(f"{name}: of no class of files; add one to {__name__}, or say why its loss does no harm")
