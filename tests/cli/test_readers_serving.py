"""`store.readers` with a running `serve`, which is an account of its own; and the way there and back."""

from __future__ import annotations

import errno
import http.client
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from aftertrace.analyzer.ledger.reading import reads as shown
from aftertrace.cli.exposure import Exposure, exposures
from aftertrace.store.errors import Invalid
from aftertrace.store.folder import open_folder as opened
from aftertrace.store.layout import Layout, is_for_readers
from aftertrace.store.readers import UMASK, admit, dismiss, group_of

from .accounts import GROUP, OTHER, READER, WRITER, Account, open_folder
from .conftest import RECORDINGS, STORED, Command
from .served import READY_S, STOP_S, log_of

PORTS = ("--no-dashboard", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
MEMBER = Account(WRITER.uid, (GROUP,))
"""The writer where it is in the group of those who read."""


@contextmanager
def served(data: Path, by: Account, **environment: str) -> Iterator[str]:
    """A `serve` of an account; where it takes OTLP/HTTP."""
    process = by.started("-P", "-m", "aftertrace.cli", "serve", *PORTS, "--data", data, stderr=None, env=environment)
    try:
        assert process.stdout is not None
        ready = dict(pair.split("=", 1) for pair in process.stdout.readline().split()[1:])
        yield ready["http"].removeprefix("http://")
    finally:
        process.terminate()
        process.communicate(timeout=STOP_S)


def posted(where: str, name: str) -> int:
    """The status of the answer to a log record."""
    with closing(http.client.HTTPConnection(where, timeout=READY_S)) as connection:
        connection.request("POST", "/v1/logs", json.dumps(log_of(name)), {"Content-Type": "application/json"})
        return connection.getresponse().status


def modes(data: Path) -> dict[str, tuple[str, int]]:
    """Mode and group of all that a store has, but for drafts and what readers left."""
    paths = [data, *(path for path in data.rglob("*") if path.parent.name != "new" and path.suffix != ".new")]
    found = {str(path.relative_to(data)): path.lstat() for path in paths}
    return {name: (stat.filemode(each.st_mode), each.st_gid) for name, each in found.items()}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the writer's, open to all; and the umask of the tests as it was."""
    before = os.umask(0o022)
    try:
        with open_folder() as folder:
            yield folder
    finally:
        os.umask(before)


def test_what_a_serve_makes_readers_can_read(place: Path, aftertrace: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its start on, and a packet of theirs has its receipt; nothing is left to do for a later start."""
    data = place / "data"
    with served(data, MEMBER, AFTERTRACE_STORE_READERS=str(GROUP)) as where:
        assert posted(where, "first") == 200
        while not json.loads(READER.aftertrace("status", "--format", "json", "--data", data)[1])["sources"]:
            time.sleep(0.1)
        own = place / "own"
        own.mkdir()
        os.chown(own, READER.uid, READER.uid)
        packed = READER.aftertrace("packet", "last", "--out", own / "run.zip", "--data", data)
        assert (packed[0], packed[2]) == (0, "")
        checked = aftertrace("verify", own / "run.zip", "--key", data / "ledger" / "key", "--format", "json")
        assert (checked.code, json.loads(checked.out)["findings"]) == (0, [])
        assert READER.aftertrace("sql", "select run_id from runs", "--data", data)[0] == 0
        (export,) = shown(data).filter(how="packet").iter_rows(named=True)
        assert (export["uid"], export["entry"] is not None) == (READER.uid, True)
        assert json.loads(READER.aftertrace("status", "--format", "json", "--data", data)[1])["serving"] is not None
    before = modes(data)
    monkeypatch.setenv("AFTERTRACE_STORE_READERS", str(GROUP))
    told = aftertrace("readers", "--data", data)
    assert (told.out, modes(data)) == (
        f"{data}: members of {GROUP} may read it; 0 files and folders were changed\n",
        before,
    )


def test_a_serve_that_is_not_in_the_group_goes_on_with_what_root_began(
    place: Path, aftertrace: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says what to do where nobody did."""
    data = place / "data"
    stored = RECORDINGS / f"{STORED[0]}.jsonl"
    assert WRITER.aftertrace("import", stored, "--data", data)[0] == 0
    code, _, err = WRITER.aftertrace("serve", *PORTS, "--data", data, AFTERTRACE_STORE_READERS=str(GROUP))
    assert (code, err.startswith("error: let others read "), err.endswith("run `aftertrace readers` as root\n")) == (
        2,
        True,
        True,
    )
    assert READER.aftertrace("runs", "--data", data)[0] == 2
    monkeypatch.setenv("AFTERTRACE_STORE_READERS", str(GROUP))
    assert aftertrace("readers", "--data", data).code == 0
    with served(data, WRITER, AFTERTRACE_STORE_READERS=str(GROUP)) as where:
        assert posted(where, "first") == 200
    code, out, _ = READER.aftertrace("sql", "select count(*) as n from runs", "--format", "json", "--data", data)
    assert (code, json.loads(out)) == (0, {"n": 2})


def test_the_way_back_closes_it(place: Path, aftertrace: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a store is that never had readers; and a `serve` without the setting closes it, too."""
    data = place / "data"
    assert WRITER.aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data)[0] == 0
    for close in (
        lambda: WRITER.aftertrace("readers", "--data", data)[0],
        lambda: aftertrace("readers", "--data", data).code,
    ):
        monkeypatch.setenv("AFTERTRACE_STORE_READERS", str(GROUP))
        assert aftertrace("readers", "--data", data).code == 0
        assert READER.aftertrace("runs", "--data", data)[0] == 0
        monkeypatch.delenv("AFTERTRACE_STORE_READERS")
        assert close() == 0
        assert READER.aftertrace("runs", "--data", data)[0] == 2
        found = {
            (mode[4:], gid) for path, (mode, gid) in modes(data).items() if is_for_readers(Path(path).parts or (".",))
        }
        assert (found, modes(data)["."]) == ({("------", WRITER.uid)}, ("drwx------", WRITER.uid))
    admit(Layout(data), GROUP)
    with served(data, WRITER):
        assert modes(data)["."] == ("drwx------", WRITER.uid)


def test_a_store_without_readers_is_left_as_it_is(place: Path, aftertrace: Command) -> None:
    """The control: closed to all but its owner, and its modes as they were."""
    data = place / "data"
    assert WRITER.aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data)[0] == 0
    before = modes(data)
    assert before["."] == ("drwx------", WRITER.uid)
    assert aftertrace("readers", "--data", data).out.endswith("nobody but its owner may read it; 0 files and folders were changed\n")  # fmt: skip  # noqa: E501
    assert (modes(data), READER.aftertrace("runs", "--data", data)[0]) == (before, 2)


def test_a_lake_is_for_the_same_readers(place: Path, aftertrace: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which lies elsewhere."""
    data, lake = place / "data", place / "lake"
    told = {"AFTERTRACE_STORE_TABLES": str(lake), "AFTERTRACE_RECEIVER_NAME": "here"}
    assert WRITER.aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data, **told)[0] == 0
    monkeypatch.setenv("AFTERTRACE_STORE_READERS", str(GROUP))
    assert aftertrace("readers", "--data", data).code == 0
    question = ("sql", "select count(*) as n from runs", "--data", data)
    assert (READER.aftertrace(*question)[0], OTHER.aftertrace(*question)[0]) == (0, 2)
    assert READER.aftertrace("verify", "--key", data / "ledger" / "key", "--data", data)[0] == 0
    (lake / "_receivers" / "there").touch()
    told = aftertrace("readers", "--data", data)
    assert told.code == 2
    assert f"let others read {lake}: 'there' of another data folder stores in it too" in told.err
    (lake / "_receivers" / "there").unlink()
    monkeypatch.delenv("AFTERTRACE_STORE_READERS")
    assert aftertrace("readers", "--data", data).code == 0
    assert stat.filemode(lake.stat().st_mode) == "drwx------"


def test_a_group_that_somebody_gave_a_folder_by_hand_is_left_alone(place: Path, aftertrace: Command) -> None:
    """Though its modes are those of a store with readers."""
    data = place / "data"
    assert WRITER.aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data)[0] == 0
    data.chmod(0o2750)
    assert aftertrace("readers", "--data", data).code == 0
    assert (stat.filemode(data.stat().st_mode), group_of(Layout(data))) == ("drwxr-s---", None)


def test_root_is_not_led_elsewhere(place: Path, aftertrace: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a link, or by another name of a file, that whoever may write to the folder put there."""
    data, secret = place / "data", place / "secret"
    assert WRITER.aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data)[0] == 0
    secret.write_text("of root")
    secret.chmod(0o600)
    (data / "ledger" / "link").symlink_to(secret)
    monkeypatch.setenv("AFTERTRACE_STORE_READERS", str(GROUP))
    assert aftertrace("readers", "--data", data).code == 0
    (data / "ledger" / "name").hardlink_to(secret)
    told = aftertrace("readers", "--data", data)
    assert (told.code, f"let others read {data / 'ledger' / 'name'}: Permission denied" in told.err) == (2, True)
    assert (stat.filemode(secret.stat().st_mode), secret.stat().st_gid, os.geteuid()) == ("-rw-------", os.getgid(), 0)


def test_a_group_that_is_not_there_is_refused(data: Path, aftertrace: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is changed."""
    monkeypatch.setenv("AFTERTRACE_STORE_READERS", "no-such-group")
    before = modes(data)
    told = aftertrace("readers", "--data", data)
    assert (told.code, told.err, modes(data)) == (
        2,
        (
            "error: configure store.readers: no group 'no-such-group' on this machine, expected one; make it "
            "(groupadd --system no-such-group), or name another\n"
        ),
        before,
    )


def test_a_unit_that_may_set_no_group_bit_begins_in_a_folder_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the one of `deploy/` does with `RestrictSUIDSGID`. Where a store is there already, it says what to do."""

    def denied(fd: int, mode: int, real: Callable[[int, int], None] = os.fchmod) -> None:
        if mode & stat.S_ISGID:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        real(fd, mode)

    before = os.umask(UMASK)
    try:
        (tmp_path / "fresh").mkdir()
        (tmp_path / "fresh").chmod(0o2750)
        fresh, there = Layout(tmp_path / "fresh"), opened(tmp_path / "there")
        monkeypatch.setattr(os, "fchmod", denied)
        opened(fresh.data)
        assert (admit(fresh, os.getgid()), admit(fresh, os.getgid()), group_of(fresh)) == (1, 0, os.getgid())
        with pytest.raises(Invalid, match="run `aftertrace readers` as root"):
            admit(there, os.getgid())
        assert group_of(there) is None
    finally:
        os.umask(before)


def test_status_takes_readers_for_no_alarm(tmp_path: Path) -> None:
    """But what a group may write, and agents among them."""
    before = os.umask(0o022)
    try:
        layout = opened(tmp_path / "store")
        assert (admit(layout, os.getgid()) > 0, admit(layout, os.getgid()), group_of(layout)) == (True, 0, os.getgid())
        assert exposures(layout, "") == ()
        assert exposures(layout, str(os.getuid() + 1)) == ()
        layout.reads.chmod(0o2770)
        layout.reads_new.chmod(0o730)
        assert exposures(layout, "") == (
            Exposure("reads", "write", "group"),
            Exposure("reads/new", "write", "group"),
        )
        assert (dismiss(layout) > 0, exposures(layout, ""), group_of(layout)) == (True, (), None)
    finally:
        os.umask(before)
