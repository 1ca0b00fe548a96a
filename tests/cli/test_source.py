"""`source`: tokens are given out, listed and taken back; `serve` holds its senders to them."""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from .conftest import Command
from .served import Served, log_of, serving


def post(served: Served, name: str, token: str | None) -> int:
    """Send one log record with a token; the status of the answer."""
    body = ParseDict(log_of(name), ExportLogsServiceRequest()).SerializeToString()
    return served.send("logs", body, **({} if token is None else {"Authorization": f"Bearer {token}"}))


def test_a_team_is_let_in_seen_and_shut_out(aftertrace: Command, tmp_path: Path) -> None:
    """While `serve` runs; the tenant is a filter of every report."""
    Path("aftertrace.toml").write_text('[receiver]\nrequire_token = true\n[store]\ndata = "data"\n')
    with serving(tmp_path / "data", "--no-dashboard") as served:
        assert any("there is none yet: aftertrace source add NAME" in line for line in served.errors)
        made = aftertrace("source", "add", "acme/refunds")
        assert made.code == 0
        assert made.err == (
            "acme/refunds may send with it: OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20<token>', or the header "
            "authorization: Bearer <token>\n"
        )
        token = made.out.strip()
        assert [post(served, "s-1", shown) for shown in (token, None, "wrong")] == [200, 401, 401]
        (listed,) = aftertrace("source", "list", "--format", "json").out.splitlines()
        row = json.loads(listed)
        assert (row["source"], row["tenant"]) == ("acme/refunds", "acme")
        removed = aftertrace("source", "remove", "acme/refunds")
        assert (removed.code, removed.err) == (0, f"acme/refunds: removed {row['id']}\n")
        assert post(served, "s-2", token) == 401
    calls = [json.loads(line) for line in aftertrace("calls", "--tenant", "acme", "--format", "json").out.splitlines()]
    assert [(call["conversation_id"], call["source"], call["tenant"]) for call in calls] == [
        ("s-1", "acme/refunds", "acme")
    ]
    assert aftertrace("calls", "--tenant", "other", "--format", "json").out == ""


def test_what_cannot_be_is_said_in_one_line(aftertrace: Command, tmp_path: Path) -> None:
    """Names, stores and certificates."""
    Path("aftertrace.toml").write_text('[receiver]\ntls_certificate = "server.pem"\n[store]\ndata = "data"\n')
    ended = [
        aftertrace("source", "list"),
        aftertrace("source", "add", "import"),
        aftertrace("source", "remove", "ci"),
        aftertrace("serve", "--http", "0.0.0.0:0"),
    ]
    assert [(each.code, each.out) for each in ended] == [(2, "")] * 4
    assert [each.err.count("\n") for each in ended] == [1] * 4
    assert ended[3].err == (
        "error: configure receiver: TLS needs both receiver.tls_certificate and receiver.tls_key; set both\n"
    )
    Path("aftertrace.toml").write_text('[store]\ndata = "data"\n')
    assert "to receive from afar set receiver.tls_certificate" in aftertrace("serve", "--http", "0.0.0.0:0").err


def test_connect_says_that_a_token_is_asked_for(aftertrace: Command) -> None:
    """With the address as it will be spoken to."""
    Path("aftertrace.toml").write_text("[receiver]\nrequire_token = true\n")
    shown = aftertrace("connect", "claude-code", "--no-wait").out
    assert "aftertrace source add NAME" in shown
    assert "OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20<token>'" in shown
    Path("aftertrace.toml").write_text("")
    assert "aftertrace source add NAME" not in aftertrace("connect", "claude-code", "--no-wait").out
