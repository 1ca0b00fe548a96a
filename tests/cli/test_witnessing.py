"""`witness`: a witness elsewhere signs that the ledger only ever grew, and finds a store that was put back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from aftertrace.cli import witnessing
from aftertrace.store.layout import Layout
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.cosignature import WitnessKey, cosignatures, cosigned
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import EMPTY_ROOT
from aftertrace.tlog.note import Note
from aftertrace.tlog.proofs import verify_consistency
from aftertrace.tlog.texts import from_base64

from .conftest import Command

LITEWITNESS = "filippo.io/torchwood/cmd/litewitness@v0.8.0"
CACHE = Path(__file__).parents[2] / ".cache" / "interop" / "litewitness-v0.8.0"
NAME = "witness.example/w1"
SECRET = bytes(range(32))
AT_S = 1_800_000_000


@dataclass(slots=True)
class SpecWitness:
    """A witness as the text of C2SP tlog-witness has it, which knows one log."""

    log: VerifierKey
    key: SignerKey = field(default_factory=lambda: SignerKey(NAME, SECRET))
    seen: Checkpoint | None = None
    also: bytes = b""
    """What it answers besides."""

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        head, _, rest = body.partition(b"\n\n")
        old, *hashes = head.decode().split("\n")
        note = Note.parse(rest)
        found = Checkpoint.parse(note.text)
        if found.origin != self.log.name:
            return 404, b""
        try:
            note.verified(self.log)
        except Invalid:
            return 403, b""
        size = int(old.removeprefix("old "))
        if size > found.size:
            return 400, b""
        before = self.seen or Checkpoint(found.origin, 0, EMPTY_ROOT)
        if size != before.size:
            return 409, f"{before.size}\n".encode()
        try:
            if before.size:
                proof = [from_base64(each, "hash") for each in hashes]
                verify_consistency(before.size, before.root, found.size, found.root, proof)
        except Invalid:
            return 422, b""
        self.seen = found
        signed = cosigned(Note(note.text), self.key, AT_S)
        return 200, self.also + "".join(map(str, signed.signatures)).encode()


@pytest.fixture
def serving(data: Path) -> Iterator[tuple[SpecWitness, str]]:
    """Such a witness of the store's ledger, and how the configuration names it."""
    witness = SpecWitness(VerifierKey.parse((data / "ledger" / "key").read_text().strip()))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = witness.answer(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/w1/add-checkpoint":
                status, body = 404, b""
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    key = WitnessKey(NAME, witness.key.verifier.public)
    yield witness, f"http://127.0.0.1:{server.server_port}/w1 {key}"
    server.shutdown()
    server.server_close()


def grown(aftertrace: Command, data: Path) -> None:
    """One more request is stored and signed."""
    (line,) = data.parent.glob("*.jsonl")
    assert aftertrace("import", "--data", data, line).code == 0


def test_what_a_witness_signed_is_kept_and_its_signature_is_checked(
    aftertrace: Command,
    data: Path,
    serving: tuple[SpecWitness, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first checkpoint on, over proofs from the last that it saw; and verify compares with what is kept."""
    witness, told = serving
    monkeypatch.setenv("AFTERTRACE_LEDGER_WITNESSES", told)
    monkeypatch.setenv("AFTERTRACE_LEDGER_ANCHOR", str(data.with_name("anchor")))
    for size in (3, 4, 4):
        done = aftertrace("witness", "--data", data)
        assert (done.code, done.err) == (0, "")
        assert done.out == f"{NAME} has seen {size} entries, and signed that they go on from what it saw before\n"
        key = WitnessKey.parse(told.partition(" ")[2])
        note = Note.parse((data / "ledger" / "witnessed").read_bytes())
        assert cosignatures(note, key) == {key: AT_S}
        assert note.text == (data / "ledger" / "checkpoint").read_text().partition("\n\n")[0] + "\n"
        if size == 3:
            grown(aftertrace, data)
    assert witness.seen is not None
    names = sorted(path.name for path in data.with_name("anchor").iterdir())
    assert [name for name in names if "witnessed" in name] == [f"{size:020d}.witnessed" for size in (3, 4)]
    assert aftertrace("verify", "--data", data, "--key", data.with_name("key")).code == 0


def test_a_store_that_was_put_back_is_found_by_its_witness(
    aftertrace: Command,
    data: Path,
    serving: tuple[SpecWitness, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With nothing kept anywhere else."""
    monkeypatch.setenv("AFTERTRACE_LEDGER_WITNESSES", serving[1])
    older = Path(shutil.copytree(data, data.with_name("older")))
    grown(aftertrace, data)
    assert aftertrace("witness", "--data", data).code == 0
    done = aftertrace("witness", "--data", older)
    assert (done.code, "it has seen 4 entries" in done.err, "put back" in done.err) == (1, True, True)
    # Nor does it help to sign others in their place, which somebody with the key can.
    for number in range(2):
        (line,) = data.parent.glob("*.jsonl")
        assert aftertrace("import", "--data", older, line).code == 0, number
    done = aftertrace("witness", "--data", older)
    assert (done.code, "its past is another one" in done.err) == (1, True)
    assert not (older / "ledger" / "witnessed").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda witness: setattr(witness, "key", SignerKey(NAME, bytes(32))), "no signature by a key that is trusted"),
        (lambda witness: setattr(witness, "key", SignerKey("other.example/w", SECRET)), "no signature by a key"),
        (lambda witness: setattr(witness, "also", b"not a line\n"), "read signature"),
        (lambda witness: setattr(witness, "log", VerifierKey("other.example/log", bytes(range(32)))), "answered 404"),
        (lambda witness: setattr(witness, "log", VerifierKey(witness.log.name, bytes(32))), "answered 403"),
    ],
)
def test_an_answer_that_is_no_signature_of_the_witness_is_not_kept(
    aftertrace: Command,
    data: Path,
    serving: tuple[SpecWitness, str],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[SpecWitness], None],
    said: str,
) -> None:
    """By another key, of another name, not a line of a note; or none, since it does not know the log."""
    witness, told = serving
    monkeypatch.setenv("AFTERTRACE_LEDGER_WITNESSES", told)
    change(witness)
    done = aftertrace("witness", "--data", data)
    assert (done.code, said in done.err) == (75, True)
    assert not (data / "ledger" / "witnessed").exists()


