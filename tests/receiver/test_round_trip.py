"""Every field of OTLP, from a socket to the `evidence` table: what went in comes out byte for byte."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import grpc
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.ingest.otlp_messages import REQUESTS, Sent, sent, whole

from aftertrace.ingest.drain import Drain
from aftertrace.ingest.wire import Slice
from aftertrace.store.folder import open_folder
from aftertrace.store.snapshot import Snapshot

from .station import Station

WAYS = ("http", "http gzip", "grpc", "grpc gzip")


@dataclass(slots=True)
class Journey:
    """A receiver, a drain behind it, and how far the tables have been looked at."""

    station: Station
    drain: Drain
    looked_at: int = 0

    def send(self, request: Sent, way: str) -> None:
        """Over one of the transports; it must be taken."""
        if way.startswith("grpc"):
            packing = grpc.Compression.Gzip if "gzip" in way else grpc.Compression.NoCompression
            assert self.station.call(request.signal, request.body, compression=packing) == b""
        elif "gzip" in way:
            packed = gzip.compress(request.body)
            assert self.station.post(request.signal, packed, Content_Encoding="gzip").status == 200
        else:
            assert self.station.post(request.signal, request.body).status == 200

    def arrived(self) -> list[Slice]:
        """What `evidence` has got since the last look, each record with its resource and scope."""
        report = self.drain.once()
        assert report.findings == []
        tables = Snapshot.of(self.station.layout.data)
        evidence = tables.scan("evidence").filter(pl.col("seq") > self.looked_at).sort("seq", "index").collect()
        assert evidence["redactions"].to_list() == [0] * evidence.height
        origins: dict[str, dict[str, tuple[bytes, str]]] = {}
        for table in ("resources", "scopes"):
            rows = tables.scan(table).select("digest", "bytes", "schema_url").collect().rows()
            origins[table] = {digest: (message, url) for digest, message, url in rows}
        self.looked_at = evidence["seq"].max() or self.looked_at  # type: ignore[assignment]
        return [
            Slice(*origins["resources"][row["resource_digest"]], *origins["scopes"][row["scope_digest"]], row["record"])
            for row in evidence.iter_rows(named=True)
        ]


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """One store for all requests: each is a commit of its own."""
    station = Station(open_folder(tmp_path_factory.mktemp("round-trip") / "data"))
    with Drain(station.layout) as drain:
        yield Journey(station, drain)
    station.close()


def accepted(request: Sent) -> Sent:
    """With a span that has ids beside those that have none, or it would be refused as logs on the wrong path."""
    if request.signal != "traces":
        return request
    named = whole("traces")
    return replace(request, body=request.body + named.body, records=(*request.records, *named.records))


@example([(whole("traces"), "http"), (whole("logs"), "grpc"), (whole("metrics"), "http gzip")])
@given(st.lists(st.tuples(sent.map(accepted), st.sampled_from(WAYS)), min_size=1, max_size=6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_went_in_comes_out(journey: Journey, requests: list[tuple[Sent, str]]) -> None:
    """Resource, scope and record of each, in order, with unknown fields and however they were encoded."""
    for request, way in requests:
        journey.send(request, way)
    assert journey.arrived() == [record for request, _ in requests for record in request.records]


def test_the_test_above_would_see_a_byte_that_changed(journey: Journey) -> None:
    """Control: one bit of a number in one record, and one of a resource."""
    request = whole("traces")
    (was,) = request.records
    for old, new in ((was.record[-1:], b"\x02"), (b"description_keys", b"description_kexs")):
        place = request.body.rindex(old)
        body = request.body[:place] + new + request.body[place + len(new) :]
        journey.send(replace(request, body=body), "http")
        (found,) = journey.arrived()
        assert found != was
        assert REQUESTS["traces"].FromString(body) != REQUESTS["traces"].FromString(request.body)


@pytest.mark.parametrize("signal", REQUESTS)
def test_no_field_is_missing_from_the_requests_above(signal: str) -> None:
    """Every field of every message that a request can hold is in the example, by the descriptors."""
    found: set[str] = set()
    _collect(REQUESTS[signal].FromString(whole(signal).body), found)
    assert found == _fields(REQUESTS[signal].DESCRIPTOR, set())


def _collect(message: Any, found: set[str]) -> None:
    for field, value in message.ListFields():
        found.add(field.full_name)
        if field.message_type is not None:
            for inner in value if field.is_repeated else (value,):
                _collect(inner, found)


def _fields(kind: Any, found: set[str]) -> set[str]:
    for field in kind.fields:
        if field.full_name not in found:
            found.add(field.full_name)
            if field.message_type is not None:
                _fields(field.message_type, found)
    return found
