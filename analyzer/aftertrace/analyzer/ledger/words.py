"""How a verification is put into words, the same on a screen and on a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aftertrace.analyzer.ledger.redactions import Redactions
from aftertrace.store.verify.report import Report
from aftertrace.verifier.verdicts import Question, signed_by

ASKED: Final[dict[Question, str]] = {
    "integrity": "Is it what was received?",
    "completeness": "Is all of it there?",
    "authenticity": "Did the key sign it?",
}
NOTHING_OUTSIDE: Final = "nothing from elsewhere was given (--checkpoint): a store put back whole looks sound"
_RULES_NAMED: Final = 8
"""Of rules, those that fired most."""
_OWN: Final = ", a key that lies in the store itself: give the one that you kept by --key"


def said(report: Report) -> dict[Question, str]:
    """What each answer rests on."""
    return {
        "integrity": f"{report.records:,} records of {report.requests:,} requests, {report.rows:,} rows and "
        f"{report.files:,} files are as the ledger has them"
        + (f"; so are kept answers about {report.kept_runs:,} runs" if report.kept_runs else ""),
        "completeness": f"{sum(log.entries for log in report.logs):,} entries are signed"
        + (f"; {report.waiting:,} requests wait to be stored" if report.waiting else ""),
        "authenticity": "; ".join(signed_by(log, _OWN) for log in report.logs),
    }


def redacted(found: Redactions) -> str:
    """What was replaced lately, by rule. Names of rules are those of notes: whoever sends could have written some."""
    if found.since_ns is None:
        return "nothing" if found.is_all else "nothing lately"
    rules = list(found.rules.items())
    told = [f"{rule} {values:,}" for rule, values in rules[:_RULES_NAMED]]
    if more := rules[_RULES_NAMED:]:
        told.append(f"{len(more):,} more rules {sum(values for _, values in more):,}")
    if found.untold:
        told.append(f"by no rule that is told {found.untold:,}")
    what = f"{found.values:,} values in {found.requests:,} requests: {', '.join(told)}"
    since = f"{datetime.fromtimestamp(found.since_ns / 1e9, UTC):%Y-%m-%d %H:%M} UTC"
    return what if found.is_all else f"{what}; since {since}, and more before"
