"""Metrics: their names.

Generated from the registry by ``python -m aftertrace.semconv.generate``. Change the registry instead.
"""

from __future__ import annotations

from typing import Final

AFTERTRACE_RUN_DURATION: Final = "aftertrace.run.duration"
"""How long runs took. A histogram, `s`."""

AFTERTRACE_APPROVAL_DURATION: Final = "aftertrace.approval.duration"
"""How long requests for approval waited for their answer. A histogram, `s`."""

AFTERTRACE_DECISIONS: Final = "aftertrace.decisions"
"""Decisions about calls, those that refused them included. A counter, `{decision}`."""
