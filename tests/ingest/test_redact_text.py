"""Secrets in texts: which are found, what stands in their place, what is left alone, and how long it takes."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.ingest.patterns import compile_pattern
from aftertrace.ingest.redact_text import TextRedactor
from aftertrace.ingest.redact_tokens import Tokens
from aftertrace.ingest.secret_rules import FIELDS, SHAPES

TOKENS = Tokens(b"k" * 32)
REDACTOR = TextRedactor(TOKENS, FIELDS, SHAPES)
CANARY = "hunter2-CANARY"


def redact(text: str) -> str:
    """The text after redaction."""
    return REDACTOR.redact(text.encode(), Counter()).decode()


def token(rule: str, secret: str = CANARY) -> str:
    """What stands in place of a secret."""
    return TOKENS.of(rule, secret.encode()).decode()


def quoted(value: object, times: int) -> str:
    """A JSON text that was put into a JSON string so many times."""
    text = json.dumps(value)
    for _ in range(times):
        text = json.dumps({"in": text})
    return text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"password={CANARY}", "password-field"),
        (f"password: {CANARY}", "password-field"),
        (f"db_password = {CANARY} # local", "password-field"),
        (f'{{"password": "{CANARY}", "user": "u"}}', "password-field"),
        (f"{{'password': '{CANARY}', 'user': 'u'}}", "password-field"),
        (f'{{"\\u0070assw\\u006Frd": "{CANARY}", "user": "u"}}', "password-field"),
        (f'{{"user": "u", "password": "{CANARY}', "password-field"),
        (f"mysql --password {CANARY} -e 'select 1'", "password-field"),
        (f'["curl", "--api-key", "{CANARY}", "http://x"]', "api-key-field"),
        (f"export OPENAI_API_KEY={CANARY}\nls", "api-key-field"),
        (f"https://host/path?access_token={CANARY}&page=2", "token-field"),
        (f"clientSecret: `{CANARY}`,", "secret-field"),
        (f'curl -H "Authorization: Bearer {CANARY}" http://x', "authorization-field"),
        (f"-H 'X-Api-Key: {CANARY}'", "api-key-field"),
        (f"postgres://user:{CANARY}@host:5432/db", "url-credentials"),
        (f"https:\\/\\/user:{CANARY}@host\\/path", "url-credentials"),
        (f"Bearer {CANARY}", "bearer-header"),
        (f"curl -sS -u admin:{CANARY} http://x", "curl-credentials"),
        (f'["curl", "-u", "admin:{CANARY}"]', "curl-credentials"),
        (f'curl -H "A: b" --user "admin:{CANARY}" http://x', "curl-credentials"),
        (f'{{"command": "curl --proxy-user=\\"u:{CANARY}\\" http://x"}}', "curl-credentials"),
        (f"x-amz-security-token: {CANARY}", "token-field"),
        (f'{{"id_token": "{CANARY}"}}', "token-field"),
        (f"GITHUB_TOKEN={CANARY} make", "token-field"),
        (f'DbConnectionString="{CANARY}"', "connection-string-field"),
        (
            f'[{{"name": "Authorization", "value": "{CANARY}"}}, {{"name": "Accept", "value": "*/*"}}]',
            "authorization-field",
        ),
        (f"{{'name': 'set-cookie',\n  'value': '{CANARY}'}}", "cookie-field"),
        (f'{{\\"name\\":\\"X-Api-Key\\",\\n\\"value\\":\\"{CANARY}\\"}}', "api-key-field"),
        (f"<server><username>ci</username><password>{CANARY}</password></server>", "password-field"),
        (f"<ns:clientSecret>{CANARY}</ns:clientSecret>", "secret-field"),
        (f"\\u003cpassword\\u003e{CANARY}\\u003c/password\\u003e", "password-field"),
        (f"<password>{CANARY}", "password-field"),
        (f'<w:Password Type="http://x#PasswordText">{CANARY}</w:Password>', "password-field"),
        (f"<password ><![CDATA[{CANARY}]]></password>", "password-field"),
        (f'{{"value": "{CANARY}", "name": "Authorization"}}', "authorization-field"),
        (f'{{"name":"X-Api-Key","disabled":false,"type":"text","value":"{CANARY}"}}', "api-key-field"),
    ],
)
def test_the_value_of_a_denied_field_is_replaced_where_it_stands(text: str, rule: str) -> None:
    """Prose, code, command lines, URLs and JSON: only the secret goes, everything around it stays."""
    assert redact(text) == text.replace(CANARY, token(rule))


@pytest.mark.parametrize("times", range(5))
@pytest.mark.parametrize("held", [CANARY, f'a"b\\c{CANARY}', f"{CANARY}\\", f"line\n{CANARY}\n"])
def test_json_within_json_is_redacted_at_any_depth(times: int, held: str) -> None:
    """What is left is JSON as before, with one value replaced."""
    redacted = redact(quoted({"a": 1, "api_key": held, "z": "\\"}, times))
    assert CANARY not in redacted
    for _ in range(times):
        redacted = json.loads(redacted)["in"]
    left = json.loads(redacted)
    assert left.pop("api_key").startswith("[[redacted:api-key-field:")
    assert left == {"a": 1, "z": "\\"}


@pytest.mark.parametrize("times", range(3))
@pytest.mark.parametrize("held", [{"a": [f"}}]{CANARY}"]}, ["[", CANARY], 123456, -1.5e9])
def test_arrays_maps_and_numbers_under_a_denied_name_are_replaced_whole(times: int, held: object) -> None:
    """Brackets inside their strings do not end them."""
    redacted = redact(quoted({"secret": held, "z": [1]}, times))
    for _ in range(times):
        redacted = json.loads(redacted)["in"]
    left = json.loads(redacted)
    assert left.pop("secret").startswith("[[redacted:secret-field:")
    assert left == {"z": [1]}


@pytest.mark.parametrize(
    ("rule", "secret"),
    [
        ("aws-access-id", "AKIAIOSFODNN7EXAMPLE"),
        ("aftertrace", "aftertrace_" + "a1B-_2c" * 6 + "x"),
        ("github", "ghp_" + "a1B2" * 9),
        ("github", "github_pat_" + "a1B2" * 6),
        ("gitlab", "glpat-" + "a1B2-" * 4),
        ("anthropic", "sk-ant-api03-" + "a1B2_" * 8),
        ("openai", "sk-proj-" + "a1B2" * 8),
        ("google", "AIza" + "a1B2c" * 7),
        ("slack", "xoxb-123456789012-abcdefABCDEF"),
        ("stripe", "sk_live_" + "a1B2" * 6),
        ("npm", "npm_" + "a1B2" * 9),
        ("huggingface", "hf_" + "a1B2" * 9),
        ("sendgrid", "SG." + "a" * 22 + "." + "b" * 43),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"),
        ("pem-block", "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\nxyz==\n-----END RSA PRIVATE KEY-----"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "see {}, please", "a\\n{}\\n", '"{}"', "x={}&y", "({})"])
def test_secrets_are_known_by_their_shape(rule: str, secret: str, around: str) -> None:
    """Wherever they stand, quoted line ends included."""
    assert redact(around.format(secret)) == around.format(token(rule, secret))


def test_a_private_key_that_was_cut_off_is_still_one() -> None:
    """Senders cut long texts; the END line may be missing."""
    assert redact("x -----BEGIN PRIVATE KEY-----\nMIIabc") == "x " + token(
        "pem-block", "-----BEGIN PRIVATE KEY-----\nMIIabc"
    )


@pytest.mark.parametrize(
    "text",
    [
        "The password is required, and so is the cookie banner's secret sauce.",
        "password: str = Field(...)",
        "password = getpass.getpass()",
        "def connect(password=None, api_key=api_key):",
        '{"password": null, "secret": "", "is_secret": true}',
        "mysql -p$PASSWORD --password=${PASSWORD} password=****",
        "Bearer authentication and basic functionality",
        "Authorization: required",
        '"required": ["password", "user"], "value": "x"',
        '{"name": "accept", "value": "text/html"}',
        "<password></password><password> </password><password>${DB_PASSWORD}</password><secret>null</secret>",
        "if passwords<tokens> then",
        'mysql -u root -p<password> -e "drop"", "calls": [{"name": "drop_database"}]',
        "export FOO=<api_key> && do_something_dangerous --now",
        "fn key(&self) -> Result<ApiKey> { self.key() } let all: Array<Secret> = [];",
        "<password>the user types it here<br/></password>",
        "gen_ai.usage.input_tokens: 123, max_tokens=4096, llm.token_count.total=9",
        '{"token_count": 17, "tokens": [1, 2], "passwordless": true}',
        "sk-learn-is-not-a-key-at-all task-2024-01-list-of-many-things-12345678",
        "http://localhost:4318/v1/traces user@example.com at 12:30@noon",
        "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----",
        "password == other and secret != none",
        "curl http://x; docker run -u 1000:1000 -v a:b image",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Prose, code, counts and references come out byte for byte."""
    hits: Counter[str] = Counter()
    assert REDACTOR.redact(text.encode(), hits) == text.encode()
    assert hits == Counter()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("authorization", "authorization-field"),
        ("http.request.header.Authorization", "authorization-field"),
        ("http.request.header.set-cookie", "cookie-field"),
        ("http.request.header.x-api-key.0", "api-key-field"),
        ("openaiApiKey", "api-key-field"),
        ("OPENAI_API_KEY", "api-key-field"),
        ("aws.secret_access_key", "secret-field"),
        ("clientSecret", "secret-field"),
        ("oauth.refresh_token", "token-field"),
        ("ssh.private-key", "private-key-field"),
        ("db.passwd", "password-field"),
        ("gen_ai.usage.input_tokens", None),
        ("llm.token_count.prompt", None),
        ("gen_ai.token.type", None),
        ("authorization.decision", None),
        ("api_key_source", None),
        ("session.id", None),
    ],
)
def test_field_names_are_denied_by_how_they_end(name: str, rule: str | None) -> None:
    """In any case and notation; counts of tokens are not tokens."""
    assert REDACTOR.denied(name) == rule


