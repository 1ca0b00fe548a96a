"""Opening a ledger to verify against it: its checkpoint, whether that is genuine, and the entries that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aftertrace.store.errors import Corrupt
from aftertrace.store.finding import Finding
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Entry, decoded
from aftertrace.store.ledger.files import read_bundle, read_tile
from aftertrace.store.ledger.log import PARTIAL, size_after
from aftertrace.store.ledger.verdicts import error
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.tlog.proofs import prove_consistency, verify_consistency
from aftertrace.tlog.tiled import TiledTree
from aftertrace.tlog.tiles import WIDTH, Bundle, Tile, bundles_since, entries_in, hashes_in, width_at

_LOG = "ledger"


@dataclass(slots=True)
class Opened:
    """A ledger as it was found."""

    checkpoint: Checkpoint | None = None
    key: VerifierKey | None = None
    key_is_own: bool = False
    entries: list[Entry] = field(default_factory=list)
    """Those that the checkpoint covers, and then those that it does not yet."""
    signed: int = 0
    """How many of them are covered."""
    findings: list[Finding] = field(default_factory=list)


def open_ledger(layout: Layout, keys: Sequence[VerifierKey], kept: Sequence[Note]) -> Opened:
    """Read a ledger, and check it from its checkpoint down to its entries.

    Args:
        layout: of the store.
        keys: those that may have signed, known from elsewhere; without any, the store's own.
        kept: checkpoints that somebody kept elsewhere, which this ledger has to go on from.

    Raises:
        OSError: it cannot be read.
    """
    found = Opened()
    _authenticate(found, layout, keys)
    if found.checkpoint is not None:
        _read_signed(found, layout, found.checkpoint, kept)
    _read_unsigned(found, layout)
    return found


def _authenticate(found: Opened, layout: Layout, keys: Sequence[VerifierKey]) -> None:
    where = f"{_LOG}/{layout.checkpoint.name}"
    try:
        note = Note.parse(layout.checkpoint.read_bytes())
        checkpoint = Checkpoint.parse(note.text)
    except FileNotFoundError:
        # Without a key nothing was ever signed: `import` does not wait for that.
        if layout.ledger_verifier.exists() or keys:
            found.findings.append(error("checkpoint_missing", where, "no checkpoint, expected a signed one"))
        return
    except Invalid as refusal:
        found.findings.append(error("signature_forged", where, str(refusal)))
        return
    found.checkpoint = checkpoint
    known = list(keys)
    if not known:
        found.key_is_own = True
        try:
            known = [VerifierKey.parse(layout.ledger_verifier.read_text("utf-8").removesuffix("\n"))]
        except (OSError, UnicodeDecodeError, Invalid):
            file = f"{_LOG}/{layout.ledger_verifier.name}"
            found.findings.append(error("signature_forged", file, "no key that signs notes, expected the store's"))
            return
    for key in known:
        try:
            note.verified(key)
        except Invalid:
            continue
        found.key = key
        if checkpoint.origin != key.name:
            message = f"of the log {checkpoint.origin}, expected that of its key, {key.name}"
            found.findings.append(error("checkpoint_foreign", where, message))
        return
    expected = ", ".join(str(key) for key in known)
    found.findings.append(error("signature_forged", where, f"not signed by its key, expected {expected}"))


def _read_signed(found: Opened, layout: Layout, checkpoint: Checkpoint, kept: Sequence[Note]) -> None:
    try:
        tree = TiledTree(checkpoint.size, checkpoint.root, lambda tile: read_tile(layout, tile))
    except FileNotFoundError as lost:
        found.findings.append(error("ledger_truncated", _place(layout, lost), "no tile, expected one that was signed"))
        return
    except Invalid as refusal:
        found.findings.append(error("ledger_altered", _LOG, str(refusal)))
        return
    found.findings += _forms(layout, tree)
    for note in kept:
        found.findings += _grown(tree, checkpoint, note, found.key)
    try:
        for _, content in tree.entries(lambda bundle: read_bundle(layout, bundle)):
            found.entries.append(decoded(content))
    except FileNotFoundError as lost:
        message = f"no entries from {len(found.entries)} on, expected the {checkpoint.size} that were signed"
        found.findings.append(error("ledger_truncated", _place(layout, lost), message))
    except Invalid as refusal:
        found.findings.append(error("ledger_altered", _LOG, str(refusal)))
    except Corrupt as damage:
        found.findings.append(error("ledger_altered", _LOG, str(damage)))
    found.signed = len(found.entries)


def _read_unsigned(found: Opened, layout: Layout) -> None:
    signed = found.checkpoint.size if found.checkpoint is not None else 0
    if found.signed != signed:
        return
    try:
        for bundle in bundles_since(signed, size_after(layout, signed)):
            entries = entries_in(read_bundle(layout, bundle), bundle)
            found.entries += map(decoded, entries[max(0, signed - bundle.index * WIDTH) :])
    except (Invalid, Corrupt) as refusal:
        found.findings.append(error("ledger_altered", f"{_LOG}/{Bundle(signed // WIDTH).path}", str(refusal)))


def _forms(layout: Layout, tree: TiledTree) -> list[Finding]:
    """What speaks against partial tiles and bundles that stay for readers of older checkpoints."""
    findings: list[Finding] = []
    for path in sorted((layout.ledger / "tile").rglob(f"*{PARTIAL}/*")):
        name = path.relative_to(layout.ledger).as_posix()
        if not path.name.isdecimal():
            # A draft that a crash left.
            continue
        try:
            content = path.read_bytes()
            if name.startswith(Bundle(0).path.rpartition("/")[0]):
                bundle = Bundle.parse(name)
                hashes, index, level = [leaf_hash(entry) for entry in entries_in(content, bundle)], bundle.index, 0
            else:
                tile = Tile.parse(name)
                hashes, index, level = list(hashes_in(content, tile)), tile.index, tile.level
            # Of what is not signed yet, nothing is known.
            known = tree.hashes(level, index) if width_at(level, index, tree.size) else ()
            if hashes[: len(known)] != list(known[: len(hashes)]):
                raise Invalid("other hashes than those that were signed")
        except FileNotFoundError:
            continue
        except Invalid as refusal:
            findings.append(error("ledger_altered", f"{_LOG}/{name}", str(refusal)))
    return findings


def _grown(tree: TiledTree, checkpoint: Checkpoint, note: Note, key: VerifierKey | None) -> list[Finding]:
    """What speaks against a ledger having gone on from a checkpoint that somebody kept."""
    where = f"{_LOG}/checkpoint"
    try:
        older = Checkpoint.parse(note.text)
        if key is not None:
            note.verified(key)
    except Invalid as refusal:
        return [error("checkpoint_foreign", "the checkpoint that was given", str(refusal))]
    if older.origin != checkpoint.origin:
        message = f"of the log {older.origin}, expected {checkpoint.origin}"
        return [error("checkpoint_foreign", "the checkpoint that was given", message)]
    if older.size > checkpoint.size:
        message = f"{checkpoint.size} entries, expected the {older.size} of the checkpoint that was given, and more"
        return [error("rolled_back", where, message)]
    try:
        proof = prove_consistency(older.size, tree.size, tree.node)
        verify_consistency(older.size, older.root, checkpoint.size, checkpoint.root, proof)
    except (Invalid, FileNotFoundError):
        message = f"its first {older.size} entries are others than those of the checkpoint that was given"
        return [error("history_rewritten", where, message)]
    return []


def _place(layout: Layout, lost: FileNotFoundError) -> str:
    return str(lost.filename or _LOG).removeprefix(f"{layout.data}/")
