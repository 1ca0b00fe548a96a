"""Values that would be a path, a column or a partition if anything were made of them: from the wire to a reader."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.ingest.drain import Drain
from aftertrace.ingest.rows import fitted
from aftertrace.store.fsck import fsck
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot

from .station import Station

HOSTILE = (
    "../../../../etc/passwd",
    "a/b",
    "/absolute",
    "..",
    ".",
    "",
    " ",
    "a\0b",
    "a=b/received_date=1970-01-01",
    "__HIVE_DEFAULT_PARTITION__",
    "%2e%2e%2f",
    "CON",
    "line\nbreak\r",
    "\u202eevil",
    "x" * 300,
    "y" * 100_000,
    "'; drop table spans; --",
    "{}$()`|&",
    "\ud7ff\ue000\U0010ffff",
)
NAMES = ("service.name", "gen_ai.agent.name", "gen_ai.tool.name", "gen_ai.conversation.id", "gen_ai.tool.call.id")


def request(value: str, number: int, *, more: int = 0) -> bytes:
    """A request in which everything that may be text is this value."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add(schema_url=value)
    group.resource.attributes.add(key="service.name").value.string_value = value
    scoped = group.scope_spans.add(schema_url=value)
    scoped.scope.name = scoped.scope.version = value
    span = scoped.spans.add(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=value,
        trace_state=value,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=2**64 - 1,
    )
    for name in (*NAMES, value or "empty"):
        span.attributes.add(key=name).value.string_value = value
    for index in range(more):
        span.attributes.add(key=f"{value}{number}.{index}").value.int_value = index
    span.events.add(name=value).attributes.add(key=value).value.string_value = value
    return message.SerializeToString()


def tree(station: Station) -> set[str]:
    """Names of the folders below the tables; those of lookups are named after their tables'."""
    tables = station.layout.tables_folder
    names = {str(path.relative_to(tables)) for path in tables.rglob("*") if path.is_dir()}
    return {name.removeprefix("_lookup/") for name in names}


def drained(station: Station) -> Snapshot:
    """The tables, with everything in them, and nothing wrong."""
    with Drain(station.layout) as drain:
        assert drain.once().findings == []
    assert [finding for finding in fsck(station.layout) if finding.severity == "error"] == []
    return Snapshot.of(station.layout.data)


def test_no_value_becomes_a_path_or_stops_what_follows(open_station: Callable[..., Station]) -> None:
    """Every one is stored as it came; partitions are days of the server's clock."""
    station = open_station()
    for number, value in enumerate(HOSTILE, 1):
        assert station.post("traces", request(value, number)).status == 200
    assert station.post("traces", request("harmless", 100)).status == 200
    snapshot = drained(station)
    told = snapshot.scan("spans").select("name", "service_name").collect().rows()
    # In a slim column an empty name is no name, and a long one is cut; `evidence` has what came.
    assert sorted(told, key=repr) == sorted(
        ((value, fitted(value) or None) for value in (*HOSTILE, "harmless")), key=repr
    )
    assert {name.partition("/")[2].partition("=")[0] for name in tree(station)} == {"", "_delta_log", "received_date"}
    assert {path.name for path in station.layout.data.parent.iterdir()} == {station.layout.data.name}


def test_keys_in_any_number_change_no_table(open_station: Callable[..., Station]) -> None:
    """A hundred thousand different ones: the columns stay, and every attribute is there."""
    station = open_station()
    for number in range(1, 26):
        assert station.post("traces", request("key.", number, more=4_000)).status == 200
    snapshot = drained(station)
    for name in TABLES:
        columns = snapshot.scan(name).collect_schema().names()
        assert columns == TABLES[name].schema.names
    evidence = snapshot.scan("evidence").select("seq").collect()
    assert evidence.height == 25
    attributes = snapshot.scan("spans").select("attributes").collect().to_series()
    assert attributes.str.contains("key.7.3999", literal=True).sum() == 1


@pytest.mark.parametrize("value", ["../../x", "a\nb", "x" * 300, "A", "tenant/", "/name", "a/b/c"])
def test_no_source_has_such_a_name(open_station: Callable[..., Station], value: str) -> None:
    """The only text of a sender's that the server goes by is the name that its owner was given."""
    from aftertrace.store.errors import Invalid
    from aftertrace.store.sources import add_token

    with pytest.raises(Invalid, match="not a name that a source can have"):
        add_token(open_station().layout, value, 1)
