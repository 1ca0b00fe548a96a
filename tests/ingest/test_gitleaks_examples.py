"""How much is found of what gitleaks' own tests call secrets, and of what they say is none.

Its rules each come with texts of both kinds (`cmd/generate/config/rules`), some made anew at each run: of each rule
five at most of the first, and all of the second, stand in `testdata`, reversed and in base64, so that no scanner takes
them for secrets.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from aftertrace.ingest.gitleaks import GITLEAKS, OFF
from aftertrace.ingest.redact_text import TextRedactor
from aftertrace.ingest.redact_tokens import Tokens
from aftertrace.ingest.redaction_policy import make_policy
from aftertrace.ingest.secret_rules import FIELDS

EXAMPLES: Final[dict[str, dict[str, list[str]]]] = json.loads(
    (Path(__file__).parents[1] / "testdata" / "secrets" / "gitleaks.json").read_text("utf-8")
)["rules"]
TOKENS: Final = Tokens(b"k" * 32)


def found(redactor: TextRedactor, kind: str) -> tuple[int, int, int]:
    """How many texts of a kind there are, in how many something is found, and in how many by the rule they are of."""
    told: list[tuple[bool, bool]] = []
    for rule, texts in EXAMPLES.items():
        for written in texts[kind]:
            hits: Counter[str] = Counter()
            redactor.redact(b64decode(written)[::-1], hits)
            told.append((bool(hits), rule in hits))
    return len(told), sum(anything for anything, _ in told), sum(by_own for _, by_own in told)


@pytest.mark.parametrize(
    ("rules_on", "secrets", "others"),
    [
        ((), (1_031, 1_024, 779), (370, 116, 1)),
        (tuple(sorted(OFF)), (1_031, 1_031, 415), (370, 126, 1)),
    ],
)
def test_so_much_is_found(rules_on: tuple[str, ...], secrets: tuple[int, ...], others: tuple[int, ...]) -> None:
    """All secrets but those that only rules find which are off by default. Of what is none, one is found by the rule
    that it is of, and what fields hold that are called like one: rules for them do not ask what a value looks like.
    """
    redactor = TextRedactor(TOKENS, FIELDS, make_policy(rules_on=rules_on).shapes)
    assert (found(redactor, "secrets"), found(redactor, "others")) == (secrets, others)


def test_without_the_rules_of_gitleaks_less_is_found() -> None:
    """The control: rules for fields and aftertrace's own shapes alone."""
    own = make_policy(rules_off=[shape.rule for shape in GITLEAKS])
    assert found(TextRedactor(TOKENS, own.fields, own.shapes), "secrets") == (1_031, 233, 0)
