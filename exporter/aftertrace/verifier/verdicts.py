"""What a verification comes to: three verdicts, and what speaks against them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def verdict(
    question: Question, findings: Iterable[Finding], codes: Codes, *, is_signed: bool, key_is_own: bool
) -> Verdict:
    """The answer to a question.

    Args:
        question: which.
        findings: all that were made.
        codes: what they mean.
        is_signed: whether all that was verified leads to checkpoints with a good signature.
        key_is_own: whether a key of those came with what was verified, and from nowhere else.
    """
    severities = {found.severity for found in findings if codes[found.code][0] == question}
    if "error" in severities:
        return "broken"
    if not is_signed or (question == "authenticity" and key_is_own):
        return "unknown"
    return "partial" if "warning" in severities else "holds"


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """What a command ends with: 0 if all hold, 1 if one is broken, 3 if none is and not all hold."""
    found = set(verdicts)
    if "broken" in found:
        return EXIT_BROKEN
    return 0 if found == {"holds"} else EXIT_NOT_ALL
