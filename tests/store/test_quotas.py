"""Quotas: a bucket per source that fills by the second, owes what a large request took, and changes while in use."""

from __future__ import annotations

import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.store import quotas as store_quotas
from aftertrace.store.errors import Corrupt, Invalid, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.quotas import BURST_S, UNLIMITED, Meter, OverQuota, Quota, quotas, set_quota


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def waits_s(meter: Meter, source: str = "ci") -> float | None:
    """How long the source has to wait; None: it may send now, and has."""
    try:
        meter.admit(source)
    except OverQuota as refused:
        return refused.retry_after_s
    return None


def test_a_source_may_send_ten_seconds_worth_at_once_and_then_as_much_as_comes_in(layout: Layout) -> None:
    """Whoever is refused is told how long to wait, and is let in after that; others do not notice."""
    clock = Clock()
    meter = Meter(layout, lambda: Quota(requests_per_s=2), clock)
    assert [waits_s(meter) for _ in range(20)] == [None] * 20
    assert waits_s(meter) == 0.5
    assert waits_s(meter, "other") is None
    clock.now_s += 0.5
    assert [waits_s(meter), waits_s(meter)] == [None, 0.5]
    clock.now_s += 3600
    assert [waits_s(meter) for _ in range(21)] == [None] * 20 + [0.5]


def test_a_file_that_is_slow_to_read_keeps_one_request_waiting(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go by what was read before; whoever comes before anything was read waits for it."""
    clock, begun, goes_on = Clock(), threading.Event(), threading.Event()
    meter = Meter(layout, lambda: Quota(requests_per_s=2), clock)

    def slow(_: Layout) -> dict[str, Quota]:
        begun.set()
        assert goes_on.wait(30)
        return {"ci": Quota(requests_per_s=5)}

    def started(source: str) -> threading.Thread:
        thread = threading.Thread(target=meter.admit, args=(source,), daemon=True)
        thread.start()
        return thread

    meter.admit("ci")
    set_quota(layout, "ci", Quota(requests_per_s=5))
    monkeypatch.setattr(store_quotas, "quotas", slow)
    clock.now_s += 1
    first = started("ci")
    assert begun.wait(30)
    second = started("other")
    second.join(30)
    assert (first.is_alive(), second.is_alive()) == (True, False)
    goes_on.set()
    first.join(30)
    assert [waits_s(meter, "ci") for _ in range(50)] == [None] * 49 + [0.2]


def test_bytes_beyond_the_quota_are_owed(layout: Layout) -> None:
    """A batch larger than the quota is taken; then its sender waits until it has made up for it."""
    clock = Clock()
    meter = Meter(layout, lambda: Quota(bytes_per_s=100), clock)
    meter.admit("ci")
    meter.spend("ci", 3_000)
    assert waits_s(meter) == 20
    with pytest.raises(
        OverQuota, match=r"^take request: ci has sent what it may, 100 bytes per second; try again later$"
    ):
        meter.admit("ci")
    clock.now_s += 20
    assert waits_s(meter) is None
    meter.spend("ci", 1_000_000)
    assert waits_s(meter) == 60


def test_without_a_quota_nobody_is_held_up(layout: Layout) -> None:
    """The default."""
    meter = Meter(layout, lambda: UNLIMITED, Clock())
    for _ in range(1_000):
        meter.admit("ci")
        meter.spend("ci", 10**9)


def test_a_source_has_a_quota_of_its_own_while_it_is_written_down(layout: Layout) -> None:
    """A running receiver sees it within a second; the file is for its owner alone."""
    clock = Clock()
    default = Quota(requests_per_s=1)
    meter = Meter(layout, lambda: default, clock)
    assert [waits_s(meter) for _ in range(11)] == [None] * 10 + [1.0]
    set_quota(layout, "ci", Quota(requests_per_s=5))
    clock.now_s += 1
    assert [waits_s(meter) for _ in range(51)] == [None] * 50 + [0.2]
    assert quotas(layout) == {"ci": Quota(requests_per_s=5)}
    assert stat.S_IMODE(layout.quotas.stat().st_mode) == 0o600
    set_quota(layout, "ci", None)
    clock.now_s += 1
    assert [waits_s(meter) for _ in range(11)] == [None] * 10 + [1.0]
    assert quotas(layout) == {}


def test_a_damaged_file_makes_senders_wait(layout: Layout) -> None:
    """They keep what they have until somebody has mended it."""
    meter = Meter(layout, lambda: UNLIMITED)
    set_quota(layout, "ci", UNLIMITED)
    layout.quotas.write_text('{"ci": {"requests_per_s": -1}}')
    with pytest.raises(Corrupt, match="expected quotas by source; remove it, or restore it"):
        quotas(layout)
    with pytest.raises(Unavailable, match="senders wait until it can be read"):
        meter.admit("ci")
    layout.quotas.unlink()
    meter.admit("ci")


def test_what_is_no_quota_is_refused() -> None:
    """Less than nothing."""
    with pytest.raises(Invalid, match="configure quota: bytes_per_s is -1, expected 0"):
        Quota(bytes_per_s=-1)


@given(
    st.integers(1, 50),
    st.integers(1, 10_000),
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 20_000)), max_size=60),
)
def test_over_any_time_no_more_is_let_in_than_the_quota_allows(
    tmp_path_factory: pytest.TempPathFactory, requests_per_s: int, bytes_per_s: int, sent: list[tuple[float, int]]
) -> None:
    """The burst, what came in since, and one request's worth: whatever the pauses and sizes."""
    clock = Clock()
    meter = Meter(
        Layout(tmp_path_factory.getbasetemp()),
        lambda: Quota(requests_per_s=requests_per_s, bytes_per_s=bytes_per_s),
        clock,
    )
    began_s, requests, volume, last = clock.now_s, 0, 0, 0
    for pause_s, size_bytes in sent:
        clock.now_s += pause_s
        if waits_s(meter) is None:
            meter.spend("ci", size_bytes)
            requests, volume, last = requests + 1, volume + size_bytes, size_bytes
    allowed_s = BURST_S + clock.now_s - began_s
    assert requests <= requests_per_s * allowed_s + 1e-6
    assert volume - last <= bytes_per_s * allowed_s + 1e-6
