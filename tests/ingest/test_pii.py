"""Personal data by its form: what adds up is found, what only looks like it stays."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from aftertrace.ingest.pii import PII
from aftertrace.ingest.redact_text import TextRedactor
from aftertrace.ingest.redact_tokens import Tokens
from aftertrace.ingest.redaction_policy import make_policy

CLASSES = [rule.rule for rule in PII]
TOKENS = Tokens(b"k" * 32)


def redactor(*classes: str) -> TextRedactor:
    """One that looks for these classes, and for nothing else."""
    return TextRedactor(TOKENS, (), tuple(rule for rule in PII if rule.rule in classes))


ALL = redactor(*CLASSES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "ann.lee+test@mail.example.co.uk"),
        ("iban", "DE89370400440532013000"),
        ("iban", "GB29 NWBK 6016 1331 9268 19"),
        ("iban", "NO9386011117947"),
        ("card", "4111111111111111"),
        ("card", "5500 0000 0000 0004"),
        ("card", "3782-822463-10005"),
        ("phone", "+49 30 901820"),
        ("phone", "+1 (415) 555-2671"),
        ("phone", "+442071838750"),
        ("ipv4", "203.0.113.42"),
        ("ipv6", "2001:db8::8a2e:370:7334"),
        ("ipv6", "fe80:0:0:0:0202:b3ff:fe1e:8329"),
        ("us-ssn", "123-45-6789"),
    ],
)
def test_each_class_is_found_where_it_is_asked_for(name: str, value: str) -> None:
    """At the beginning and end of a text, in a sentence, and in JSON however often it was quoted; by no other class."""
    for text in (
        value,
        f"It is {value}.",
        f"<{value}>",
        json.dumps({"a": f"x\n{value}\ny"}),
        json.dumps(json.dumps([value])),
    ):
        for looking in (redactor(name), ALL):
            hits: Counter[str] = Counter()
            left = looking.redact(text.encode(), hits).decode()
            assert (value in left, hits) == (False, Counter({name: 1})), left
            assert looking.redact(left.encode(), hits).decode() == left
        others = redactor(*(each for each in CLASSES if each != name))
        assert others.redact(text.encode(), Counter()).decode() == text


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "0.4111111111111111 and 1732279812345678901",
        "0000000000000000",
        "DE89370400440532013001 XX89370400440532013000",
        "+12 +1000, 2026-11-22T12:30:00+01:00",
        "127.0.0.1 0.0.0.0 256.1.1.1 1.2.3 1.2.3.4.5 ::1 12:30:00 std::abc a::b 10:20:30:40",
        "000-45-6789 666-45-6789 901-45-6789 123-00-6789 123-45-0000 1123-45-6789",
        "user@localhost @example.com a@b",
        "9f0c5b1e-4d2a-4c57-b1f5-d3f0a86e2c11",
    ],
)
def test_what_does_not_add_up_stays(text: str) -> None:
    """Numbers, times, versions, loopback, and ids."""
    assert ALL.redact(text.encode(), Counter()).decode() == text


def test_what_stands_behind_an_iban_in_capitals_is_kept() -> None:
    """Its country says how long it is."""
    text = ALL.redact(b"DE89 3704 0044 0532 0130 00 PAID", Counter()).decode()
    assert re.fullmatch(r"\[\[redacted:iban:[a-z2-7]{10}\]\] PAID", text)


def test_tokens_of_classes_with_few_values_are_drawn() -> None:
    """Equal ones cannot be joined, and nobody can try them all; of the others they can be joined."""
    told = ALL.redact(b"4111111111111111 4111111111111111 a@example.com a@example.com", Counter()).decode().split()
    assert [token.partition(":random-")[0] for token in told[:2]] == ["[[redacted:card", "[[redacted:card"]
    assert (told[0] == told[1], told[2] == told[3]) == (False, True)
    assert {rule.rule for rule in PII if rule.is_few} == {"card", "phone", "ipv4", "us-ssn"}


def test_no_class_is_looked_for_unless_it_is_named() -> None:
    """Control: what comes with aftertrace finds none of it."""
    text = b"4111111111111111 a@example.com 203.0.113.42"
    standard, named = make_policy(), make_policy(rules_on=["card"])
    for policy, hits in ((standard, Counter()), (named, Counter(card=1))):
        found: Counter[str] = Counter()
        TextRedactor(TOKENS, policy.fields, policy.shapes).redact(text, found)
        assert found == hits
