"""What can be lost on the way, in which unit it is counted, and how far the count can be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which telemetry is lost."""

    name: str
    unit: str
    certainty: Literal["exact", "at_least", "at_most", "estimate"]
    """Of a count, as a number of what was lost."""
    brief: str


_DROPPED: Final = "that senders dropped by limits of their own, as they state it"

KINDS: Final = (
    Kind(
        "refused",
        "requests",
        "at_least",
        "answered with an error after which a sender drops what it holds; `detail` is the HTTP status, and gRPC counts "
        "under the one that means the same. Counts of the last 10 seconds before a crash are gone",
    ),
    Kind(
        "deferred",
        "requests",
        "at_most",
        "told to try again later (429, 502, 503, 504): lost where the sender gave up before it was heard",
    ),
    Kind(
        "unread", "records", "exact", "that raise a fault in a dialect: no row is made of them, and they are evidence"
    ),
    Kind(
        "cut_events",
        "events",
        "exact",
        "that a record tells of and that have no rows, since they are too many for its bytes: calls among them are in "
        "no run. They are in its evidence",
    ),
    Kind(
        "left_out",
        "values",
        "exact",
        "of content, left out by configuration (`redaction.capture`). Calls of such records have `content_left_out`",
    ),
    Kind("quarantined", "findings", "at_least", "damage on disk that was put aside; `detail` is its code in `fsck`"),
    Kind("dropped_attributes", "attributes", "at_least", f"of spans and log records, {_DROPPED}"),
    Kind("dropped_events", "events", "at_least", f"of spans, {_DROPPED}"),
    Kind("dropped_links", "links", "at_least", f"of spans, {_DROPPED}"),
    Kind("dropped_event_attributes", "attributes", "at_least", f"of events of spans, {_DROPPED}"),
    Kind("dropped_link_attributes", "attributes", "at_least", f"of links of spans, {_DROPPED}"),
    Kind("dropped_resource_attributes", "attributes", "at_least", f"of resources, once a day each, {_DROPPED}"),
    Kind("dropped_scope_attributes", "attributes", "at_least", f"of scopes, once a day each, {_DROPPED}"),
    Kind(
        "missing_parents",
        "spans",
        "at_least",
        "that others name as the one above them, and that never came, in traces that are over: the root has ended, or "
        "nothing came for 30 minutes. Parents of another program are not missed; one that nobody names leaves no gap",
    ),
    Kind(
        "sampled_traces",
        "traces",
        "estimate",
        "rejected by samplers, worked out from what those that came say of their odds (`sampling_threshold`)",
    ),
    Kind("sampled_records", "records", "estimate", "log records, likewise"),
)
"""Every kind of loss. What is refused, is refused whole: nothing is accepted in part."""

LOSSES: Final[dict[str, tuple[object, str]]] = {
    "day": (pl.Date, "day in UTC: of receipt, of the refusal, or when damage was put aside"),
    "source": (pl.String, "who sent it, as authenticated; `unknown` where that is not known"),
    "tenant": (pl.String, "tenant of the source"),
    "kind": (pl.String, "how it was lost: see the losses"),
    "signal": (pl.String, "`traces`, `logs` or `metrics`; null is not known"),
    "count": (pl.Int64, "how many"),
    "unit": (
        pl.String,
        "of what: `requests`, `records`, `spans`, `traces`, `attributes`, `events`, `values`, `links`, `findings`",
    ),
    "certainty": (pl.String, "what was lost is `exact` this, `at_least`, `at_most`, or an `estimate`"),
    "detail": (pl.String, "HTTP status, or code of the finding; null for other kinds"),
    "first_ns": (pl.Int64, "begin of the day"),
}
"""Columns of `losses` and what they mean."""
