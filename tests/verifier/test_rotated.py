"""Packets of a ledger whose key was put in the place of another one: proven with the key that whoever has it knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.conftest import command
from tlog.go_program import CannotBuild, built

from aftertrace.store.layout import Layout
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.note import Note
from aftertrace.tlog.proof_file import ProofFile
from aftertrace.verifier import layout
from aftertrace.verifier.command import report_lines
from aftertrace.verifier.verify import PacketReport, verify_packet

from .packed import MINE, Packed, codes, exported, rebagged, stored, unpacked, verdicts

HOLD = ("holds", "holds", "holds")


@dataclass(frozen=True, slots=True)
class Rotated:
    """A packet of before, one of after, and the keys."""

    before: Packed
    after: Packed
    old: SignerKey
    note: Note
    """The checkpoint of before."""

    @property
    def keys(self) -> tuple[VerifierKey, VerifierKey]:
        """The one that went, and the one that came."""
        return self.before.key, self.after.key


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    """The same run, before and after."""
    folder = tmp_path_factory.mktemp("rotated")
    data = stored(folder)
    before = exported(data, folder / "before.zip", f"run-{MINE}")
    old = SignerKey.parse(Layout(data).sealer_key.read_text().strip())
    kept = folder / "kept"
    kept.write_bytes(Layout(data).checkpoint.read_bytes())
    ended = command("seal", "--data", data, "--rotate")
    assert ended.code == 0, ended.err
    # The checkpoint of the first one behind it may still be the one that both keys have signed.
    exported(data, folder / "between.zip", f"run-{MINE}")
    after = exported(data, folder / "after.zip", f"run-{MINE}", "--checkpoint", kept)
    return Rotated(before, after, old, Note.parse(kept.read_bytes()))


def found_in(report: PacketReport) -> list[str]:
    """Codes of all that was found."""
    return sorted(found.code for found in report.findings)


def test_each_key_proves_a_packet(rotated: Rotated) -> None:
    """One of before with the old key, one of after with either; it says which led to which. Kept checkpoints count."""
    old, new = rotated.keys
    assert (old != new, verdicts(verify_packet(rotated.before.file, [old]))) == (True, HOLD)
    for known, led_by in ((old, (str(old),)), (new, ())):
        report = verify_packet(rotated.after.file, [known], [("kept", rotated.note)])
        (log,) = report.logs
        assert (verdicts(report), found_in(report)) == (HOLD, ["key_rotated"])
        assert (log.key, log.led_by, log.compared) == (str(new), led_by, 1)
    assert f"signed by {new}, to which {old} led" in "\n".join(report_lines(verify_packet(rotated.after.file, [old])))
    # Whoever knows nothing but the later key is not led back.
    assert codes(verify_packet(rotated.before.file, [new])) >= {"not_signed"}


def test_go_verifies_it_with_the_key_in_force(rotated: Rotated, tmp_path: Path) -> None:
    """As any packet: notes, proofs, and every row."""
    try:
        go = built()
    except CannotBuild as reason:
        pytest.skip(f"NO GO PROGRAM, packets are not tested against golang.org/x/mod/sumdb: {reason}")
    folder = unpacked(rotated.after.file, tmp_path)
    assert go.check_packet(folder, str(rotated.after.key)).size == verify_packet(folder, [rotated.after.key]).rows


def rotation(folder: Path) -> Path:
    """The file of the entry that names the other key."""
    (path,) = (folder / "data/ledgers/1").glob("*.rotation")
    return path


def test_nobody_is_led_without_the_entry(rotated: Rotated, tmp_path: Path) -> None:
    """It is taken away, or stands in the place of another one."""
    old, _ = rotated.keys
    folder = unpacked(rotated.after.file, tmp_path)
    path = rotation(folder)
    content = path.read_bytes()
    path.unlink()
    rebagged(folder)
    assert "not_signed" in codes(verify_packet(folder, [old]))
    proof = ProofFile.parse(content)
    path.with_name(f"{proof.index + 1:012d}.rotation").write_bytes(content)
    rebagged(folder)
    assert {"key_forged", "not_signed"} <= codes(verify_packet(folder, [old]))


def test_an_entry_that_was_made_up_leads_nobody(rotated: Rotated, tmp_path: Path) -> None:
    """Another entry of the ledger in its place; and one with a key of whoever forges, over which no proof leads."""
    old, new = rotated.keys
    folder = unpacked(rotated.after.file, tmp_path)
    path, stranger = rotation(folder), SignerKey(old.name, bytes(32))
    proof = ProofFile.parse(path.read_bytes())
    named = (proof.extra or b"").replace(str(new).encode(), str(stranger.verifier).encode())
    path.write_bytes(bytes(ProofFile(proof.index, proof.hashes, proof.checkpoint, named)))
    rebagged(folder)
    assert {"key_forged", "not_signed"} <= codes(verify_packet(folder, [old]))
    checkpoint = folder / layout.ledger(1, "checkpoint")
    signed = Note.parse(checkpoint.read_bytes())
    checkpoint.write_bytes(bytes(Checkpoint.parse(signed.text).signed(stranger)))
    rebagged(folder)
    assert verify_packet(folder, [old]).verdicts["authenticity"] == "broken"


def test_a_key_that_went_signs_no_packet(rotated: Rotated, tmp_path: Path) -> None:
    """Somebody has a copy of it, and shows what came later as signed by it."""
    folder = unpacked(rotated.after.file, tmp_path)
    checkpoint = folder / layout.ledger(1, "checkpoint")
    signed = Checkpoint.parse(Note.parse(checkpoint.read_bytes()).text)
    longer = Note(str(signed)).signed(rotated.old)
    for path in (checkpoint.parent).glob("*.*"):
        if path.suffix in (".rotation", ".tlog-proof"):
            proof = ProofFile.parse(path.read_bytes())
            path.write_bytes(bytes(ProofFile(proof.index, proof.hashes, longer, proof.extra)))
    checkpoint.write_bytes(bytes(longer))
    rebagged(folder)
    report = verify_packet(folder, list(rotated.keys))
    assert ("key_retired" in codes(report), report.verdicts["authenticity"]) == (True, "broken")
