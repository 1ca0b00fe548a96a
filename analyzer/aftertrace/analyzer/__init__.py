"""Runs, calls, near misses, approvals and configurations, from what is stored.

The pure functions take frames and give frames: `identity.identify`, `joins.call_events`, `calls.calls`, `runs.runs`,
`near_misses.near_misses`, `approvals.approvals`, `configurations.configurations`. `open_analysis` puts them together
over one version of a store.
"""

from aftertrace.analyzer.analysis import Analysis, analyse
from aftertrace.analyzer.comparison.run_comparison import RunComparison
from aftertrace.analyzer.emitters.emitter import Emitter
from aftertrace.analyzer.emitters.registry import EMITTERS
from aftertrace.analyzer.opening import current_version, open_analysis, open_run
from aftertrace.analyzer.populations.comparison import Choice, PopulationComparison
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.analyzer.records.answers import Answer, Answers
from aftertrace.analyzer.schemas.derived import DECIDERS, DERIVED, NEAR_MISS_OUTCOMES, OUTCOMES
from aftertrace.store.errors import AftertraceError, Corrupt, Invalid, Unavailable

__all__ = [
    "DECIDERS",
    "DERIVED",
    "EMITTERS",
    "NEAR_MISS_OUTCOMES",
    "OUTCOMES",
    "AftertraceError",
    "Analysis",
    "Answer",
    "Answers",
    "Choice",
    "Corrupt",
    "Emitter",
    "Filter",
    "Invalid",
    "PopulationComparison",
    "RunComparison",
    "Tables",
    "Unavailable",
    "analyse",
    "current_version",
    "open_analysis",
    "open_run",
]
