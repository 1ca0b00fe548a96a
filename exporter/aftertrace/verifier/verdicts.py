"""What a verification comes to: three verdicts, and what speaks against them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]
Question: TypeAlias = Literal["integrity", "completeness", "authenticity"]
Verdict: TypeAlias = Literal["holds", "partial", "broken", "unknown"]
Codes: TypeAlias = Mapping[str, tuple[Question, Severity]]
"""Which question a finding answers: an error with no, a warning with only in part; the others change no answer."""

QUESTIONS: Final[tuple[Question, ...]] = ("integrity", "completeness", "authenticity")
EXIT_BROKEN: Final = 1
EXIT_NOT_ALL: Final = 3
_NAMED: Final = 20
"""Places of one kind that are named; how many more there are is counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written."""

    code: str
    """Stable name, for programs: `frame_damaged`, `file_digest` … the documents list them."""
    severity: Severity
    """`error`: stored data is damaged or missing. `warning`: needs a look. `info`: normal after a crash."""
    where: str
    """Path inside the data folder or packet, or `table receiver/seq/index`."""
    message: str
    """What was found and what was expected. Nothing of a payload."""


@dataclass(slots=True)
class Findings:
    """What was found, as many of each kind as people read; the rest is counted."""

    codes: Codes
    found: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, where: str, message: str) -> None:
        """Note one more."""
        self.counts[code] = self.counts.get(code, 0) + 1
        if self.counts[code] <= _NAMED:
            self.found.append(Finding(code, self.codes[code][1], where, message))

    def listed(self) -> tuple[Finding, ...]:
        """All that are named, and for each kind how many are not; errors first."""
        more = [
            Finding(code, self.codes[code][1], f"{count - _NAMED:,} more", "of the same kind; not named here")
            for code, count in self.counts.items()
            if count > _NAMED
        ]
        order = ("error", "warning", "info")
        return tuple(sorted([*self.found, *more], key=lambda each: (order.index(each.severity), each.code)))


@dataclass(frozen=True, slots=True)
class Signed:
    """A ledger in a report."""

    origin: str | None
    """Name of the log; None where no checkpoint of it can be read."""
    key: str | None
    """The key that its checkpoint was verified with, as people hand it on; None where none fits."""
    led_by: tuple[str, ...]
    """Keys before it, each of which signed that the next one takes its place, from the known one on; none where it is
    itself known."""
    key_is_own: bool
    """Whether the known key came with what was verified, and proves nothing against whoever could write there."""
    checkpoint: str | None
    """The text that was signed."""
    entries: int
    """Those that it covers."""
    compared: int
    """Checkpoints from elsewhere that it goes on from."""


def signed_by(log: Signed, own: str) -> str:
    """Who signed a ledger, for people; `own` is what is said of a key that came with it."""
    if log.key is None:
        return "no signature by a known key"
    led = f", to which {', '.join(log.led_by)} led" if log.led_by else ""
    return f"signed by {log.key}{led}{own if log.key_is_own else ''}"


def answered(logs: Collection[Signed], findings: Collection[Finding], codes: Codes) -> dict[Question, Verdict]:
    """The answers to all three questions.

    Args:
        logs: the ledgers that all that was verified leads to.
        findings: all that were made.
        codes: what they mean.
    """
    is_signed = bool(logs) and all(log.checkpoint is not None for log in logs)
    key_is_own = any(log.key_is_own for log in logs)
    answers: dict[Question, Verdict] = {}
    for question in QUESTIONS:
        severities = {found.severity for found in findings if codes[found.code][0] == question}
        if "error" in severities:
            answers[question] = "broken"
        elif not is_signed or (question == "authenticity" and key_is_own):
            answers[question] = "unknown"
        else:
            answers[question] = "partial" if "warning" in severities else "holds"
    return answers


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """What a command ends with: 0 if all hold, 1 if one is broken, 3 if none is and not all hold."""
    found = set(verdicts)
    if "broken" in found:
        return EXIT_BROKEN
    return 0 if found == {"holds"} else EXIT_NOT_ALL