def test_equal_secrets_get_equal_tokens_in_one_store_only() -> None:
    """Tokens join across records and rules' digests; another key gives others; rules are counted."""
    hits: Counter[str] = Counter()
    text = f"password={CANARY} then --password {CANARY}"
    assert REDACTOR.redact(text.encode(), hits).decode() == text.replace(CANARY, token("password-field"))
    assert hits == Counter({"password-field": 2})
    assert Tokens(b"o" * 32).of("password-field", b"x") != TOKENS.of("password-field", b"x")


fragments = st.sampled_from(
    [
        "password",
        "api_key",
        "cookie",
        "authorization",
        "Bearer ",
        "--",
        "=",
        ":",
        '"',
        "'",
        "\\",
        "{",
        "}",
        "[",
        "]",
        " ",
        "\n",
        "\\n",
        "x1y2z3",
        "https://u:p1@h",
        "ghp_" + "a1" * 18,
        "é",
        ",",
        "[[redacted:x-field:aaaaaaaaaa]]",
    ]
)


@given(st.lists(fragments, max_size=25).map("".join))
@settings(max_examples=400, deadline=None)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """Tokens are never taken for secrets; nothing raises; what is not suspect is not touched."""
    once = redact(text)
    assert redact(once) == once
    if not REDACTOR.suspects(text.encode()):
        assert once == text


