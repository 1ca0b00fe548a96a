"""`aftertrace seal` and `aftertrace verify`: what they say, and the exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from .conftest import RECORDINGS, Command

TAIL = [
    "                       no checkpoint from elsewhere: a store put back to an older state looks sound",
    "                       rows of spans, events and what is derived are compared with their commits alone",
]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody has signed; only read it."""
    from .conftest import command

    data = tmp_path_factory.mktemp("imported") / "data"
    recording = RECORDINGS / "langchain.openinference_reject_edit.jsonl"
    assert command("import", "--data", data, recording).code == 0
    return data


@pytest.fixture
def data(imported: Path, tmp_path: Path) -> Path:
    """The same, of this test's own."""
    return Path(shutil.copytree(imported, tmp_path / "data"))


def test_what_nobody_signed_is_unknown(aftertrace: Command, imported: Path) -> None:
    """The records are compared with the ledger all the same, and the way on is said."""
    ended = aftertrace("verify", "--data", imported)
    assert (ended.code, ended.err) == (3, "")
    assert ended.out.splitlines() == [
        "integrity     unknown  17 records of 2 requests are as the ledger has them",
        "completeness  unknown  nothing was signed yet; run `aftertrace seal`",
        "authenticity  unknown  nothing was signed yet",
        TAIL[1],
    ]


def test_what_was_signed_holds(aftertrace: Command, data: Path, tmp_path: Path) -> None:
    """With key and checkpoint from elsewhere nothing is left to say; as one JSON object, for programs."""
    assert aftertrace("seal", "--data", data).code == 0
    key = (data / "ledger" / "key").read_text().strip()
    ended = aftertrace("verify", "--data", data)
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "integrity     holds    17 records of 2 requests are as the ledger has them",
        "completeness  holds    entries of the ledger that are signed: 1",
        f"authenticity  unknown  signed by {key}, the key in this folder: give a copy from elsewhere with --key",
        *TAIL,
    ]
    kept = Path(shutil.copy(data / "ledger" / "checkpoint", tmp_path / "kept"))
    ended = aftertrace("verify", "--data", data, "--key", key, "--checkpoint", kept, "--format", "json")
    report = json.loads(ended.out)
    assert ended.code == 0
    assert report == {
        "integrity": "holds",
        "completeness": "holds",
        "authenticity": "holds",
        "origin": key.partition("+")[0],
        "key": key,
        "key_is_own": False,
        "checkpoint": kept.read_text().partition("\n\n")[0] + "\n",
        "signed_entries": 1,
        "entries": 1,
        "frames": 2,
        "records": 17,
        "unledgered": 0,
        "before": 0,
        "elsewhere": 0,
        "findings": [],
    }


def test_what_was_changed_is_named(aftertrace: Command, data: Path) -> None:
    """With exit code 1, and the place; what a file is called is no markup for the terminal."""
    assert aftertrace("seal", "--data", data).code == 0
    (file,) = (data / "tables" / "evidence").rglob("received_date=*/*.parquet")
    file.unlink()
    ended = aftertrace("verify", "--data", data)
    assert ended.code == 1
    found = [line.split() for line in ended.out.splitlines() if line.startswith("error")]
    assert [words[1] for words in found] == ["file_damaged", "frame_missing", "frame_missing", "file_missing"]
    assert found[1][2:4] == ["evidence", "import/1:"]
    assert ended.out.startswith("integrity     broken ")


@pytest.mark.parametrize("key", ["", "no key", "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2x"])
def test_a_key_that_is_none_is_refused(aftertrace: Command, imported: Path, key: str) -> None:
    """With exit code 2, and the way out."""
    ended = aftertrace("verify", "--data", imported, "--key", key)
    assert ended.code == 2
    assert "give what ledger/key holds" in ended.err


def test_another_key_is_seen(aftertrace: Command, data: Path) -> None:
    """A good one, of somebody else."""
    assert aftertrace("seal", "--data", data).code == 0
    other = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    ended = aftertrace("verify", "--data", data, "--key", other)
    assert ended.code == 1
    assert "authenticity  broken   no signature by a known key" in ended.out
    assert "signature_forged ledger/checkpoint: not signed by its key" in ended.out
