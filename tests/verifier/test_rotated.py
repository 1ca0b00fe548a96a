"""Packets of a ledger whose key was put in the place of another one: proven with the key that whoever has it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import command
from tlog.go_program import CannotBuild, built

from aftertrace.analyzer.packets import making
from aftertrace.store.layout import Layout
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.tlog.proof_file import ProofFile
from aftertrace.verifier import layout
from aftertrace.verifier.command import main, report_lines
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


def making_then(do: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that is done when a packet is made, and its export is not entered."""
    whole = making.make

    def make(*arguments: Any) -> making.Made:
        made = whole(*arguments)
        do()
        return made

    monkeypatch.setattr(making, "make", make)


def rotated_while(packet: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Packed, list[VerifierKey]]:
    """A packet in the making of which another key took the place of one so many times; and all keys, in order."""
    data = stored(packet.parent)
    keys = [VerifierKey.parse((data / "ledger" / "key").read_text().strip())]

    def rotate() -> None:
        for _ in range(times):
            ended = command("seal", "--data", data, "--rotate")
            assert ended.code == 0, ended.err
            keys.append(VerifierKey.parse((data / "ledger" / "key").read_text().strip()))

    with monkeypatch.context() as patch:
        making_then(rotate, patch)
        return exported(data, packet, f"run-{MINE}"), keys


@pytest.mark.parametrize("times", [1, 2])
def test_a_packet_in_the_making_of_which_another_key_came_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Its checkpoint is of the old key, its receipt of the new one: entries in between lead there. It says which."""
    packed, keys = rotated_while(tmp_path / "packet.zip", times, monkeypatch)
    for known in ([keys[0]], keys):
        report = verify_packet(packed.file, known)
        assert (verdicts(report), found_in(report)) == (HOLD, ["key_rotated"] * times)
        assert report.receipt is not None
    assert main([str(packed.file), "--key", str(keys[0])]) == 0


def test_a_receipt_of_another_key_than_the_entries_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the entry nobody is led; with it, neither to the old key nor to that of whoever forges."""
    packed, (old, new) = rotated_while(tmp_path / "packet.zip", 1, monkeypatch)
    folder = unpacked(packed.file, tmp_path)
    receipt, (between,) = folder / layout.RECEIPT, folder.glob("receipt.*.rotation")
    content, led = receipt.read_bytes(), between.read_bytes()
    between.unlink()
    assert codes(verify_packet(folder, [old])) == {"receipt_differs"}
    # Who has the new key from elsewhere needs nobody to lead there.
    assert codes(verify_packet(folder, [old, new])) == set()
    between.write_bytes(led)
    between.rename(folder / layout.receipt_rotation(ProofFile.parse(led).index + 1))
    assert codes(verify_packet(folder, [old])) == {"receipt_differs"}
    (moved,) = folder.glob("receipt.*.rotation")
    moved.rename(between)
    stranger = SignerKey(old.name, bytes(32))
    proof, entry = ProofFile.parse(content), ProofFile.parse(led)
    signed = Checkpoint.parse(proof.checkpoint.text).signed(stranger)
    for path, each in ((receipt, proof), (between, entry)):
        path.write_bytes(bytes(ProofFile(each.index, each.hashes, signed, each.extra)))
    assert codes(verify_packet(folder, [old])) == {"receipt_differs"}


def test_what_leads_to_no_receipt_is_a_file_too_many(rotated: Rotated, tmp_path: Path) -> None:
    """Somebody took the receipt away, and put a page by a name that is in no manifest: nothing proves it."""
    folder = unpacked(rotated.after.file, tmp_path)
    (folder / layout.RECEIPT).unlink()
    keys = list(rotated.keys)
    assert "bag_altered" not in codes(verify_packet(folder, keys))
    strange = layout.receipt_rotation(7)
    (folder / strange).write_bytes(b"<h1>All is well</h1>")
    report = verify_packet(folder, keys)
    assert [each.where for each in report.findings if each.code == "bag_altered"] == [strange]
    assert report.verdicts["integrity"] == "broken"


def test_nobody_is_led_over_a_lost_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So there is no packet: made again, it is of one key."""
    data = stored(tmp_path)

    def lose() -> None:
        (data / "sealer" / "key").unlink()
        ended = command("seal", "--data", data, "--lost-key")
        assert ended.code == 0, ended.err

    with monkeypatch.context() as patch:
        making_then(lose, patch)
        ended = command("packet", f"run-{MINE}", "--data", data, "--out", tmp_path / "packet.zip")
    assert ended.code != 0
    assert "the key that signs was lost since it was begun; make it again" in ended.err
    assert not (tmp_path / "packet.zip").exists()
    packed = exported(data, tmp_path / "packet.zip", f"run-{MINE}")
    assert codes(verify_packet(packed.file, [packed.key])) == {"key_lost"}


def test_a_key_that_went_signs_no_receipt(rotated: Rotated, tmp_path: Path) -> None:
    """Somebody has a copy of it: as of now, as of before it went, and for entries that another key has signed."""
    folder = unpacked(rotated.after.file, tmp_path)
    receipt = folder / layout.RECEIPT
    proof = ProofFile.parse(receipt.read_bytes())
    signed = Checkpoint.parse(proof.checkpoint.text)
    receipt.write_bytes(bytes(ProofFile(proof.index, proof.hashes, signed.signed(rotated.old), proof.extra)))
    for known in rotated.keys:
        assert codes(verify_packet(folder, [known])) == {"key_retired"}
    alone = Checkpoint(signed.origin, 1, leaf_hash(proof.extra or b"")).signed(rotated.old)
    receipt.write_bytes(bytes(ProofFile(0, (), alone, proof.extra)))
    for known in rotated.keys:
        assert codes(verify_packet(folder, [known])) == {"receipt_differs"}
