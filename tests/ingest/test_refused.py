"""Refused requests in the ledger: counts of days that are over, which cannot be made fewer unseen."""

from __future__ import annotations

from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Refusal
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.refusals import RefusalLog
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.report import Report

from .drain_samples import drain, send, traces
from .forging import entries_of

KINDS = (("agent", "traces", 413, 2), ("unknown", "logs", 401, 7))


def refused(layout: Layout, day: str, kinds: tuple[tuple[str, str, int, int], ...] = KINDS) -> None:
    """So many requests were refused on a day."""
    RefusalLog(layout, "main").update(day, kinds)


def told(layout: Layout) -> list[tuple[str, str, int]]:
    """Receiver, day and kinds of each entry."""
    return [(each.receiver, each.day, len(each.refused)) for each in entries_of(layout) if isinstance(each, Refusal)]


def verified(layout: Layout) -> Report:
    """Sealed and verified."""
    seal(layout)
    return verify(layout, Asked(patience_s=0))


def test_what_was_refused_is_told_once_when_its_day_is_over(layout: Layout) -> None:
    """With its counts; today's are still to grow."""
    send(layout, traces(1))
    refused(layout, "2025-11-24")
    refused(layout, "2999-01-01")
    for _ in range(2):
        drain(layout)
    assert told(layout) == [("main", "2025-11-24", 2)]
    (entry,) = [each for each in entries_of(layout) if isinstance(each, Refusal)]
    assert (entry.refused, verified(layout).findings) == (KINDS, ())
    refused(layout, "2025-11-25")
    drain(layout)
    assert [day for _, day, _ in told(layout)] == ["2025-11-24", "2025-11-25"]


def test_many_kinds_are_told_in_several_entries(layout: Layout) -> None:
    """An entry holds 200."""
    send(layout, traces(1))
    refused(layout, "2025-11-24", tuple((f"s{number}", "traces", 413, 1) for number in range(450)))
    drain(layout)
    assert [kinds for *_, kinds in told(layout)] == [200, 200, 50]
    assert verified(layout).findings == ()


def test_counts_that_were_made_fewer_are_named(layout: Layout) -> None:
    """With the day; a file that is gone, and one that is none, too. More of them is no fault: a clock was put back."""
    send(layout, traces(1))
    refused(layout, "2025-11-24")
    drain(layout)
    path = layout.refused("main")
    content = path.read_text()
    path.write_text(content.replace(":7}", ":9}"))
    assert verified(layout).findings == ()
    path.write_text(content.replace(":7}", ":6}"))
    (finding,) = verified(layout).findings
    assert (finding.code, finding.where, finding.message) == (
        "refusals_differ",
        "refused/main.json 2025-11-24",
        "6 of unknown refused with 401, expected 7",
    )
    path.write_text("[")
    assert [each.code for each in verified(layout).findings] == ["refusals_differ"]
    drain(layout)
    path.unlink()
    report = verified(layout)
    assert [each.code for each in report.findings] == ["refusals_missing"]
    assert report.verdicts["completeness"] == "partial"
