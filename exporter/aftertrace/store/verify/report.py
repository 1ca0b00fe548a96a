"""What a verification comes to: three verdicts, and what speaks against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from aftertrace.store.finding import Finding, Severity

Question: TypeAlias = Literal["integrity", "completeness", "authenticity"]
Verdict: TypeAlias = Literal["holds", "partial", "broken", "unknown"]

QUESTIONS: Final[tuple[Question, ...]] = ("integrity", "completeness", "authenticity")
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
    "key_damaged": ("authenticity", "error"),
    "checkpoint_behind": ("authenticity", "warning"),
    "sealer_broken": ("authenticity", "warning"),
    "unsealed": ("integrity", "warning"),
    "uncovered": ("integrity", "warning"),
    "receiver_uncovered": ("integrity", "warning"),
    "unchecked": ("integrity", "warning"),
    "gap": ("completeness", "warning"),
    "put_aside": ("completeness", "warning"),
    "restored": ("completeness", "warning"),
    "wal_behind": ("completeness", "warning"),
    "no_ledger": ("integrity", "warning"),
    "not_sealed": ("authenticity", "warning"),
    "lookup_differs": ("integrity", "error"),
    "lookup_missing": ("integrity", "info"),
    "ledger_torn": ("integrity", "info"),
    "derived_differs": ("integrity", "error"),
    "derived_unverified": ("integrity", "info"),
    "receiver_twice": ("integrity", "error"),
    "destroyed": ("completeness", "info"),
    "destroyed_there": ("integrity", "warning"),
    "commits_uncovered": ("integrity", "warning"),
}
"""Which question a finding answers: an error with no, a warning with only in part; the others change no answer."""
_NAMED: Final = 20
"""Places of one kind that are named; how many more there are is counted."""


@dataclass(slots=True)
class Findings:
    """What was found, as many of each kind as people read; the rest is counted."""

    found: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, where: str, message: str) -> None:
        """Note one more."""
        self.counts[code] = self.counts.get(code, 0) + 1
        if self.counts[code] <= _NAMED:
            self.found.append(Finding(code, CODES[code][1], where, message))

    def listed(self) -> tuple[Finding, ...]:
        """All that are named, and for each kind how many are not; errors first."""
        more = [
            Finding(code, CODES[code][1], f"{count - _NAMED:,} more", "of the same kind; not named here")
            for code, count in self.counts.items()
            if count > _NAMED
        ]
        order = ("error", "warning", "info")
        return tuple(sorted([*self.found, *more], key=lambda each: (order.index(each.severity), each.code)))


@dataclass(frozen=True, slots=True)
class LogReport:
    """One ledger."""

    origin: str | None
    """Name of the log; None where no checkpoint can be read."""
    key: str | None
    """The key that its checkpoint was verified with, as people hand it on; None where none fits."""
    key_is_own: bool
    """Whether that key came from the ledger's own folder, and proves nothing against who may write there."""
    checkpoint: str | None
    """The text that was signed."""
    entries: int
    """Those that it covers."""
    unsealed: int
    """Those behind them, which it does not."""
    compared: int
    """Checkpoints from elsewhere that it goes on from."""


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

    def verdict(self, question: Question) -> Verdict:
        """The answer to a question."""
        codes = {found.code: found.severity for found in self.findings if CODES[found.code][0] == question}
        if "error" in codes.values():
            return "broken"
        if not self.logs or any(log.checkpoint is None for log in self.logs):
            return "unknown"
        if question == "authenticity" and any(log.key_is_own for log in self.logs):
            return "unknown"
        return "partial" if "warning" in codes.values() else "holds"

    @property
    def verdicts(self) -> dict[Question, Verdict]:
        """All three."""
        return {question: self.verdict(question) for question in QUESTIONS}

    @property
    def has_outside(self) -> bool:
        """Whether anything outside of the store was compared, without which a store put back as a whole looks sound."""
        return bool(self.logs) and all(log.compared for log in self.logs)


def places(found: Sequence[str]) -> str:
    """Some places for people."""
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
