"""Counts of refused requests: by day, over restarts, of all receivers together."""

from __future__ import annotations

import pytest

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.refusals import KEPT_DAYS, RefusalLog, Refusals, refusals

MONDAY, TUESDAY = "2026-11-23", "2026-11-24"


@pytest.fixture
def receivers(layout: Layout) -> Layout:
    """A store with two receivers."""
    for receiver in ("east", "west"):
        durable.make_folder(layout.wal(receiver))
    return layout


def test_what_was_refused_is_counted_once_on_the_day_it_was_seen(receivers: Layout) -> None:
    """Totals since the start go in; a restart begins them anew and goes on with the days."""
    log = RefusalLog(receivers, "east")
    log.update(MONDAY, [("unknown", "traces", 401, 2)])
    log.update(MONDAY, [("unknown", "traces", 401, 2)])
    log.update(TUESDAY, [("unknown", "traces", 401, 5), ("ci", "logs", 400, 1)])
    RefusalLog(receivers, "east").update(TUESDAY, [("unknown", "traces", 401, 1)])
    RefusalLog(receivers, "west").update(TUESDAY, [("ci", "logs", 400, 3)])
    assert refusals(receivers) == (
        Refusals(MONDAY, "unknown", "traces", 401, 2),
        Refusals(TUESDAY, "ci", "logs", 400, 4),
        Refusals(TUESDAY, "unknown", "traces", 401, 4),
    )


def test_nothing_is_written_while_nothing_is_refused(receivers: Layout) -> None:
    """`serve` asks twice a second."""
    log = RefusalLog(receivers, "east")
    log.update(MONDAY, [])
    assert not receivers.refused("east").exists()
    log.update(MONDAY, [("ci", "logs", 400, 1)])
    before = receivers.refused("east").stat().st_mtime_ns
    log.update(TUESDAY, [("ci", "logs", 400, 1)])
    assert receivers.refused("east").stat().st_mtime_ns == before


def test_the_oldest_days_go(receivers: Layout) -> None:
    """The file has an end; the newest days are whole."""
    log = RefusalLog(receivers, "east")
    for number in range(1, KEPT_DAYS + 3):
        log.update(f"{number:06d}", [("ci", "logs", 400, number)])
    kept = refusals(receivers)
    assert (len(kept), kept[0].day, sum(each.requests for each in kept)) == (KEPT_DAYS, "000003", KEPT_DAYS)


def test_a_disk_that_takes_nothing_loses_no_count(receivers: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call tells all of it."""
    log = RefusalLog(receivers, "east")
    with monkeypatch.context() as broken:
        broken.setattr(durable, "write_file", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            log.update(MONDAY, [("ci", "logs", 400, 2)])
    log.update(MONDAY, [("ci", "logs", 400, 3)])
    assert refusals(receivers) == (Refusals(MONDAY, "ci", "logs", 400, 3),)


@pytest.mark.parametrize("content", ["", "{}", '[{"day": 1}]', "\xff"])
def test_a_damaged_file_is_told(receivers: Layout, content: str) -> None:
    """With the way out."""
    durable.make_folder(receivers.refused("east").parent)
    receivers.refused("east").write_text(content, "latin-1")
    with pytest.raises(Corrupt, match=r"read .*east\.json: .*remove it to begin anew"):
        refusals(receivers)
