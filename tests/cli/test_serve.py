"""`serve`, as a process: ready, useful while it runs, and gone without a trace."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from .conftest import Command
from .served import gone, serving, until


def calls(aftertrace: Command, data: Path) -> list[tuple[str, str, str]]:
    """Conversation, outcome and decider of each call in a store."""
    ended = aftertrace("calls", "--data", data, "--format", "json")
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in ended.out.splitlines()]
    return sorted((row["conversation_id"], row["outcome"], row["decided_by"]) for row in rows)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_there_while_it_runs_and_after(
    aftertrace: Command, tmp_path: Path, number: signal.Signals
) -> None:
    """Accepted data can be asked about at once, and a polite end loses nothing: exit code 0, one line out."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        assert set(served.ready) == {"http", "grpc", "data"}
        assert served.post("first") == 200
        until(lambda: bool(calls(aftertrace, data)), within_s=5.0)
        assert calls(aftertrace, data) == [("first", "denied", "policy")]
        verified = aftertrace("verify", "--data", data, "--key", data / "ledger" / "key", "--format", "json")
        assert (verified.code, json.loads(verified.out)["requests"]) == (0, 1)
        sealer, _ = served.children()
        opened = [fd.readlink().name for fd in Path(f"/proc/{sealer}/fd").iterdir()]
        assert [name for name in opened if name.startswith("socket:")] == []
        assert served.post("second") == 200
        assert served.stop(number) == (0, "")
        assert (data / "serving.json").exists() is False
    assert calls(aftertrace, data) == [("first", "denied", "policy"), ("second", "denied", "policy")]
    assert aftertrace("fsck", "--data", data).code == 0
    assert aftertrace("verify", "--data", data, "--key", data / "ledger" / "key").code == 0


def test_a_sealer_that_dies_is_started_again(aftertrace: Command, tmp_path: Path) -> None:
    """And what was stored meanwhile is signed; one that finds other entries than it signed signs no more."""
    data = tmp_path / "data"

    def holds() -> bool:
        ended = aftertrace("verify", "--data", data, "--key", data / "ledger" / "key")
        return ended.code == 0 and bool(calls(aftertrace, data))

    with serving(data, "--no-dashboard") as served:
        sealer, _ = served.children()
        os.kill(sealer, signal.SIGKILL)
        served.post("after")
        until(holds)
    checkpoint = (data / "ledger" / "checkpoint").read_bytes()
    (entries,) = (data / "ledger").rglob("*.open")
    entries.write_bytes(entries.read_bytes().replace(b'"kind":"batch"', b'"kind":"patch"'))
    with serving(data, "--no-dashboard") as served:
        assert served.post("behind it") == 200
        until(lambda: any("seal cannot go on until somebody mends" in line for line in served.errors))
    assert (data / "ledger" / "checkpoint").read_bytes() == checkpoint


def test_a_drain_that_dies_is_started_again(aftertrace: Command, tmp_path: Path) -> None:
    """And it is said, on standard error."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        _, drain = served.children()
        os.kill(drain, signal.SIGKILL)
        served.post("after")
        until(lambda: calls(aftertrace, data) == [("after", "denied", "policy")])
        until(lambda: any("drain ended with exit code -9; started again" in line for line in served.errors))


def test_damage_in_a_table_stops_the_drain_and_no_sender(aftertrace: Command, tmp_path: Path) -> None:
    """What comes waits in the log while the way out is said; with the file back, all of it is there."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        assert served.post("before") == 200
    file = next((data / "tables" / "evidence").rglob("received_date=*/*.parquet"))
    whole = file.read_bytes()
    file.write_bytes(bytes(len(whole)))
    with serving(data, "--no-dashboard") as served:
        assert served.post("meanwhile") == 200
        until(lambda: any("drain cannot go on until somebody mends" in line for line in served.errors))
        assert any("run `aftertrace fsck`" in line for line in served.errors)
        assert served.post("later") == 200
        assert served.stop() == (0, "")
    assert aftertrace("fsck", "--data", data).code == 1
    file.write_bytes(whole)
    assert [row[0] for row in calls(aftertrace, data)] == ["before", "later", "meanwhile"]


def test_a_killed_serve_takes_its_children_with_it(aftertrace: Command, tmp_path: Path) -> None:
    """Nobody keeps the lock or a port; what was acknowledged is stored by whoever asks next."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        children = served.children()
        served.post("last words")
        served.process.kill()
        served.process.wait()
        gone(children)
    assert calls(aftertrace, data) == [("last words", "denied", "policy")]
    with serving(data, "--no-dashboard") as again:
        assert again.post("next") == 200


def test_the_pages_open_with_it_and_end_with_it(tmp_path: Path) -> None:
    """The line names their address, and it answers at once."""
    with serving(tmp_path / "data", "--dashboard", "127.0.0.1:0") as served:
        page = http.client.HTTPConnection(served.ready["dashboard"].removeprefix("http://"), timeout=10)
        with closing(page):
            page.request("GET", "/_stcore/health")
            assert page.getresponse().read() == b"ok"
        assert len(served.children()) == 3
        assert served.stop()[0] == 0


def test_a_port_that_was_asked_for_and_is_busy_ends_it(tmp_path: Path) -> None:
    """Exit code 75: it may be free later."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = start_in_vain(tmp_path, "--http", f"127.0.0.1:{taken.getsockname()[1]}")
    assert (ended.returncode, ended.stdout) == (75, "")
    assert ended.stderr.splitlines()[-1].startswith("error: listen on 127.0.0.1:")


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    """Exit code 2, and the way out."""
    ended = start_in_vain(tmp_path, "--http", "0.0.0.0:0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "not a loopback address" in ended.stderr


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """Nothing is mixed into it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("x")
    ended = start_in_vain(tmp_path, "--http", "127.0.0.1:0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "holds 'thesis.txt', expected a store or an empty folder" in ended.stderr


def test_its_threads_take_short_turns(tmp_path: Path) -> None:
    """Python's own are 5 ms, and a request waits for its turn several times beside one that is counted."""
    told = "import sys; from aftertrace.cli import serve as it; it.run = lambda *_: print(sys.getswitchinterval())"
    command = [sys.executable, "-c", f"{told}; it.serve()", "--data", str(tmp_path / "data"), "--no-dashboard"]
    ended = subprocess.run(
        [*command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "0.0005\n"), ended.stderr


def start_in_vain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A `serve` that should not start."""
    command = [sys.executable, "-m", "aftertrace.cli", "serve", "--data", str(folder / "data"), "--no-dashboard"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
