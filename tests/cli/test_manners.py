"""A running `serve`, told to read its configuration anew, asked how it stands, and read by a machine."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
from contextlib import closing
from pathlib import Path

import pytest
from receiver.authority import Authority

from aftertrace.cli.config import Config, LogSection, ReceiverSection
from aftertrace.cli.logs import start
from aftertrace.cli.reloading import differences
from aftertrace.ingest.redaction_policy import Keys, make_policy
from aftertrace.store.errors import Invalid
from aftertrace.store.snapshot import Snapshot

from .conftest import Command
from .served import Served, log_of, serving, until

PAGE = "https://app.example.com"


def configure(**receiver: object) -> None:
    """Write the configuration that `serve` finds."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in receiver.items()]
    Path("aftertrace.toml").write_text("\n".join(["[receiver]", *lines, "[log]", 'format = "json"', ""]))


def logged(served: Served, about: str) -> list[dict[str, str]]:
    """Lines of the log that speak of something."""
    lines = [json.loads(line) for line in list(served.errors)]
    return [line for line in lines if about in line["message"]]


def reload(served: Served) -> dict[str, str]:
    """Send SIGHUP; the line that says what came of it."""
    before = len(logged(served, "reload"))
    served.process.send_signal(signal.SIGHUP)
    until(lambda: len(logged(served, "reload")) > before)
    return logged(served, "reload")[-1]


def sizes(served: Served) -> dict[str, float]:
    """What `/metrics` tells without labels."""
    connection = http.client.HTTPConnection(served.ready["http"].removeprefix("http://"), timeout=10)
    with closing(connection):
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    return {
        name: float(value) for name, value in (line.split(" ") for line in lines if line[0] != "#" and "{" not in line)
    }


def test_configuration_is_read_anew_while_it_serves(tmp_path: Path, aftertrace: Command) -> None:
    """What needs no restart holds at once, what does is said, and what cannot hold changes nothing."""
    configure()
    with serving(tmp_path / "data", "--no-dashboard") as served:
        assert served.post("first") == 200
        assert served.send("logs", b"", Origin=PAGE) == 403
        configure(cors_origins=PAGE, requests_per_s=1, max_request_bytes=1_000)
        assert reload(served)["message"] == "reloaded certificates and receiver.cors_origins, receiver.requests_per_s"
        until(lambda: bool(logged(served, "restart")))
        (restart,) = logged(served, "restart")
        assert restart["message"] == "changed, and in force after a restart: receiver.max_request_bytes"
        assert [served.send("logs", b"", Origin=PAGE) for _ in range(11)] == [200] * 10 + [503]
        configure(cors_origins="*")
        refused = reload(served)
        assert refused["level"] == "error"
        assert refused["message"].startswith(
            "reload: configure receiver: cors_origins has '*', expected origins such as"
        )
        assert served.send("logs", b"", Origin="https://evil.example.com") == 403
        assert (
            aftertrace("source", "limit", "anonymous", "--requests-per-s", "0", "--data", tmp_path / "data").code == 0
        )
        until(lambda: served.post("second") == 200)
        until(lambda: sizes(served).get("aftertrace_waiting_requests") == 0)
        told = sizes(served)
        assert told["aftertrace_accepted_seq"] >= 2
        assert 0 <= told["aftertrace_last_commit_age_seconds"] < 60
        assert {"aftertrace_in_flight_bytes", "aftertrace_http_connections", "aftertrace_grpc_readings"} < told.keys()
        assert told["aftertrace_backlog_bytes"] > 0
    assert {json.loads(line)["logger"] for line in served.errors} >= {"aftertrace.serve", "aftertrace.drain"}


def test_rules_of_redaction_hold_from_the_next_request_on(tmp_path: Path) -> None:
    """Read anew on SIGHUP; a rule that cannot hold changes nothing, and records say under which policy they came."""
    file = Path("aftertrace.toml")
    head = '[log]\nformat = "json"\n[redaction]\n'
    file.write_text(head)
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        assert served.post("first") == 200
        file.write_text(head + 'drop_keys = ["prompt.id"]\nsecret_patterns = { employee = "EMP-[0-9]{6}" }\n')
        assert reload(served)["message"] == "reloaded certificates and redaction.drop_keys, redaction.secret_patterns"
        assert served.post("EMP-123456") == 200
        file.write_text(head + 'secret_patterns = { employee = ".*" }\n')
        assert reload(served)["message"].startswith(
            "reload: configure redaction: secret_patterns: employee: it matches everything; say what the secret looks"
        )
        assert served.post("third") == 200
    evidence = Snapshot.of(data).scan("evidence").sort("seq").collect()
    assert evidence["redactions"].to_list() == [0, 3, 1]
    digests = [
        make_policy().digest,
        *2 * [make_policy(keys=Keys(drop=("prompt.id",)), secret_patterns=[("employee", "EMP-[0-9]{6}")]).digest],
    ]
    assert evidence["policy_digest"].to_list() == digests
    assert b"EMP-123456" not in b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_it_leaves_no_image_of_its_memory_and_has_files_enough(tmp_path: Path) -> None:
    """A dump would hold what was received before it was redacted; connections are files, and so are segments."""
    with serving(tmp_path / "data", "--no-dashboard") as served:
        limits = Path(f"/proc/{served.process.pid}/limits").read_text()
    soft = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert soft["Max core file size"][0] == "0"
    most = soft["Max open files"]
    assert most[0] == most[1] or int(most[0]) >= 65_536