@pytest.mark.parametrize("told", ["", "nonsense", "http://witness.example/w x", "https://w.example w+00000000+AA=="])
def test_what_is_no_witness_is_refused(
    aftertrace: Command,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
) -> None:
    """Before anything is sent."""
    monkeypatch.setenv("AFTERTRACE_LEDGER_WITNESSES", told)
    done = aftertrace("witness", "--data", data)
    assert (done.code, "ledger.witnesses" in done.err) == (2, True)


def built() -> Path:
    """Somebody else's witness, built once; skips where it cannot be."""
    program = CACHE / "litewitness"
    if not program.exists():
        if shutil.which("go") is None:
            pytest.skip("NO WITNESS OF OTHERS: Go is not installed")
        done = subprocess.run(
            ["go", "install", LITEWITNESS],
            env={**os.environ, "GOBIN": str(CACHE)},
            capture_output=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"NO WITNESS OF OTHERS: {done.stderr.decode()[-200:]}")
    return program


@pytest.fixture
def litewitness(data: Path, tmp_path: Path) -> Iterator[str]:
    """`litewitness` of FiloSottile/torchwood, which knows the log of the store; how the configuration names it."""
    program = built()
    key = Ed25519PrivateKey.from_private_bytes(SECRET)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    secret = tmp_path / "witness.pem"
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    secret.chmod(0o600)
    agent = Path(f"/tmp/w{os.getpid()}")
    processes = []
    try:
        processes.append(subprocess.Popen(["ssh-agent", "-D", "-a", str(agent)], stdout=subprocess.DEVNULL))
        until(agent.exists)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
        subprocess.run(["ssh-add", "-q", str(secret)], env=environment, check=True, capture_output=True)
        listed = subprocess.run(
            ["ssh-add", "-l", "-E", "sha256"], env=environment, check=True, capture_output=True, text=True
        )
        told = ["-ssh-agent", str(agent), "-name", NAME, "-key", listed.stdout.split()[1], "-listen", "127.0.0.1:7381"]
        database = tmp_path / "witness.db"
        processes.append(
            subprocess.Popen([program, *told, "-db", str(database)], stdout=subprocess.DEVNULL, cwd=tmp_path)
        )
        until(lambda: reachable("http://127.0.0.1:7381/"))
        log = (data / "ledger" / "key").read_text().strip()
        with sqlite3.connect(database) as known:
            root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
            known.execute("INSERT INTO log VALUES (?, 0, ?)", (log.partition("+")[0], root))
            known.execute("INSERT INTO key VALUES (?, ?)", (log.partition("+")[0], log))
        known.close()
        yield f"http://127.0.0.1:7381 {WitnessKey(NAME, public)}"
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(10)
        agent.unlink(missing_ok=True)


def reachable(url: str) -> bool:
    """Whether somebody answers there."""
    with suppress(OSError):
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  # on loopback
        return True
    return False


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="NO WITNESS OF OTHERS: it needs ssh-agent")
def test_a_witness_that_others_wrote_signs(
    aftertrace: Command,
    data: Path,
    litewitness: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`litewitness`: from the first checkpoint on, as the log grows, and not for a store that was put back."""
    monkeypatch.setenv("AFTERTRACE_LEDGER_WITNESSES", litewitness)
    older = Path(shutil.copytree(data, data.with_name("older")))
    for size in (3, 4):
        done = aftertrace("witness", "--data", data)
        assert (done.code, done.out.split()[3]) == (0, str(size))
        grown(aftertrace, data)
    key = WitnessKey.parse(litewitness.partition(" ")[2])
    (at_s,) = cosignatures(Note.parse((data / "ledger" / "witnessed").read_bytes()), key).values()
    assert abs(at_s - time.time()) < 60
    done = aftertrace("witness", "--data", older)
    assert (done.code, "it has seen 4 entries" in done.err) == (1, True)
    assert json.loads(aftertrace("verify", "--data", data, "--format", "json").out)["integrity"] == "holds"


def test_it_goes_on_with_each_checkpoint_and_after_a_refusal(
    aftertrace: Command,
    data: Path,
    serving: tuple[SpecWitness, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As `serve` runs it: what is refused once is shown again."""
    witness, told = serving
    monkeypatch.setattr(witnessing, "_EVERY_S", 0.05)
    known, right, stopping = list(witnessing.witnesses(told)), witness.key, threading.Event()
    witness.key = SignerKey(NAME, bytes(32))
    thread = threading.Thread(target=witnessing._follow, args=(Layout(data), known, None, stopping))
    thread.start()
    try:
        until(lambda: "no signature by a key that is trusted" in caplog.text)
        assert not (data / "ledger" / "witnessed").exists()
        witness.key = right
        until((data / "ledger" / "witnessed").exists)
        grown(aftertrace, data)
        until(lambda: witness.seen is not None and witness.seen.size == 4)
    finally:
        stopping.set()
        thread.join(10)
    assert not thread.is_alive()
