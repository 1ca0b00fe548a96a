"""What a verification comes to: three verdicts, and what speaks against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from aftertrace.store.finding import Finding

Question: TypeAlias = Literal["integrity", "completeness", "authenticity"]
Verdict: TypeAlias = Literal["holds", "broken", "unknown"]

ASKED_BY: Final[dict[str, Question]] = {
    "ledger_altered": "integrity",
    "record_edited": "integrity",
    "records_edited": "integrity",
    "record_added": "integrity",
    "origin_edited": "integrity",
    "file_damaged": "integrity",
    "ledger_truncated": "completeness",
    "frame_missing": "completeness",
    "record_missing": "completeness",
    "frame_unledgered": "completeness",
    "origin_missing": "completeness",
    "rolled_back": "completeness",
    "history_rewritten": "integrity",
    "signature_forged": "authenticity",
    "checkpoint_foreign": "authenticity",
    "checkpoint_missing": "authenticity",
}
"""Which question a finding answers with no. Those of files of tables, named as `fsck` names them, are of integrity."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, and what was found."""

    origin: str | None
    """Name of the log; None where no checkpoint can be read."""
    key: str | None
    """The key that its checkpoint was verified with, as people hand it on."""
    key_is_own: bool
    """Whether that key came from the store itself, and proves nothing against who may write there."""
    checkpoint: str | None
    """The text that was signed."""
    signed_entries: int
    entries: int
    """Those that are not signed yet among them."""
    frames: int
    """Accepted requests that the ledger covers."""
    records: int
    """Rows of evidence that are as the ledger has them."""
    unledgered: int
    """Rows that are younger than the ledger, read as it was when the verification began."""
    before: int
    """Rows that were stored before there was a ledger: it says nothing of them."""
    elsewhere: int
    """Rows of receivers that have a ledger elsewhere."""
    findings: tuple[Finding, ...]

    def verdict(self, question: Question) -> Verdict:
        """The answer to a question. Authenticity is unknown with a key that came from the store itself."""
        if any(of(finding) == question for finding in self.findings if finding.severity == "error"):
            return "broken"
        is_told = self.checkpoint is not None and not (question == "authenticity" and self.key_is_own)
        return "holds" if is_told else "unknown"

    @property
    def is_broken(self) -> bool:
        """Whether any of the three is."""
        return any(finding.severity == "error" for finding in self.findings)


def of(finding: Finding) -> Question:
    """The question that a finding answers."""
    return ASKED_BY.get(finding.code, "integrity")


def error(code: str, where: str, message: str) -> Finding:
    """A finding that breaks a verdict."""
    return Finding(code, "error", where, message)


def warning(code: str, where: str, message: str) -> Finding:
    """A finding that the ledger itself accounts for."""
    return Finding(code, "warning", where, message)


def shortened(code: str, places: Sequence[str], message: str, named: int = 20) -> list[Finding]:
    """Findings of one kind for places, of which so many are named."""
    more = len(places) - named
    told = [error(code, where, message) for where in places[:named]]
    if more > 0:
        told.append(error(code, f"{more} more", message))
    return told
