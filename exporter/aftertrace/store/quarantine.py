"""The quarantine: copies of what was found damaged, with what is known of it. aftertrace never removes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from aftertrace.store import durable
from aftertrace.store.layout import Layout
from aftertrace.verifier.verdicts import Finding


@dataclass(frozen=True, slots=True)
class PutAside:
    """A finding in the quarantine."""

    finding: Finding
    day: date
    """On which it was made, in UTC; of a copy of the folder, on which it was copied."""


def keep(layout: Layout, finding: Finding, content: bytes = b"") -> str:
    """Put a finding and the bytes in question aside, durably. The same finding again changes nothing.

    Returns:
        The name that both files share.
    """
    mark = hashlib.sha256(f"{finding.code}\n{finding.where}\n".encode() + content).hexdigest()[:16]
    name = f"{finding.code}-{mark}"
    about = layout.quarantine / f"{name}.json"
    if not about.exists():
        durable.make_folder(layout.quarantine)
        if content:
            durable.write_file(layout.quarantine / f"{name}.bin", content)
        # Last: a crash before it leaves bytes without a description, and the same finding again adds it.
        durable.write_file(about, json.dumps(asdict(finding), ensure_ascii=True, indent=1).encode() + b"\n")
    return name


def kept(layout: Layout) -> list[Finding]:
    """All findings in the quarantine, in order of their names."""
    return [each.finding for each in put_aside(layout)]


def put_aside(layout: Layout) -> tuple[PutAside, ...]:
    """As `kept`, with the day of each."""
    return tuple(
        PutAside(_finding(path), datetime.fromtimestamp(path.stat().st_mtime, UTC).date())
        for path in sorted(layout.quarantine.glob("*.json"))
    )


def named(layout: Layout, name: str) -> Finding | None:
    """The finding that `keep` gave a name; None where there is none."""
    path = layout.quarantine / f"{name}.json"
    return _finding(path) if path.exists() else None


def _finding(path: Path) -> Finding:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Finding)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = "not a finding, expected one"
        return Finding("quarantine_unreadable", "warning", f"quarantine/{path.name}", message)
