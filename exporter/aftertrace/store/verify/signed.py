"""Opening a ledger: its checkpoint, who signed it, whether it goes on from those that were kept, and its entries.

Nothing of an entry is looked at before the root that was signed covers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aftertrace.store import signer_key
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import files
from aftertrace.store.ledger.entries import Entry, decoded
from aftertrace.store.verify.report import Findings
from aftertrace.store.verify.signers import chain_of
from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.tlog.proofs import prove_consistency, verify_consistency
from aftertrace.tlog.tiled import TiledTree
from aftertrace.tlog.tiles import WIDTH, Bundle, Tile, bundles_since, entries_in, hashes_in, width_at
from aftertrace.verifier.rotations import Chain, Retired


@dataclass(slots=True)
class Opened:
    """A ledger as it was found."""

    folder: Path
    checkpoint: Checkpoint | None = None
    keys: tuple[VerifierKey, ...] = ()
    """From the one that is known on to the one that has signed the checkpoint."""
    chain: Chain = field(default_factory=Chain)
    """All keys that its entries name."""
    key_is_own: bool = False
    tree: TiledTree | None = None
    compared: int = 0
    is_whole: bool = True
    """Whether all entries that were signed could be read."""

    @property
    def size(self) -> int:
        """Entries that are signed."""
        return self.checkpoint.size if self.checkpoint is not None else 0


def last_signed(layout: Layout) -> tuple[int, Entry | None]:
    """How many entries a checkpoint claims to cover, and the last of them, if it can be read: only to tell whether it
    is worth while to wait for a later one.
    """
    size = files.signed_size(layout)
    index = (size - 1) // WIDTH
    try:
        content = files.read_bundle(layout.ledger, Bundle(index, size - index * WIDTH)) if size else b""
        return size, decoded(files.split(content)[0][-1])
    except (Corrupt, OSError, IndexError, Invalid):
        return size, None


def open_log(folder: Path, layout: Layout | None, keys: Sequence[VerifierKey], findings: Findings) -> Opened:
    """Read a ledger's checkpoint, and check it down to the hashes at its end.

    Args:
        folder: with the ledger.
        layout: of the store that it is in; None for one that somebody gave.
        keys: those that may have signed, known from elsewhere; without any, the folder's own.
        findings: what speaks against it.

    Raises:
        OSError: it cannot be read.
    """
    found = Opened(folder, key_is_own=not keys)
    known = _known(folder, keys, findings)
    if layout is not None:
        _check_sealer(layout, findings)
    shown = _checkpoint(folder, folder / "checkpoint", f"{folder.name}/checkpoint", known, findings)
    signed = None
    if layout is not None:
        # Of another user, as it should be, it cannot be read; `_check_sealer` tells of one that is damaged.
        with suppress(PermissionError):
            signed = _checkpoint(folder, layout.sealer_signed, "sealer/signed", known, Findings())
    if signed is not None and (shown is None or signed[0].size > shown[0].size):
        covered = 0 if shown is None else shown[0].size
        message = f"covers {covered} entries, and {signed[0].size} were signed; a crash, or it was put back or away"
        findings.add("checkpoint_behind", f"{folder.name}/checkpoint", message)
    newest = max((each for each in (shown, signed) if each is not None), key=lambda each: each[0].size, default=None)
    if newest is None:
        if findings.counts.get("not_signed", 0) or findings.counts.get("key_retired", 0):
            return found
        if keys or known:
            findings.add("not_signed", f"{folder.name}/checkpoint", "no checkpoint, expected a signed one")
        else:
            findings.add("not_sealed", folder.name, "nothing was signed yet; run `aftertrace seal`")
        return found
    found.checkpoint, found.keys, found.chain = newest
    for entry, code, message in found.chain.told():
        findings.add(code, f"{folder.name} entry {entry}", message)
    _open_tree(found, findings)
    return found


def check_kept(found: Opened, note: Note, kept: Checkpoint, keys: Sequence[VerifierKey]) -> None:
    """Check that a checkpoint that was kept elsewhere is signed by a key that the ledger had then, or by a known one if
    it covers more than there is.

    Raises:
        Retired: the key that signed it had gone by then.
        Invalid: it is signed by none of them.
    """
    known = (*keys, *found.keys, *found.chain.keys)
    if kept.size > found.size:
        note.verified(*known)
    else:
        found.chain.verified(note, kept.size, known)


def compare(found: Opened, kept: Checkpoint, where: str, findings: Findings) -> None:
    """Check that a ledger goes on from a checkpoint of it that was kept elsewhere."""
    found.compared += 1
    if found.checkpoint is None or kept.size > found.size:
        message = f"{found.size} entries are signed, expected the {kept.size} of {where}, and more"
        findings.add("rolled_back", f"{found.folder.name}/checkpoint", message)
        return
    if found.tree is None:
        return
    try:
        proof = prove_consistency(kept.size, found.size, found.tree.node)
        verify_consistency(kept.size, kept.root, found.size, found.checkpoint.root, proof)
    except (Invalid, OSError):
        message = f"its first {kept.size} entries are others than those of {where}"
        findings.add("history_differs", f"{found.folder.name}/checkpoint", message)


def entries(found: Opened, findings: Findings) -> Iterator[Entry | None]:
    """The entries that are signed, each checked against the root first; None where one is gone or another."""
    if found.tree is None:
        return
    for bundle in bundles_since(0, found.size):
        where = f"{found.folder.name}/{Bundle(bundle.index).path}"
        try:
            hashes = found.tree.hashes(0, bundle.index)
            content = files.read_bundle(found.folder, bundle)
        except FileNotFoundError as lost:
            name = Path(lost.filename or where).name
            findings.add("ledger_missing", where, f"no {name}, expected entries that were signed")
            hashes, content = (), b""
        except Invalid as refusal:
            findings.add("ledger_altered", where, str(refusal))
            hashes, content = (), b""
        held, end = files.split(content)
        if hashes and (len(held) != len(hashes) or end < len(content)):
            code = "ledger_missing" if len(held) < len(hashes) else "ledger_altered"
            message = f"{len(held)} entries and {len(content) - end} bytes, expected the {len(hashes)} that were signed"
            findings.add(code, where, message)
        for number in range(bundle.width):
            entry = _entry(held[number], hashes[number]) if number < min(len(held), len(hashes)) else None
            if entry is None:
                found.is_whole = False
                if number < min(len(held), len(hashes)):
                    place = f"{where} entry {bundle.index * WIDTH + number}"
                    findings.add("ledger_altered", place, "another entry than was signed")
            yield entry


def _entry(content: bytes, hashed: bytes) -> Entry | None:
    """An entry, if it is the one that was hashed."""
    try:
        return decoded(content) if leaf_hash(content) == hashed else None
    except Corrupt:
        return None


def unsealed(found: Opened, findings: Findings) -> list[Entry]:
    """Entries behind those that are signed, as far as they are any: nothing that they say is proven."""
    read: list[Entry] = []
    size = found.size
    while True:
        index = size // WIDTH
        path = files.open_bundle(found.folder, index)
        try:
            content = (path if path.exists() else found.folder / Bundle(index).path).read_bytes()
        except OSError:
            return read
        held, end = files.split(content)
        try:
            read += [decoded(entry) for entry in held[size % WIDTH :]]
        except Corrupt:
            end = 0
        if end < len(content):
            findings.add(
                "ledger_torn", f"{found.folder.name}/{Bundle(index).path}", "an entry in part: a crash tore it"
            )
        if len(held) < WIDTH:
            return read
        size = (index + 1) * WIDTH


def check_forms(found: Opened, findings: Findings) -> None:
    """Check the partial forms of tiles and bundles, which are there for other readers."""
    if found.tree is None:
        return
    for path in sorted((found.folder / "tile").rglob(f"*{files.PARTIAL}/*")):
        name = path.relative_to(found.folder).as_posix()
        if path.name.startswith("."):
            # A draft that a crash left.
            continue
        try:
            content = path.read_bytes()
            if name.startswith("tile/entries/"):
                bundle = Bundle.parse(name)
                hashes, level, index = [leaf_hash(each) for each in entries_in(content, bundle)], 0, bundle.index
            else:
                tile = Tile.parse(name)
                hashes, level, index = list(hashes_in(content, tile)), tile.level, tile.index
            known = found.tree.hashes(level, index) if width_at(level, index, found.size) else ()
            if hashes[: len(known)] != list(known[: len(hashes)]):
                raise Invalid("other hashes than those that were signed")
        except FileNotFoundError:
            # Outgrown meanwhile, or its whole form is told of where entries are read.
            continue
        except Invalid as refusal:
            findings.add("ledger_altered", f"{found.folder.name}/{name}", str(refusal))


def _known(folder: Path, keys: Sequence[VerifierKey], findings: Findings) -> list[VerifierKey]:
    """The keys that count, after a look at the one in the folder."""
    try:
        own = VerifierKey.parse((folder / "key").read_text("utf-8").removesuffix("\n"))
    except FileNotFoundError:
        return list(keys)
    except (Invalid, UnicodeDecodeError):
        findings.add("key_damaged", f"{folder.name}/key", "no key that signs notes, expected one")
        return list(keys)
    return list(keys) or [own]


def _check_sealer(layout: Layout, findings: Findings) -> None:
    """Look at what the sealer has, if this user may: with that damaged, nothing more is signed."""
    if not layout.sealer.is_dir():
        # A copy for somebody who is to verify it.
        return
    where = "sealer/key"
    try:
        key = signer_key.read(layout.sealer_key)
        where = "sealer/signed"
        opened(Note.parse(layout.sealer_signed.read_bytes()), key.name, key.verifier)
        where = "sealer/next"
        # While another key takes the place of one, `ledger/key` has it first.
        keys = [key, signer_key.read(layout.sealer_next)] if layout.sealer_next.exists() else [key]
        where = "sealer/key"
        if layout.ledger_key.read_text("utf-8") not in [f"{each.verifier}\n" for each in keys]:
            findings.add("sealer_broken", where, "another key than the one of the ledger")
    except PermissionError:
        # Of another user, as it should be.
        return
    except (FileNotFoundError, Corrupt, Invalid, UnicodeDecodeError) as refusal:
        said = "not there" if isinstance(refusal, FileNotFoundError) else "not what was written"
        findings.add("sealer_broken", where, f"{said}: nothing more is signed; put it back from a backup")


def _checkpoint(
    folder: Path, path: Path, where: str, known: Sequence[VerifierKey], findings: Findings
) -> tuple[Checkpoint, tuple[VerifierKey, ...], Chain] | None:
    """A checkpoint, with the keys that lead to the one that signed it, and all that its entries name."""
    try:
        note = Note.parse(path.read_bytes())
        checkpoint = Checkpoint.parse(note.text)
    except FileNotFoundError:
        return None
    except Invalid as refusal:
        findings.add("not_signed", where, str(refusal))
        return None
    chain = chain_of(folder, checkpoint, findings)
    try:
        keys = chain.verified(note, checkpoint.size, known)
    except Retired as refusal:
        findings.add("key_retired", where, str(refusal))
        return None
    except Invalid:
        expected = ", ".join(map(str, known)) or "a key, and there is none"
        message = f"of the log {checkpoint.origin}, not signed as expected: by {expected}{chain.hint}"
        findings.add("not_signed", where, message)
        return None
    if checkpoint.origin != keys[-1].name:
        findings.add("checkpoint_foreign", where, f"of the log {checkpoint.origin}, expected that of {keys[-1].name}")
        return None
    return checkpoint, keys, chain


def _open_tree(found: Opened, findings: Findings) -> None:
    checkpoint = found.checkpoint
    if checkpoint is None:
        return
    try:
        found.tree = TiledTree(checkpoint.size, checkpoint.root, lambda tile: files.read_tile(found.folder, tile))
    except FileNotFoundError as lost:
        where = f"{found.folder.name}/{Path(lost.filename or '').name}"
        findings.add("ledger_missing", where, "no tile, expected one that was signed")
    except Invalid as refusal:
        findings.add("ledger_altered", found.folder.name, str(refusal))
    found.is_whole = found.tree is not None
