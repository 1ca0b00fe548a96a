"""Results that are posted, of `check` and `inventory check`: to whom was named, once, signed, and as no markup."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from aftertrace.analyzer.expectations.checks import check
from aftertrace.analyzer.expectations.checks_json import MEMBERS, MOST_FINDINGS, written
from aftertrace.analyzer.expectations.rules import parsed
from aftertrace.analyzer.inventory.checks_json import MEMBERS as INVENTORY_MEMBERS
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.cli.webhook import Webhook, secret_of
from aftertrace.store.errors import Invalid, Unavailable

from .conftest import Command

RULES = '[[rule]]\nname = "payments need a person"\ntools = ["pay", "Bash"]\napproved_by = ["human"]\n'


@dataclass
class Program:
    """A program that takes webhooks: what it answers, one after the other, and what came."""

    answers: list[int] = field(default_factory=list)
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def program() -> Iterator[Program]:
    """Listening on this machine."""
    told = Program()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.came.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(told.answers.pop(0) if told.answers else 204)
            self.send_header("Location", told.url + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the server's signature
            """Tell nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_result_is_posted_signed_and_the_exit_code_stays_that_of_the_rules(
    aftertrace: Command, store: Path, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the secret can tell that it came from here, whole."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    secret = base64.b64encode(b"a secret of 24 bytes ...").decode()
    monkeypatch.setenv("AFTERTRACE_WEBHOOK_SECRET", f"whsec_{secret}")
    ended = aftertrace("check", rules, "--webhook", program.url + "/hook?to=ops", "--data", store)
    assert (ended.code, ended.err) == (0, "")
    ((path, headers, body),) = program.came
    told = json.loads(body)
    assert (path, headers["content-type"], set(told)) == ("/hook?to=ops", "application/json", set(MEMBERS))
    assert (told["text"], told["rules"]) == (
        "aftertrace check: 0 of 1 rules broken, 0 not known to hold",
        [{"broken": 0, "calls": 1, "name": "payments need a person", "runs": 0, "state": "holds", "unknown": 0}],
    )
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(b"a secret of 24 bytes ...", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    broken = RULES.replace("human", "timeout")
    rules.write_text(broken)
    assert aftertrace("check", rules, "--webhook", program.url, "--data", store).code == 1
    assert json.loads(program.came[-1][2])["broken"] == 1


@pytest.mark.parametrize(
    ("answers", "posted", "code", "error"),
    [
        ([503, 429, 200], 3, 0, ""),
        ([503, 500, 502, 200], 3, 75, "answer 502 in 3 attempts, expected 2xx; nobody was told, so try again"),
        ([302, 200], 1, 2, "answer 302, expected 2xx; redirects are not followed"),
        ([404, 200], 1, 2, "answer 404, expected 2xx; the result was not taken"),
    ],
)
def test_it_is_tried_again_where_that_can_help_and_the_exit_code_says_when_nobody_was_told(
    aftertrace: Command,
    store: Path,
    program: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[int],
    posted: int,
    code: int,
    error: str,
) -> None:
    """Under one id, so that it counts once; and never to where an answer leads."""
    monkeypatch.setattr("aftertrace.cli.webhook._WAITS_S", (0.0, 0.0))
    (tmp_path / "rules.toml").write_text(RULES)
    program.answers = answers
    ended = aftertrace("check", "rules.toml", "--webhook", program.url + "/secret", "--data", store)
    assert (ended.code, ended.err) == (code, error and f"error: post to {program.url}: {error}\n")
    assert ended.out.startswith("1 rule, 0 broken\n")
    assert [path for path, _, _ in program.came] == ["/secret"] * posted
    assert len({headers["webhook-id"] for _, headers, _ in program.came}) == 1


def test_where_nobody_listens_it_waits_longer_each_time_and_then_says_so(program: Program) -> None:
    """A bounded number of times."""
    waits: list[float] = []
    hook = Webhook.parse("http://127.0.0.1:1/hook", None, plain_http=False)
    with pytest.raises(Unavailable, match=r"post to http://127\.0\.0\.1:1: no answer \(ConnectionRefusedError\) in 3"):
        hook.post(b"{}", 0, waits.append)
    assert waits == [1.0, 4.0]


@pytest.mark.parametrize(
    ("url", "plain_http", "error"),
    [
        ("http://example.com/T0/secret", False, "--webhook: http to example.com, expected https"),
        ("http://127.0.0.1.example.com/", False, "--webhook: http to 127.0.0.1.example.com, expected https"),
        ("ftp://example.com/", True, "--webhook: expected a URL such as https://example.com/hook"),
        (
            "https://ann:pw@example.com/",
            True,
            "--webhook: expected a URL such as https://example.com/hook, without a user",
        ),
        ("https://example.com/a b", True, "--webhook: expected a URL such as"),
        ("https://example.com/a\r\nX: y", True, "--webhook: expected a URL such as"),
        ("https://example.com:x/", True, "--webhook: it is no URL"),
        ("http://example.com/", True, ""),
        ("http://localhost:8000/", False, ""),
        ("http://[::1]:8000/", False, ""),
        ("https://example.com/", False, ""),
    ],
)
def test_what_is_told_of_agents_goes_over_no_open_wire_unless_that_is_meant(
    url: str, plain_http: bool, error: str
) -> None:
    """And no message quotes the path, which is a secret of many such programs."""
    if not error:
        assert Webhook.parse(url, None, plain_http=plain_http).host in url
        return
    with pytest.raises(Invalid) as refusal:
        Webhook.parse(url, None, plain_http=plain_http)
    assert str(refusal.value).startswith(error)
    assert "secret" not in str(refusal.value)


def test_a_secret_is_a_file_or_a_variable_and_is_never_quoted(tmp_path: Path) -> None:
    """An empty one would sign with what everybody has."""
    file = tmp_path / "secret"
    file.write_bytes(b"from the file\n")
    assert (secret_of(file, "x"), secret_of(None, "x"), secret_of(None, None)) == (b"from the file", b"x", None)
    for bad in ("", "  ", "whsec_", " whsec_\n", "whsec_!!hidden"):
        with pytest.raises(Invalid, match="read AFTERTRACE_WEBHOOK_SECRET: ") as refusal:
            secret_of(None, bad)
        assert "hidden" not in str(refusal.value)


def test_no_text_of_a_sender_is_markup_in_what_is_posted() -> None:
    """A name that rings everybody up, a link, a tag, a direction mark: all are shown, and none is what it was."""
    names = [
        "<!channel>",
        "<script>alert(1)</script>",
        "[x](javascript:y)",
        "@here",
        "`rm` https://x",
        "a\u202eb\x1b[31m",
    ]
    told = {"outcome": "executed", "allowed_by": "policy", "decided_by": "policy"}
    rows = [{**told, "tool_name": name, "agent_name": name, "tool_call_id": name} for name in names]
    calls = pl.DataFrame(rows * 60, schema=DERIVED["calls"].schema)
    checked = check(
        parsed(RULES.replace('["pay", "Bash"]', '["*"]'), "r"), calls, pl.DataFrame(schema=DERIVED["runs"].schema)
    )
    text = written(checked, 10**18)
    assert text.isascii()
    found = json.loads(text)
    assert (len(found["findings"]), found["findings_left_out"]) == (MOST_FINDINGS, 60 * len(names) - MOST_FINDINGS)
    shown = {row["tool_name"] for row in found["findings"]}
    assert shown == {
        "‹!channel›",
        "‹script›alert(1)‹/script›",
        "［x］(javascript:y)",
        "＠here",
        "ˋrmˋ https∶//x",
        "a‹U+202E›b‹U+001B›［31m",
    }
    shown_at_all = "".join(json.dumps(list(row.values()), ensure_ascii=False)[1:-1] for row in found["findings"])
    assert not set(shown_at_all) & set("<>&@[]`")


def test_what_is_off_the_inventory_is_posted_in_the_same_way(
    aftertrace: Command, store: Path, program: Program, tmp_path: Path
) -> None:
    """Also where nothing is; a name in it is no markup, and where it is not taken the command says so."""
    inventory = tmp_path / "inventory.toml"
    inventory.write_text('[[agent]]\nname = "<!channel> @here"\nowner = "ann"\n')
    posted = ("inventory", "check", inventory, "--webhook", program.url + "/hook", "--data", store)
    ended = aftertrace(*posted)
    assert (ended.code, ended.err) == (1, "")
    ((path, headers, body),) = program.came
    told = json.loads(body)
    assert (path, headers["content-type"], set(told)) == ("/hook", "application/json", set(INVENTORY_MEMBERS))
    unregistered = [each for each in told["findings"] if each["kind"] == "unregistered"]
    assert told["agents"] == {"registered": 0, "silent": 1, "unregistered": len(unregistered)}
    assert (told["broken"], {each["verdict"] for each in told["findings"]}) == (len(unregistered), {"broken"})
    assert told["text"] == (
        f"aftertrace inventory check: {len(unregistered)} broken, 0 not known to hold; agents: 0 registered, "
        f"{len(unregistered)} unregistered, 1 silent"
    )
    assert not set(body.decode()) & set("<>@")
    inventory.write_text('[[agent]]\nname = "*"\nowner = "ann"\n')
    assert (aftertrace(*posted).code, json.loads(program.came[-1][2])["broken"]) == (0, 0)
    program.answers += [404]
    assert aftertrace(*posted).code == 2
    refused = aftertrace("inventory", "check", inventory, "--webhook", "http://example.com/x", "--data", store)
    assert (refused.code, len(program.came)) == (2, 3)
