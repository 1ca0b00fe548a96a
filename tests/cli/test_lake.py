"""One lake for two machines, by their configuration files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aftertrace.cli.config import load

from .served import log_of

RECEIVERS = ("east", "west")


@pytest.fixture
def configured(tmp_path: Path) -> dict[str, Path]:
    """A configuration for each; paths in it count from its folder."""
    for name in RECEIVERS:
        (tmp_path / f"{name}.toml").write_text(
            f'[store]\ndata = "{name}"\ntables = "lake"\n\n[receiver]\nname = "{name}"\n'
        )
    return {name: tmp_path / f"{name}.toml" for name in RECEIVERS}


def aftertrace(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of aftertrace, elsewhere than in the folder of the configuration."""
    command = [sys.executable, "-m", "aftertrace.cli", "--config", str(config), *arguments]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120)


def recorded(file: Path, *records: dict[str, object]) -> str:
    """A file to import."""
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(file)


def sessions(config: Path) -> list[tuple[str, str]]:
    """What `aftertrace sql` finds: receivers and sessions."""
    found = aftertrace(
        config, "sql", "select distinct receiver, conversation_id from events order by 1, 2", "--format", "json"
    )
    assert found.returncode == 0, found.stderr
    return [tuple(json.loads(line).values()) for line in found.stdout.splitlines()]


def test_two_machines_import_into_one_lake(configured: dict[str, Path], tmp_path: Path) -> None:
    """Under names that tell them apart; what both have is shown once; either can be asked."""
    first, second, third = (log_of(f"s-{number}") for number in (1, 2, 3))
    one, other = recorded(tmp_path / "1.jsonl", first, second), recorded(tmp_path / "2.jsonl", second, third)
    assert aftertrace(configured["east"], "import", one).returncode == 0
    refused = aftertrace(configured["west"], "import", other)
    assert (refused.returncode, "copy keys/store.key from one of them" in " ".join(refused.stderr.split())) == (2, True)
    (tmp_path / "west" / "keys").mkdir()
    shutil.copy(tmp_path / "east" / "keys" / "store.key", tmp_path / "west" / "keys")
    assert aftertrace(configured["west"], "import", other).returncode == 0
    whole = [("east-import", "s-1"), ("east-import", "s-2"), ("west-import", "s-3")]
    assert [sessions(config) for config in configured.values()] == [whole, whole]
    assert [aftertrace(config, "fsck").returncode for config in configured.values()] == [0, 0]


def test_a_packet_of_runs_of_both_is_proven_by_the_ledgers_of_both(configured: dict[str, Path], tmp_path: Path) -> None:
    """Each run by the ledger of who took it in; without that one it is said that nothing is proven of it."""
    east, west = configured.values()
    assert aftertrace(east, "import", recorded(tmp_path / "1.jsonl", log_of("s-1"))).returncode == 0
    (tmp_path / "west" / "keys").mkdir(parents=True)
    shutil.copy(tmp_path / "east" / "keys" / "store.key", tmp_path / "west" / "keys")
    assert aftertrace(west, "import", recorded(tmp_path / "2.jsonl", log_of("s-2"))).returncode == 0
    keys = [part for name in RECEIVERS for part in ("--key", str(tmp_path / name / "ledger" / "key"))]
    ledger = ("--ledger", str(tmp_path / "west" / "ledger"))
    for options, code, found in ((ledger, 0, set()), ((), 3, {"uncovered"})):
        out = str(tmp_path / f"{code}.zip")
        done = aftertrace(east, "packet", "s-1", "s-2", *options, "--out", out)
        assert (done.returncode, done.stderr) == (0, "")
        ended = aftertrace(east, "verify", out, *keys, "--format", "json")
        report = json.loads(ended.stdout)
        assert (ended.returncode, {each["code"] for each in report["findings"]}) == (code, found)
        assert (report["records"], len(report["logs"])) == (2, 1 + bool(options))


def test_a_url_is_no_path_beside_the_file(tmp_path: Path) -> None:
    """`store.tables` names a folder beside its file, or a place in a bucket."""
    file = tmp_path / "aftertrace.toml"
    for written, meant in (("lake", str(tmp_path / "lake")), ("s3://lake/audit", "s3://lake/audit"), ("", "")):
        file.write_text(f'[store]\ntables = "{written}"\n')
        assert load(file, {}).store.tables == meant
    assert load(file, {"AFTERTRACE_STORE_TABLES": "s3://other"}).store.tables == "s3://other"
