"""Acts in the ledger: each leads to the one before it, over any number of other entries."""

from __future__ import annotations

import msgspec
import pytest

from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Hold, Tables
from aftertrace.store.ledger.log import LedgerLog
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.verify import Asked, verify

from .drain_samples import drain, send, traces
from .forging import entries_of, sign, write_entries


def held(layout: Layout) -> list[str]:
    """Names of what is held."""
    return [each.name for each in acts.holds(acts.recorded(layout))]


def test_acts_are_found_over_bundles(layout: Layout) -> None:
    """From the last entry on, whatever it is."""
    for name in ("a", "b"):
        acts.ask_hold(layout, "tenant", name, "ann", "why")
        drain(layout)
        log = LedgerLog(layout)
        log.append([Tables(time_ns="1", versions=log.versions, last_act=log.last_act)] * 300)
        log.close()
    assert held(layout) == ["a", "b"]
    acts.ask_release(layout, acts.recorded(layout)[0].act.id, "ann", "why")
    drain(layout)
    send(layout, traces(1))
    drain(layout)
    assert held(layout) == ["b"]
    seal(layout)
    report = verify(layout, Asked(patience_s=0))
    assert report.findings == ()
    assert held(Layout(layout.data.with_name("none"))) == []


def test_an_entry_that_hides_an_act_is_named(layout: Layout) -> None:
    """Negative control: each entry says which act was the last, so a hold cannot be left out by those behind it."""
    acts.ask_hold(layout, "tenant", "a", "ann", "why")
    drain(layout)
    send(layout, traces(1))
    drain(layout)
    entries = entries_of(layout)
    assert isinstance(entries[1], Hold)
    write_entries(layout, [*entries[:-1], msgspec.structs.replace(entries[-1], last_act=msgspec.UNSET)])
    assert held(layout) == []
    for signing, code in ((seal, "unsealed"), (sign, "ledger_contradicts")):
        signing(layout)
        assert code in {each.code for each in verify(layout, Asked(patience_s=0)).findings}


def test_an_act_that_is_none_is_not_passed_over(layout: Layout) -> None:
    """Whoever asks what is held is told that the ledger is damaged, and not that nothing is."""
    acts.ask_hold(layout, "tenant", "a", "ann", "why")
    drain(layout)
    send(layout, traces(1))
    drain(layout)
    entries = entries_of(layout)
    write_entries(layout, [*entries[:-1], msgspec.structs.replace(entries[-1], last_act=0)])
    with pytest.raises(Corrupt, match="no act"):
        held(layout)
