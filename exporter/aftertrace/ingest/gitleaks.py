"""The rules of gitleaks (github.com/gitleaks/gitleaks, MIT: `gitleaks.LICENSE`), as data in `gitleaks.json`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from aftertrace.ingest.secret_rules import Allowed, ShapeRule


def _read() -> tuple[tuple[ShapeRule, ...], frozenset[str]]:
    told = json.loads(Path(__file__).with_name("gitleaks.json").read_text(encoding="utf-8"))
    shared = tuple(told["allowed"])
    words = tuple(told["stopwords"])
    rules = tuple(_rule(rule, shared, words) for rule in told["rules"])
    return rules, frozenset(rule["rule"] for rule in told["rules"] if rule.get("off"))


def _rule(rule: dict[str, Any], shared: tuple[str, ...], words: tuple[str, ...]) -> ShapeRule:
    keywords = tuple(rule.get("keywords", ()))
    by_keyword = f"(?i:{'|'.join(re.escape(keyword) for keyword in keywords)})"
    return ShapeRule(
        rule["rule"],
        rule["pattern"],
        "digit" if rule.get("digit") else "none",
        word=False,
        sign=rule.get("sign", "" if "field" in rule else by_keyword),
        field=rule.get("field", ""),
        keywords=keywords,
        entropy=float(rule.get("entropy", 0.0)),
        group=None if rule["group"] < 0 else rule["group"],
        allowed=Allowed(
            secret=(*shared, *rule.get("allowed_secret", ())),
            match=tuple(rule.get("allowed_match", ())),
            line=tuple(rule.get("allowed_line", ())),
            words=(*words, *rule.get("stopwords", ())),
        ),
    )


GITLEAKS, OFF = _read()
"""Its rules, and the names of those that are off unless a policy names them."""