def test_a_renewed_certificate_needs_no_restart(tmp_path: Path) -> None:
    """The files are replaced, as a certificate manager does it, and SIGHUP is sent."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    (tmp_path / "next").mkdir()
    authority, successor = Authority(folder), Authority(tmp_path / "next")
    configure(tls_certificate=str(authority.certificate), tls_key=str(authority.key))

    def ready(of: Authority) -> int:
        context = ssl.create_default_context(cafile=of.roots)
        address = served.ready["http"].removeprefix("https://")
        with closing(http.client.HTTPSConnection(address, timeout=10, context=context)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status

    with serving(tmp_path / "data", "--no-dashboard") as served:
        assert ready(authority) == 200
        authority.certificate.write_bytes(successor.certificate.read_bytes())
        assert reload(served)["level"] == "error"
        authority.key.write_bytes(successor.key.read_bytes())
        assert reload(served)["message"] == "reloaded certificates and an unchanged configuration"
        assert ready(successor) == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            ready(authority)


def test_no_payload_stands_in_a_log(tmp_path: Path) -> None:
    """Neither of what was accepted, nor of what was refused for whatever reason."""
    canary = "hunter2-CANARY"
    configure()
    with serving(tmp_path / "data", "--no-dashboard") as served:
        body = json.dumps(log_of(canary)).encode()
        for headers in (
            {"Content-Type": "application/json"},
            {},
            {"Content-Encoding": canary},
            {"Content-Type": canary},
        ):
            served.send("logs", body, **headers)
        served.send("logs", body[:-1], **{"Content-Type": "application/json"})
        served.send(canary, body)
        served.send("logs", body, Authorization=f"Bearer {canary}", Cookie=canary)
    assert served.errors
    assert canary not in "".join(served.errors)


def test_what_a_source_may_send_is_set_and_shown(tmp_path: Path, aftertrace: Command) -> None:
    """By the configuration for all, and by name for one."""
    configure(bytes_per_s=500)
    data = ("--data", tmp_path / "data")
    aftertrace("source", "add", "ci", *data)

    def shown() -> tuple[int, int]:
        row = json.loads(aftertrace("source", "list", "--format", "json", *data).out)
        return row["requests_per_s"], row["bytes_per_s"]

    assert shown() == (0, 500)
    assert aftertrace("source", "limit", "ci", "--requests-per-s", "10", *data).err == (
        "ci may send 10 requests and 500 bytes per second\n"
    )
    assert shown() == (10, 500)
    assert aftertrace("source", "limit", "ci", "--bytes-per-s", "0", *data).err == (
        "ci may send 10 requests and any number of bytes per second\n"
    )
    assert shown() == (10, 0)
    assert aftertrace("source", "limit", "ci", "--default", *data).code == 0
    assert shown() == (0, 500)
    refused = [
        aftertrace("source", "limit", "ci", *data),
        aftertrace("source", "limit", "ci", "--default", "--bytes-per-s", "1", *data),
        aftertrace("source", "limit", "other", "--bytes-per-s", "1", *data),
    ]
    assert [(each.code, each.err.count("\n")) for each in refused] == [(2, 1)] * 3


def test_settings_are_told_apart_by_name() -> None:
    """Whichever section they stand in."""
    assert differences(Config(), Config()) == set()
    assert differences(Config(), Config(receiver=ReceiverSection(name="x"), log=LogSection("json"))) == {
        "receiver.name",
        "log.format",
    }


def test_an_unknown_format_of_logs_is_refused() -> None:
    """It is not read as text."""
    with pytest.raises(Invalid, match="configure log: format is 'xml', expected one of text, json"):
        start(Config(log=LogSection("xml")))
