"""The rules of gitleaks: converted from its own file, found in every form in which its tests have them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from aftertrace.ingest import convert_gitleaks
from aftertrace.ingest.gitleaks import GITLEAKS, OFF
from aftertrace.ingest.patterns import compile_pattern
from aftertrace.ingest.redact_text import TextRedactor
from aftertrace.ingest.redact_tokens import Tokens
from aftertrace.ingest.redaction_policy import STANDARD_SHAPES, make_policy
from aftertrace.ingest.secret_rules import FIELDS, SHAPES, ShapeRule
from aftertrace.ingest.shapes import Shape, entropy_bits, signs_of

from .made_secrets import FORMS, in_form, made

TOKENS = Tokens(b"k" * 32)
REDACTOR = TextRedactor(TOKENS, FIELDS, STANDARD_SHAPES)
RULES = {shape.rule: shape for shape in GITLEAKS}
EVERY = TextRedactor(TOKENS, FIELDS, make_policy(rules_on=OFF).shapes)
SEEDS = range(60)


QUOTING = ("curl-auth-header", "curl-auth-user", "nuget-config-password", "kubernetes-secret-yaml")
"""Rules that look for quotes themselves. Quoted once more, rules of aftertrace find what they look for."""


ASSIGNED = ("atlassian-api-token", "lob-api-key", "lob-pub-api-key")
"""Rules that look for the value of a field, as those with a `field` do: what is made of them has impossible quotes."""


def found(rule: ShapeRule, text: str) -> list[str]:
    """The secrets that one rule finds in a text."""
    data = text.encode()
    shape = Shape(rule)
    return [data[start:end].decode() for start, end, _, _ in shape.found(data)] if shape.is_in(data.lower()) else []


def examples(rule: ShapeRule, count: int = 3) -> Iterator[tuple[str, str]]:
    """Texts that a rule finds, made of its pattern, and the secret in each."""
    texts = (f"see {rule.keywords[0]} {made(rule.pattern, seed)}" for seed in SEEDS)
    told = ((text, secrets[0]) for text in texts if (secrets := found(rule, text)))
    return islice(told, count)


def test_the_rules_are_those_of_gitleaks() -> None:
    """Made from its file by a script, all of them but those that look at names of files."""
    assert convert_gitleaks.main(["--check"]) == 0
    assert (len(GITLEAKS), len(RULES)) == (221, 221)
    assert {"generic-api-key", "kubernetes-secret-yaml", "hashicorp-tf-password"} == OFF
    assert len(STANDARD_SHAPES) == len(SHAPES) + 218


def test_a_file_that_is_not_what_its_source_gives_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a rule was changed by hand."""
    changed = tmp_path / "gitleaks.json"
    changed.write_text(convert_gitleaks.FILE.read_text().replace("ghp_", "ghx_"))
    monkeypatch.setattr(convert_gitleaks, "FILE", changed)
    assert convert_gitleaks.main(["--check"]) == 1


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_finds_is_suspect_and_is_gone(name: str) -> None:
    """Bare, and in JSON however often it was quoted: the one scan sees it, and nothing of the secret is left."""
    rule = RULES[name]
    told = list(examples(rule))
    assert told, "no example could be made"
    for text, secret in told:
        sign = compile_pattern("|".join(signs_of([rule])), capture=False)
        assert sign.search(text.encode()) is not None, text
        for quoted in (text, json.dumps({"a": text}), json.dumps({"b": json.dumps({"a": f"x\n{text}\ny"})})):
            if quoted != text and (rule.field or name in (*QUOTING, *ASSIGNED)):
                continue
            left = EVERY.redact(quoted.encode(), Counter()).decode()
            assert EVERY.suspects(quoted.encode())
            assert secret not in left, (quoted, left)


def test_secrets_of_fields_are_found_in_all_forms_of_gitleaks_own_tests() -> None:
    """Assignments in configurations and programs, for all rules that look for the value of a field."""
    missed: Counter[tuple[str, str]] = Counter()
    tried = 0
    for rule in GITLEAKS:
        if not rule.field or rule.rule in OFF or rule.rule == "sonar-api-token":
            continue
        for _, secret in examples(rule, 1):
            identifier = made(rule.field, 1)
            for form in FORMS:
                tried += 1
                whole = in_form(form, identifier, secret)
                if secret in REDACTOR.redact(whole.encode(), Counter()).decode():
                    missed[rule.rule, form] += 1
    assert (tried > 2_000, missed) == (True, Counter())


def test_what_is_an_example_a_reference_or_of_little_entropy_is_no_secret() -> None:
    """As gitleaks has it; real ones beside them go."""
    texts = {
        "aws-access-token": ("AKIAIOSFODNN7EXAMPLE", "AKIAQYLPMN5HHHFPZAM2"),
        "gcp-api-key": ("AIzaSyAnLA7NfeLquW1tJFpx_eQCxoX-oo6YyIs", "AIzaSyNHxIf32IQ1a1yjl3ZJIqKZqzLAK1XhDk-"),
        "github-pat": ("ghp_" + "a" * 36, "ghp_" + "a1B2c3D4e5F6" * 3),
        "adafruit-api-key": ("adafruit = " + "x" * 32, ""),
    }
    for name, (example, secret) in texts.items():
        assert found(RULES[name], f"see {example} ") == []
        assert not secret or found(RULES[name], f"see {secret} ") == [secret]
    assert [round(entropy_bits(text), 2) for text in (b"aaaa", b"abcd", b"aabb")] == [0.0, 2.0, 1.0]


def test_rules_that_find_much_else_are_off_unless_named() -> None:
    """Generic ones, and those that are meant for some kinds of files."""
    text = 'pipeline_key = "pq8Z4xW9kL2mN7vB3cR6"'
    assert REDACTOR.redact(text.encode(), Counter()).decode() == text
    generic = TextRedactor(TOKENS, FIELDS, make_policy(rules_on=["generic-api-key"]).shapes)
    secret = TOKENS.of("generic-api-key", b"pq8Z4xW9kL2mN7vB3cR6").decode()
    assert generic.redact(text.encode(), Counter()).decode() == f'pipeline_key = "{secret}"'
    assert generic.redact(b'primary_key = "pq8Z4xW9kL2mN7vB3cR6"', Counter()) == b'primary_key = "pq8Z4xW9kL2mN7vB3cR6"'


@pytest.mark.parametrize("name", [shape.rule for shape in (*SHAPES, *GITLEAKS)])
def test_no_token_is_taken_for_a_secret(name: str) -> None:
    """Though its rule is called like a field: redacting twice is redacting once."""
    for token in (TOKENS.of(name, b"x"), TOKENS.random(name)):
        for text in (token, b'{"a": "%s"}' % token, b"see %s, and %s" % (token, token)):
            assert EVERY.redact(text, Counter()) == text
