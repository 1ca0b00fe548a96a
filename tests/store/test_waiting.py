"""What waits for a drain, and since when."""

from __future__ import annotations

from aftertrace.store import schema
from aftertrace.store.commits import SEQUENCED
from aftertrace.store.layout import Layout, segments
from aftertrace.store.tables import TableWriter
from aftertrace.store.waiting import oldest_ns, waits

from .samples import request, write

KINDS = dict(zip(SEQUENCED, (schema.EVIDENCE, schema.SPANS, schema.EVENTS), strict=True))


def store(layout: Layout, receiver: str, upto: int, *tables: str) -> None:
    """Some tables are as far as a seq."""
    for name in tables:
        TableWriter(layout, name).append(KINDS[name].empty_table(), receiver, upto)


def test_the_oldest_of_what_waits_is_of_any_receiver(layout: Layout) -> None:
    """It waits until every table has it; where all have all, nothing does."""
    assert (oldest_ns(layout), waits(layout)) == (None, False)
    write(layout, range(5, 9))
    write(layout, range(7, 10), receiver="second")
    received = [request(number)[0].received_ns for number in range(10)]
    assert oldest_ns(layout) == received[5]
    store(layout, "main", 3, *SEQUENCED)
    assert oldest_ns(layout) == received[7]
    store(layout, "second", 3, "evidence", "spans")
    store(layout, "main", 4, *SEQUENCED)
    assert (oldest_ns(layout), waits(layout)) == (received[7], True)
    store(layout, "second", 3, "events")
    assert (oldest_ns(layout), waits(layout)) == (None, False)


def test_damage_waits_since_the_frame_behind_it(layout: Layout) -> None:
    """What no frame tells the time of is passed over; where nothing else is there, nobody knows since when it waits."""
    write(layout, range(1, 3))
    (path,) = segments(layout.wal("main"))
    content = bytearray(path.read_bytes())
    content[content.index(b"request 1")] ^= 1
    path.write_bytes(content)
    assert (oldest_ns(layout), waits(layout)) == (request(2)[0].received_ns, True)
    write(layout, range(3, 4))
    content[content.index(b"request 2")] ^= 1
    path.write_bytes(content)
    assert (oldest_ns(layout), waits(layout)) == (request(3)[0].received_ns, True)
