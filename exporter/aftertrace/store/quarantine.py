"""The quarantine: copies of what was found damaged, with what is known of it. aftertrace never removes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from aftertrace.store import durable
from aftertrace.store.finding import Finding
from aftertrace.store.layout import Layout


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
    findings = []
    for path in sorted(layout.quarantine.glob("*.json")):
        try:
            findings.append(Finding(**json.loads(path.read_bytes())))
        except (TypeError, ValueError):
            findings.append(
                Finding(
                    "quarantine_unreadable",
                    "warning",
                    f"quarantine/{path.name}",
                    "not a finding, expected one",
                )
            )
    return findings
