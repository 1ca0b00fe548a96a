"""Why counts of a period are floors: what can hide a near miss, and how much of it there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.documents.row_links import Links
from aftertrace.analyzer.schemas.losses import KINDS

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.documents.document import Rows

_DAY_NS: Final = 86_400 * 10**9
_HIDING_SOME: Final = ("hidden_refusals", "content_left_out", "incomplete_runs", "open_runs", "pending", "unresolved")
_WORTH: Final = {"exact": "", "at_least": "at least ", "at_most": "at most ", "estimate": "about "}


@dataclass(frozen=True, slots=True)
class Floor:
    """A reason for which near misses may be missing from the counts."""

    name: str
    count: int
    unit: str
    certainty: str
    """Of the count: `exact`, `at_least`, `at_most` or `estimate`."""
    brief: str
    rows: Rows | None
    """Where the rows behind the count are listed."""
    is_everywhere: bool
    """Whether it may hide near misses of anybody, so that every count is a floor."""

    @property
    def hides(self) -> bool:
        """Whether it may hide near misses of the period; else it is told for the sake of those who look."""
        return self.is_everywhere or self.name in _HIDING_SOME

    @property
    def quantity(self) -> str:
        """Such as `at least 3 spans`."""
        unit = self.unit.removesuffix("s") if self.count == 1 else self.unit
        return f"{_WORTH[self.certainty]}{self.count:,} {unit}"


UNSURE: Final = ("run_id", "missing", "state")
"""Columns of `runs` by which a run may lack calls."""
IS_UNSURE: Final = (pl.col("missing") > 0) | pl.col("state").is_in(("open", "waiting"))
"""Whether it may."""


def floors(
    analysis: Analysis, links: Links, outcomes: Mapping[str, int], hidden: int, left_out: int, unsure: pl.DataFrame
) -> tuple[Floor, ...]:
    """The reasons there are in what is told of a period, which touch a part of the counts.

    Args:
        analysis: what is judged.
        links: the period, and the filter.
        outcomes: how many calls of the period have each.
        hidden: how many come from an emitter that hides some refusals (`near_misses.is_hidden_by_emitter`).
        left_out: how many are told without their content, by our own configuration.
        unsure: the runs of these calls, and those that began in the period, that may lack some; columns as in `UNSURE`.
    """
    is_untimed = pl.col("first_ns").is_null()
    untimed = 0
    if links.period.since_ns is not None:
        of_no_time = analysis.scan("calls", ("call_key",), links.wanted, only=is_untimed)
        untimed = analysis.collected(of_no_time)[0].height
    told = (
        Floor(
            "hidden_refusals",
            hidden,
            "calls",
            "exact",
            "are told by emitters that leave no record of some refusals: see `aftertrace report coverage`",
            links.rows("calls"),
            is_everywhere=False,
        ),
        Floor(
            "content_left_out",
            left_out,
            "calls",
            "exact",
            "are told without content, which `redaction.capture` leaves out: an edit of arguments may not be seen",
            links.rows("calls"),
            is_everywhere=False,
        ),
        Floor(
            "incomplete_runs",
            unsure.filter(pl.col("missing") > 0).height,
            "runs",
            "at_least",
            "lack records that others name: a call lost whole leaves nothing",
            links.rows("runs"),
            is_everywhere=False,
        ),
        Floor(
            "open_runs",
            unsure.filter(pl.col("state").is_in(("open", "waiting"))).height,
            "runs",
            "exact",
            "are not over: what they will do is not counted",
            links.rows("runs"),
            is_everywhere=False,
        ),
        Floor(
            "pending",
            outcomes.get("pending", 0),
            "calls",
            "exact",
            "are not decided yet, and may become near misses",
            links.rows("calls", outcome="pending"),
            is_everywhere=False,
        ),
        Floor(
            "unresolved",
            outcomes.get("unresolved", 0),
            "calls",
            "exact",
            "were proposed, and nothing tells what became of them: each may have been refused",
            links.rows("calls", outcome="unresolved"),
            is_everywhere=False,
        ),
        Floor(
            "untimed",
            untimed,
            "calls",
            "exact",
            "have no time, and are in no period",
            None,
            is_everywhere=False,
        ),
    )
    return tuple(each for each in told if each.count)


def lost_on_the_way(analysis: Analysis, links: Links) -> tuple[Floor, ...]:
    """The other reasons: what was lost on the way on the days of the period, of any agent."""
    period, lost = links.period, analysis.losses.filter(pl.col("first_ns") < links.period.until_ns)
    if period.since_ns is not None:
        lost = lost.filter(pl.col("first_ns") + _DAY_NS > period.since_ns)
    if links.wanted.tenant is not None:
        lost = lost.filter(pl.col("tenant") == links.wanted.tenant)
    counts = dict(lost.group_by("kind").agg(pl.col("count").sum()).iter_rows())
    return tuple(
        Floor(
            kind.name,
            counts[kind.name],
            kind.unit,
            kind.certainty,
            f"lost on the way ({kind.name.replace('_', ' ')}): {kind.brief.partition(';')[0].partition('. ')[0]}",
            Links(period, links.wanted).rows("losses") if _of_tenant_alone(links) else None,
            # Waiting costs nothing, and a dropped attribute hides no call.
            is_everywhere=kind.name in _HIDING,
        )
        for kind in KINDS
        if counts.get(kind.name) and kind.name not in _OF_CALLS
    )


_HIDING: Final = (
    "refused",
    "unread",
    "cut_events",
    "quarantined",
    "dropped_events",
    "missing_parents",
    "sampled_traces",
    "sampled_records",
)
"""Losses that can take a whole call with them."""
_OF_CALLS: Final = ("left_out",)
"""Losses that calls tell of themselves."""


def _of_tenant_alone(links: Links) -> bool:
    """Whether `aftertrace losses` has options for all that the filter asks."""
    wanted = links.wanted
    return not any((wanted.agent, wanted.tool, wanted.outcome, wanted.decided_by, wanted.reviewer, wanted.environment))
