"""Flags: what is odd about a record, beside it in `evidence`, `spans` and `events`.

A flag is a name, or a name and what it says after a colon. `FLAGS` lists them all, for the docs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aftertrace.ingest.redact_tokens import NOTE, left_out_count

FLAGS: Final = (
    ("time_clamped", "a time beyond the 63 bits of its column; it is the latest that fits"),
    ("no_time", "a log record without a time of its own; it is that of its first collector, or 0"),
    ("ends_before_start", "a span that ends before it starts"),
    ("no_ids", "a span without a trace id or span id"),
    ("remote_parent", "a span that another program's is above"),
    ("dropped_attributes:N", "its sender dropped N attributes of it, by a limit of its own"),
    ("dropped_events:N", "likewise, of a span's events"),
    ("dropped_links:N", "likewise, of a span's links"),
    ("dropped_event_attributes:N", "likewise, of all attributes of a span's events"),
    ("dropped_link_attributes:N", "likewise, of all attributes of a span's links"),
    ("dropped_resource_attributes:N", "likewise, of its resource; each record of the resource has it"),
    ("dropped_scope_attributes:N", "likewise, of its scope; each record of the scope has it"),
    (
        "sampling_threshold:HEX",
        "a sampler kept it, and rejected HEX of 2^56 others alike (14 digits, zeros at the end)",
    ),
    (
        "cut_events:N",
        "N events that it tells of have no rows, since they are too many for its bytes; they are in its evidence",
    ),
    ("left_out:N", "N values of its content are left out by configuration (`redaction.capture`)"),
    ("continues:PLACE", "the record of its id at `receiver/seq/index`, told further: all that it said, and more"),
    ("changes:PLACE", "likewise, where that one was not ended yet: something of it is said otherwise now"),
    ("continued_by:PLACE", "a record of its id that came before says all of this, and more"),
    (
        "differs_from:PLACE",
        "a record of its id that came before says other things too; none otherwise, or this one had not ended",
    ),
    ("conflicts_with:PLACE", "a record of its id contradicts it; neither is left out"),
    ("same_id_as:PLACE", "a record of its id is other bytes; there were too many to compare them all"),
)
"""Every flag: its form, and what it means. A `PLACE` is `receiver/seq/index`, as in `evidence`."""
_LEFT_OUT: Final = "left_out:"


def dropped(**counts: int) -> tuple[str, ...]:
    """The flags of what a sender dropped, by what it is."""
    return tuple(f"dropped_{what}:{count}" for what, count in counts.items() if count)


def cut_events(count: int) -> tuple[str, ...]:
    """The flag of a record whose last events have no rows."""
    return (f"cut_events:{count}",) if count > 0 else ()


def sampled(threshold: str | None) -> tuple[str, ...]:
    """The flag of a record that a sampler kept."""
    return () if threshold is None else (f"sampling_threshold:{threshold}",)


def left_out(attributes: dict[str, Any]) -> tuple[str, ...]:
    """The flag of a record that had content, by the note of redaction in it."""
    note = attributes.get(NOTE)
    count = left_out_count(note) if isinstance(note, str) else 0
    return (f"{_LEFT_OUT}{count}",) if count else ()


def is_left_out(flags: Iterable[str]) -> bool:
    """Whether content of a record is left out, by its flags."""
    return any(flag.startswith(_LEFT_OUT) for flag in flags)
