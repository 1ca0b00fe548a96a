"""Counts of refused requests against those that the ledger has of days that are over."""

from __future__ import annotations

from collections.abc import Mapping

from aftertrace.store import refusals
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.refusals import Refusals
from aftertrace.store.verify.report import Findings


def check_refused(layout: Layout, told: Mapping[str, Mapping[Refusals, int]], findings: Findings) -> None:
    """Compare counts, which only grow.

    Args:
        layout: of the store.
        told: by receiver, how many requests of each kind the ledger tells of.
        findings: what is wrong.

    Raises:
        OSError: a file cannot be read.
    """
    for receiver, expected in told.items():
        where = f"refused/{layout.refused(receiver).name}"
        if not layout.refused(receiver).exists():
            findings.add("refusals_missing", where, f"no file, expected counts of {len(expected)} kinds")
            continue
        try:
            counts = refusals.of_receiver(layout, receiver)
        except Corrupt as damage:
            findings.add("refusals_differ", where, str(damage))
            continue
        found = {refusals.kind_of(each): each.requests for each in counts}
        days = sorted({each.day for each in counts})
        # The oldest go when there are many.
        first = days[0] if len(days) >= refusals.KEPT_DAYS else ""
        for kind, requests in sorted(expected.items()):
            if kind.day >= first and found.get(kind, 0) < requests:
                message = f"{found.get(kind, 0)} of {kind.source} refused with {kind.http_status}, expected {requests}"
                findings.add("refusals_differ", f"{where} {kind.day}", message)
