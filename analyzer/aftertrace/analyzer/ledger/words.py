"""How a verification is put into words, the same on a screen and on a page."""

from __future__ import annotations

from typing import Final

from aftertrace.store.verify.report import Report
from aftertrace.verifier.verdicts import Question, signed_by

ASKED: Final[dict[Question, str]] = {
    "integrity": "Is it what was received?",
    "completeness": "Is all of it there?",
    "authenticity": "Did the key sign it?",
}
NOTHING_OUTSIDE: Final = "nothing from elsewhere was given (--checkpoint): a store put back whole looks sound"
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
