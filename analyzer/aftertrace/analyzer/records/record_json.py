"""A run record, or two runs side by side, as JSON: one text each, so that equal ones are equal bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aftertrace.analyzer.comparison.run_comparison import RunComparison
    from aftertrace.analyzer.records.run_record import RunRecord


def document(record: RunRecord | RunComparison) -> str:
    """The canonical text: members in the order of their names, two spaces, ASCII (`jq -S -a .` writes the same form).

    ASCII, so that a reader gets back the exact text of a sender and no terminal is steered by it.
    """
    return json.dumps(asdict(record), ensure_ascii=True, allow_nan=False, sort_keys=True, indent=2) + "\n"
