"""Requests for the WAL: small, numbered, always the same."""

from __future__ import annotations

from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.request import Prepared, Request
from aftertrace.store.wal import WalOptions, WalWriter
from aftertrace.store.wal_reader import Damage, WalReader

SMALL = WalOptions(segment_bytes=4096)
"""Segments that are full after a few frames."""


def request(number: int, payload_bytes: int = 20) -> tuple[Request, Prepared]:
    """The request with this number: its payload tells it."""
    payload = f"request {number} ".encode().ljust(payload_bytes, b".")
    prepared = Prepared(payload, 1, b"", (("bearer", 1), ("cookie", 2)), "sha256:policy")
    return Request("traces", "protobuf", payload, "agent", 1_000 + number), prepared


def write(layout: Layout, numbers: range, options: WalOptions = SMALL, *, receiver: str = "main") -> None:
    """Write requests, one group each, as a process that starts and ends in order."""
    with WalWriter(layout, receiver, options) as writer:
        for number in numbers:
            writer.append(*request(number)).result(5)


def read(layout: Layout, after_seq: int = 0, *, receiver: str = "main") -> tuple[list[int], list[str]]:
    """Seqs that a fresh reader finds, and the codes of what it reports."""
    reader = WalReader(layout, receiver, after_seq)
    found = list(reader.poll())
    reader.close()
    frames = [item for item in found if isinstance(item, Frame)]
    assert all(frame.payload.startswith(f"request {frame.received_ns - 1_000} ".encode()) for frame in frames)
    return [frame.seq for frame in frames], [item.finding.code for item in found if isinstance(item, Damage)]
