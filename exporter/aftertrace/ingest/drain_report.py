"""What a drain did."""

from __future__ import annotations

from dataclasses import dataclass, field

from aftertrace.verifier.verdicts import Finding


@dataclass(slots=True)
class DrainReport:
    """What a drain did."""

    frames: int = 0
    records: int = 0
    spans: int = 0
    events: int = 0
    duplicates: int = 0
    findings: list[Finding] = field(default_factory=list)
    """What was damaged or could not be read; all of it is in the quarantine too."""

    def add(self, other: DrainReport) -> None:
        """Count what another turn did."""
        self.frames += other.frames
        self.records += other.records
        self.spans += other.spans
        self.events += other.events
        self.duplicates += other.duplicates
        self.findings += other.findings
