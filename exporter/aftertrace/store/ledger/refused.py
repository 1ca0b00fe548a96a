"""What was refused on days that are over, as entries: counts by source, signal and status, and nothing of a request."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from itertools import groupby

from aftertrace.store import refusals
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.entries import ACT_BYTES, REFUSALS, Refusal


def untold(layout: Layout, known: Iterable[Recorded], today: str) -> Iterator[Refusal]:
    """Entries for what receivers of a data folder refused on days before today, of which no act tells yet.

    Counts that cannot be read are left to whoever verifies.
    """
    told = {(each.act.receiver, each.act.day) for each in known if isinstance(each.act, Refusal)}
    for receiver in layout.receivers():
        try:
            counts = refusals.of_receiver(layout, receiver)
        except (Corrupt, OSError):
            continue
        over = sorted(each for each in counts if each.day < today and (receiver, each.day) not in told)
        for day, group in groupby(over, key=lambda each: each.day):
            rows = tuple((each.source, each.signal, each.http_status, each.requests) for each in group)
            ident = secrets.token_hex(ACT_BYTES)
            for start in range(0, len(rows), REFUSALS):
                part = rows[start : start + REFUSALS]
                yield Refusal(id=ident, uid=os.getuid(), receiver=receiver, day=day, refused=part)
