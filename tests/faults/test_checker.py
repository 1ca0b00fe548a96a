"""The set checker sees each fault alone, and no fault where there is none."""

from __future__ import annotations

from faults.checker import check
from faults.payload import RequestId, SpanId, request, span, span_id, spans_of
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ids = st.sets(st.integers(0, 30))


@given(acknowledged=ids, unknown=ids, lucky=ids)
def test_what_is_unknown_may_be_there_or_not(acknowledged: set[int], unknown: set[int], lucky: set[int]) -> None:
    """Sent without an answer: neither its presence nor its absence is a fault."""
    found = [*acknowledged, *((unknown & lucky) - acknowledged)]
    assert check(acknowledged | unknown, acknowledged, found).holds


@given(acknowledged=ids.filter(bool), data=st.data())
def test_each_fault_shows_as_itself(acknowledged: set[int], data: st.DataObject) -> None:
    """One lost, one doubled, one invented: each in its own set and in no other."""
    victim = data.draw(st.sampled_from(sorted(acknowledged)))
    lost = check(acknowledged, acknowledged, acknowledged - {victim})
    doubled = check(acknowledged, acknowledged, [*acknowledged, victim])
    invented = check(acknowledged, acknowledged, [*acknowledged, 99])
    nothing: frozenset[int] = frozenset()
    assert (lost.lost, lost.doubled, lost.invented) == (frozenset({victim}), nothing, nothing)
    assert (doubled.lost, doubled.doubled, doubled.invented) == (nothing, frozenset({victim}), nothing)
    assert (invented.lost, invented.doubled, invented.invented) == (nothing, nothing, frozenset({99}))


def test_a_request_can_be_made_again_from_its_number() -> None:
    """Ids, marker and bytes depend on the number alone, and lead back to it."""
    of = RequestId(client=3, number=7)
    body = request(of)
    spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    assert body == request(of)
    assert of.marker.encode() in body[:64]
    assert [span_id(each.trace_id, each.span_id) for each in spans] == spans_of(of)
    assert list(spans) == [span(SpanId(of, index)) for index in range(len(spans))]
    assert span_id(bytes(16), bytes(8)) is None