@pytest.mark.parametrize(
    "unit",
    [
        'password="',
        "password=a1 ",
        '{"password":{"a":[',
        '"password":"\\"',
        'password="' + '\\"' * 50,
        "-----BEGIN PRIVATE KEY-----\n",
        "https://a:",
        "eyJaaaaaaaaaa.",
        "Authorization: Bearer ",
        "--password ",
        "<password>",
        "<password><![CDATA[",
        "\\" * 40 + '"',
        "sk-" + "a" * 40,
    ],
)
def test_time_grows_with_length_and_no_faster(unit: str) -> None:
    """Four times the text takes about four times as long, on texts made to be bad."""
    sizes_bytes = (40_000, 160_000)
    took_s = []
    for size_bytes in sizes_bytes:
        data = (unit * (size_bytes // len(unit) + 1)).encode()[:size_bytes]
        runs = []
        for _ in range(2):
            began = time.process_time()
            REDACTOR.redact(data, Counter())
            runs.append(time.process_time() - began)
        took_s.append(min(runs))
    assert took_s[1] < 10 * took_s[0] + 0.1, took_s


@given(
    st.from_regex(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:\\*/\\*/[a-z0-9._]{0,30}:[^\s/?#@\"'<>\\]{1,30}@"),
    st.text(max_size=20),
)
def test_the_scan_of_a_whole_request_sees_each_address_with_a_password(address: str, before: str) -> None:
    """Its pattern is a looser one, so that it is fast; it must never miss what the rule itself finds."""
    text = (before + address).encode()
    rule = next(shape for shape in SHAPES if shape.rule == "url-credentials")
    assert compile_pattern(rule.pattern).search(text)
    assert REDACTOR.suspects(text)


def test_a_request_without_secrets_is_scanned_fast() -> None:
    """Counters in a pattern make the scan thirty times slower; 50 MB/s is far from both."""
    prose = " ".join(
        f"word{number} https://example.com/{number}?q=a:b risk-free {number}" for number in range(20_000)
    ).encode()
    elapsed_s = []
    for _ in range(5):
        began = time.process_time()
        assert not REDACTOR.suspects(prose)
        elapsed_s.append(time.process_time() - began)
    assert len(prose) / min(elapsed_s) > 50e6
