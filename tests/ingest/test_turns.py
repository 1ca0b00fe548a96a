"""While a request is counted others have their turn: no call into a library takes long, however large the request.

Such a call keeps the interpreter from all other threads. What is measured is processor time, so that a busy machine
changes nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import parts as parts_module
from aftertrace.ingest.parts import too_many, too_many_values

from .otlp_messages import REQUESTS, requests
from .test_parts import FLOODS, MIB, diluted, inside, parts_of, varint

KIND = REQUESTS["traces"].DESCRIPTOR
AT_MOST = 500_000
TURN_S = 0.01
"""Ten times what the longest call takes."""
TEXTS = {
    "objects": b'{"resourceSpans":[' + b"{}," * (4 * MIB) + b"{}]}",
    "keys": b'{"x":{' + b'"k":0,' * (2 * MIB) + b"}}",
    "empty strings": b'{"x":[' + b'"",' * (4 * MIB) + b"]}",
    "quotes in a text": b'{"x":"' + rb"\"" * (6 * MIB) + b'"}',
    "backslashes": b'{"x":"' + b"\\" * (12 * MIB) + b'"}',
    "brackets in a text": b'{"x":"' + b"{," * (6 * MIB) + b'"}',
}
"""12 MiB each."""


@pytest.fixture(autouse=True)
def without_garbage_collection() -> Iterator[None]:
    """In a process with much in memory it takes longer than what is measured."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Watched:
    """How much a step was given, and how long it took."""

    def __init__(self, step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """Look at each call of a function of `parts` from now on, and at each turn of it where it is a generator."""
        self.largest_bytes = 0
        self.longest_s = 0.0
        monkeypatch.setattr(parts_module, step.__name__, lambda given, *others: self._looked_at(step, given, *others))

    def _looked_at(self, step: Callable[..., Any], given: bytes, *others: Any) -> Iterator[Any]:
        turns = step(given, *others)
        while True:
            began_s = time.thread_time()
            turn = next(turns, None)
            self.longest_s = max(self.longest_s, time.thread_time() - began_s)
            if turn is None:
                return
            self.largest_bytes = max(self.largest_bytes, len(turn) if isinstance(turn, bytes) else len(given))
            yield turn


@pytest.mark.parametrize("flood", FLOODS)
def test_no_more_is_read_at_once_than_others_can_wait_for(flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 15 MiB of nothing, and of a text behind it, which is passed over."""
    tags, unit = FLOODS[flood]
    reading = Watched(parts_module._read, monkeypatch)
    for body in (inside(tags, unit * (15 * MIB // len(unit))), diluted(inside(tags, unit * (MIB // len(unit))))):
        too_many(body, KIND, AT_MOST)
    assert reading.largest_bytes <= parts_module._LEVEL_BYTES
    assert reading.longest_s < TURN_S


def test_what_is_just_small_enough_is_read_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans of 64 KiB, of nothing but empty links."""
    reading = Watched(parts_module._read, monkeypatch)
    spans = inside(b"\x12", b"\x6a\x00" * (parts_module._LEVEL_BYTES // 2)) * 20
    assert too_many(inside(b"\x0a\x12", spans), KIND, AT_MOST)
    assert reading.largest_bytes == parts_module._LEVEL_BYTES
    assert reading.longest_s < TURN_S


def test_the_tests_above_would_see_a_large_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: one that is read at once."""
    monkeypatch.setattr(parts_module, "_LEVEL_BYTES", 2**32)
    reading = Watched(parts_module._read, monkeypatch)
    too_many(inside(FLOODS["links"][0], b"\x6a\x00" * 3_000_000), KIND, AT_MOST)
    assert reading.largest_bytes > 6_000_000
    assert reading.longest_s > TURN_S


@pytest.mark.parametrize("text", TEXTS)
def test_json_is_looked_at_in_stretches(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is made of."""
    looking = [Watched(step, monkeypatch) for step in (parts_module._stretches, parts_module._outside)]
    too_many_values(TEXTS[text], 4 * AT_MOST)
    # An escape may stand across two stretches.
    assert max(watched.largest_bytes for watched in looking) <= parts_module._STRETCH_BYTES + 1
    assert max(watched.longest_s for watched in looking) < TURN_S


def test_the_test_above_would_see_a_long_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a whole request in one."""
    monkeypatch.setattr(parts_module, "_STRETCH_BYTES", 2**32)
    looking = Watched(parts_module._outside, monkeypatch)
    too_many_values(TEXTS["empty strings"], 4 * AT_MOST)
    assert looking.longest_s > TURN_S


class Pausing:
    """A clock of this thread's processor time, and how much of that went by between two pauses at the most."""

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self.pauses = 0
        self.longest_s = 0.0
        self._last_s: float | None = None

    def perf_counter(self) -> float:
        """Now."""
        if self._last_s is None:
            self._last_s = time.thread_time()
        return time.thread_time()

    def sleep(self, _: float) -> None:
        """Pause, for no time."""
        self.pauses += 1
        assert self._last_s is not None
        self.longest_s = max(self.longest_s, time.thread_time() - self._last_s)
        self._last_s = time.thread_time()


COUNTED: dict[str, Callable[[], object]] = {
    "links": lambda: too_many(inside(FLOODS["links"][0], b"\x6a\x00" * 1_000_000), KIND, AT_MOST),
    "spans with links": lambda: too_many(
        inside(b"\x0a\x12", inside(b"\x12", b"\x6a\x00" * 20_000) * 20), KIND, 300_000
    ),
    "numbers": lambda: too_many(
        inside(b"\x0a\x12\x12", b"\x78\x01" * (5 * MIB)) + b"\x7a" + varint(MIB) + b"z" * MIB, KIND, AT_MOST
    ),
    "objects": lambda: too_many_values(TEXTS["objects"], 4 * AT_MOST),
    "keys": lambda: too_many_values(TEXTS["keys"], 4 * AT_MOST),
}


@pytest.mark.parametrize("counted", COUNTED)
def test_others_go_first_again_and_again(counted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each turn of counting."""
    monkeypatch.setattr(parts_module, "time", pausing := Pausing())
    assert COUNTED[counted]()
    assert pausing.pauses > 3
    assert pausing.longest_s < TURN_S


def test_the_test_above_would_see_that_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a turn without end."""
    monkeypatch.setattr(parts_module, "_TURN_S", 2 * TURN_S)
    monkeypatch.setattr(parts_module, "time", pausing := Pausing())
    COUNTED["links"]()
    assert pausing.longest_s > TURN_S


@given(st.text(alphabet='\\",:{[a').map(str.encode), st.integers(0, 12), st.integers(1, 9))
def test_where_a_stretch_ends_changes_no_count(body: bytes, at_most: int, stretch_bytes: int) -> None:
    """Not in an escape, not in a string."""
    whole = too_many_values(body, at_most)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts_module, "_STRETCH_BYTES", stretch_bytes)
        assert too_many_values(body, at_most) == whole


def test_a_crowd_is_refused_at_the_stretch_that_makes_it_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four million objects one million are looked at, as text and once more outside of strings."""
    monkeypatch.setattr(parts_module, "_is_crowded", counting := Counting(parts_module._is_crowded))
    assert too_many_values(TEXTS["objects"], 4 * AT_MOST)
    assert counting.stretches == [92, 92]


class Counting:
    """How many stretches each look took."""

    def __init__(self, is_crowded: Callable[..., bool]) -> None:
        """Nothing yet."""
        self.stretches: list[int] = []
        self._is_crowded = is_crowded

    def __call__(self, stretches: Iterator[bytes], at_most: int) -> bool:
        """Look."""
        self.stretches.append(0)
        return self._is_crowded(self._each(stretches), at_most)

    def _each(self, stretches: Iterator[bytes]) -> Iterator[bytes]:
        for stretch in stretches:
            self.stretches[-1] += 1
            yield stretch


@given(requests, st.integers(1, 64))
def test_what_is_read_at_once_changes_no_count(pair: tuple[str, Any], level_bytes: int) -> None:
    """However much of each level that is, and how many parts are counted together."""
    signal, message = pair
    wire, kind, parts = message.SerializeToString(), REQUESTS[signal].DESCRIPTOR, parts_of(message)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts_module, "_LEVEL_BYTES", level_bytes)
        patched.setattr(parts_module, "_TOGETHER", 1 + level_bytes % 3)
        patched.setattr(parts_module, "_FIELDS_PER_PART", 1_000)
        assert not too_many(wire, kind, max(parts, 1))
        assert parts == 0 or too_many(wire, kind, parts - 1) == (len(wire) > 2 * (parts - 1))


@pytest.mark.parametrize(("fields", "verdict"), [(2_390, False), (2_400, True)])
def test_fields_without_end_are_too_many(fields: int, verdict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one message, four to each part that there may be, whatever they are: as many values are too many in JSON."""
    monkeypatch.setattr(parts_module, "_LEVEL_BYTES", 100)
    # Field 15 of a span, a number that looks like a tag.
    wire = inside(FLOODS["links"][0], b"\x78\x02" * fields + b"\x6a\x00" * 5)
    assert too_many(wire, KIND, 600) == verdict


ENDLESS = {
    "a tag": b"\x82" * (15 * MIB),
    "a length": b"\x0a" + b"\x82" * (15 * MIB),
    "a number": b"\x78" + b"\x82" * (15 * MIB),
    "a tag further down": inside(FLOODS["links"][0], b"\x82" * (15 * MIB)),
}


@pytest.mark.parametrize("endless", ENDLESS)
def test_a_number_without_end_takes_no_time(endless: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No varint has more than ten bytes; to read on would take hours. It is no such message, as the decoder says."""
    monkeypatch.setattr(parts_module, "time", Pausing())
    began_s = time.thread_time()
    assert not too_many(ENDLESS[endless], KIND, AT_MOST)
    assert time.thread_time() - began_s < 2
    with pytest.raises(DecodeError):
        REQUESTS["traces"].FromString(ENDLESS[endless])
