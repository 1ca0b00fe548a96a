"""Go's own sumdb verifies packets: notes, proofs, and every row, by a program that shares nothing with ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from tlog.go_program import CannotBuild, GoProgram, Refused, built

from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey
from aftertrace.tlog.note import Note
from aftertrace.verifier import layout

from .packed import Packed, edit_lines, exported, stored, unpacked, verified


@pytest.fixture(scope="module")
def go() -> GoProgram:
    """The program; tests that need it are skipped, with the reason, where none can be made."""
    try:
        return built()
    except CannotBuild as reason:
        pytest.skip(f"NO GO PROGRAM, packets are not tested against golang.org/x/mod/sumdb: {reason}")


def test_go_verifies_packets(go: GoProgram, packed: Packed, folder: Path, tmp_path: Path) -> None:
    """One run of a request of two, and runs of recordings with many rows of all kinds."""
    root = Checkpoint.parse(Note.parse((folder / "data/ledgers/1/checkpoint").read_bytes()).text).root
    answer = go.check_packet(folder, str(packed.key))
    assert (answer.root, answer.size) == (root, verified(folder, packed.key).rows)
    data = stored(tmp_path / "store")
    for name in ("claude-code", "github-copilot", "dbbot"):
        run = exported(data, tmp_path / f"{name}.zip", *_runs(data, name))
        told = go.check_packet(unpacked(run.file, tmp_path / name), str(run.key))
        assert told.size == verified(run.file, run.key).rows > 20


def _runs(data: Path, agent: str) -> list[str]:
    import json

    from tests.cli.conftest import command

    ended = command("runs", "--data", data, "--format", "json", "--agent", agent)
    return [json.loads(line)["run_id"] for line in ended.out.splitlines()]


def test_go_sees_what_is_wrong_with_a_packet(go: GoProgram, packed: Packed, folder: Path) -> None:
    """Negative control: another key, another value, another manifest."""
    stranger = SignerKey(packed.key.name, bytes(32))
    with pytest.raises(Refused, match="no verifiable signatures"):
        go.check_packet(folder, str(stranger.verifier))
    (folder / layout.TAG_MANIFEST).write_bytes(b"another\n")
    with pytest.raises(Refused, match="receipt of another packet"):
        go.check_packet(folder, str(packed.key))
    edit_lines(folder / layout.table("spans"), lambda rows: rows[0]["row"].update(tool_name="another"))
    with pytest.raises(Refused, match="rows differ"):
        go.check_packet(folder, str(packed.key))
