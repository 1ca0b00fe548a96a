"""What a check of the store has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written."""

    code: str
    """Stable name, for programs: `frame_damaged`, `file_digest` … `exporter/README.md` lists them."""
    severity: Severity
    """`error`: stored data is damaged or missing. `warning`: needs a look. `info`: normal after a crash."""
    where: str
    """Path inside the data folder, or `table receiver/seq/index`."""
    message: str
    """What was found and what was expected. Nothing of a payload."""
