"""What a verification comes to: three verdicts, and what speaks against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aftertrace.verifier import verdicts
from aftertrace.verifier.verdicts import Codes, Finding, Question, Severity, Signed, Verdict, answered

CODES: Final[dict[str, tuple[Question, Severity]]] = {
    "rows_differ": ("integrity", "error"),
    "rows_added": ("integrity", "error"),
    "rows_missing": ("completeness", "error"),
    "told_again": ("integrity", "error"),
    "origin_differs": ("integrity", "error"),
    "origin_missing": ("completeness", "error"),
    "file_digest": ("integrity", "error"),
    "file_missing": ("completeness", "error"),
    "file_unreadable": ("integrity", "error"),
    "commit_altered": ("integrity", "error"),
    "commit_missing": ("completeness", "error"),
    "table_rolled_back": ("completeness", "error"),
    "table_differs": ("integrity", "error"),
    "frame_differs": ("integrity", "error"),
    "frame_damaged": ("integrity", "error"),
    "quarantine_differs": ("integrity", "error"),
    "quarantine_missing": ("completeness", "error"),
    "ledger_altered": ("integrity", "error"),
    "ledger_missing": ("completeness", "error"),
    "ledger_contradicts": ("integrity", "error"),
    "rolled_back": ("completeness", "error"),
    "history_differs": ("integrity", "error"),
    "unledgered": ("completeness", "error"),
    "receiver_unknown": ("integrity", "error"),
    "not_signed": ("authenticity", "error"),
    "checkpoint_foreign": ("authenticity", "error"),
    "key_retired": ("authenticity", "error"),
    "key_forged": ("authenticity", "error"),
    "key_lost": ("authenticity", "warning"),
    "key_rotated": ("authenticity", "info"),
    "key_damaged": ("authenticity", "error"),
    "checkpoint_behind": ("authenticity", "warning"),
    "sealer_broken": ("authenticity", "warning"),
    "unsealed": ("integrity", "warning"),
    "uncovered": ("integrity", "warning"),
    "receiver_uncovered": ("integrity", "warning"),
    "unchecked": ("integrity", "warning"),
    "gap": ("completeness", "warning"),
    "put_aside": ("completeness", "warning"),
    "refusals_differ": ("completeness", "error"),
    "refusals_missing": ("completeness", "warning"),
    "reads_differ": ("integrity", "error"),
    "reads_missing": ("completeness", "warning"),
    "reads_uncovered": ("integrity", "warning"),
    "reads_otherwise": ("integrity", "warning"),
    "hold_differs": ("integrity", "error"),
    "hold_missing": ("completeness", "error"),
    "restored": ("completeness", "warning"),
    "restored_otherwise": ("integrity", "warning"),
    "wal_behind": ("completeness", "warning"),
    "no_ledger": ("integrity", "warning"),
    "not_sealed": ("authenticity", "warning"),
    "lookup_differs": ("integrity", "error"),
    "lookup_missing": ("integrity", "info"),
    "ledger_torn": ("integrity", "info"),
    "derived_differs": ("integrity", "error"),
    "derived_unverified": ("integrity", "info"),
    "wal_unread": ("integrity", "info"),
    "receiver_twice": ("integrity", "error"),
    "store_key_differs": ("integrity", "error"),
    "blob_differs": ("integrity", "error"),
    "blob_missing": ("completeness", "error"),
    "destroyed_differs": ("completeness", "warning"),
    "contents_destroyed": ("completeness", "info"),
    "destroyed": ("completeness", "info"),
    "erased": ("completeness", "info"),
    "withdrawn": ("completeness", "info"),
    "destroyed_there": ("integrity", "warning"),
    "commits_uncovered": ("integrity", "warning"),
}
"""What each finding says; the documents tell more."""


@dataclass(slots=True)
class Findings(verdicts.Findings):
    """What was found in a store."""

    codes: Codes = field(default_factory=lambda: CODES)


@dataclass(frozen=True, slots=True)
class LogReport(Signed):
    """One ledger of a store."""

    unsealed: int
    """Entries behind those that are signed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, and what was found."""

    logs: tuple[LogReport, ...]
    requests: int
    """Accepted requests whose rows are as the ledger has them."""
    records: int
    """Rows of `evidence` of these."""
    rows: int
    """Rows of all three tables of these."""
    files: int
    """Files of tables, with the digests that their commits name."""
    uncovered: int
    """Rows that the ledger says nothing of: stored before it began, without it, or by receivers that have another."""
    waiting: int
    """Accepted requests that wait in the WAL to be stored."""
    evidence_bytes: int
    """Bytes of records that were compared."""
    kept_runs: int | None
    """Runs whose kept answers are what their records tell; None: none were compared."""
    findings: tuple[Finding, ...]

    @property
    def verdicts(self) -> dict[Question, Verdict]:
        """The answers to all three questions."""
        return answered(self.logs, self.findings, CODES)

    @property
    def has_outside(self) -> bool:
        """Whether anything outside of the store was compared, without which a store put back as a whole looks sound."""
        return bool(self.logs) and all(log.compared for log in self.logs)


def places(found: Sequence[str]) -> str:
    """Some places for people."""
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
