"""What the benchmarks send, and how: distinct spans, no request sent twice, no answer passed over."""

from __future__ import annotations

import itertools
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from benchmarks.corpus import requests, templates
from benchmarks.grid import to_json
from benchmarks.senders import REFUSED, TAKEN, Senders
from benchmarks.systems import Collector
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.ingest import otlp_json


@pytest.mark.parametrize("spans", [64, 512])
def test_no_two_requests_share_a_trace_or_a_span(spans: int) -> None:
    """Some systems keep one span of an id: copies would be counted as losses, or as speed."""
    made_from = templates(spans)
    traces: list[bytes] = []
    ids: list[bytes] = []
    many = len(made_from) + 2
    for body, told in islice(requests(made_from), many):
        (group,) = ExportTraceServiceRequest.FromString(body).resource_spans
        held = group.scope_spans[0].spans
        ids += [span.span_id for span in held]
        of_these = dict.fromkeys(span.trace_id for span in held)
        assert [trace.hex() for trace in of_these] == told
        traces += of_these
    assert len(set(ids)) == len(ids) == many * spans
    assert len(set(traces)) == len(traces) == many * 8


def test_what_is_sent_as_json_says_the_same() -> None:
    """The receiver's own decoder makes the same message of it."""
    ((body, _),) = islice(requests(templates(64)), 1)
    assert otlp_json.decode(to_json(body), "traces") == ExportTraceServiceRequest.FromString(body)


class Server:
    """Answers each request as it is told, and notes what came."""

    def __init__(self, answers: list[str]) -> None:
        """Answer these, then `TAKEN`."""
        self.answers = answers
        self.came: list[bytes] = []

    def connect(self) -> Server:
        """All clients share it."""
        return self

    def send(self, body: bytes) -> str:
        """Take a request."""
        self.came.append(body)
        return self.answers.pop(0) if self.answers else TAKEN

    def close(self) -> None:
        """Nothing to hang up."""


def test_a_refused_request_is_sent_again_and_a_failed_one_is_not() -> None:
    """Backpressure is no loss; another answer is counted, and no rate holds its spans."""
    made = [(bytes([number]), [str(number)]) for number in range(4)]
    server = Server([TAKEN, REFUSED, TAKEN, "500"])
    sent = Senders(server, iter(made)).closed(clients=1, duration_s=60.0)
    assert server.came == [b"\x00", b"\x01", b"\x01", b"\x02", b"\x03"]
    assert (sorted(sent.acknowledged), len(sent.latencies_s)) == (["0", "1", "3"], 3)
    assert (sent.refused, sent.failed) == (1, Counter({"500": 1}))


def test_a_closed_loop_whose_time_is_up_waits_for_nobody() -> None:
    """A peer that refuses for minutes would be sent to for minutes; what it never took counts as no failure."""
    server = Server([REFUSED] * 1000)
    sent = Senders(server, iter([(b"a", ["a"])])).closed(clients=1, duration_s=0.5)
    assert (sent.acknowledged, sent.failed) == ({}, Counter())
    assert 0 < sent.refused == len(server.came) < 1000


def test_clients_share_the_requests_out() -> None:
    """Each is sent once, whoever sends it."""
    server = Server([])
    made = [(bytes([number]), [str(number)]) for number in range(50)]
    Senders(server, iter(made)).closed(clients=4, duration_s=60.0)
    assert sorted(server.came) == [body for body, _ in made]


def test_spans_in_the_files_of_the_collector_are_counted_as_they_come(tmp_path: Path) -> None:
    """Also where the last request is written in part: it is counted once, when it is whole."""
    bodies = [body for body, _ in islice(requests(templates(64)), 3)]
    whole = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    collector = Collector()
    counted = []
    for size in itertools.chain(range(0, len(whole), 40_000), (len(whole),)):
        (tmp_path / "spans.bin").write_bytes(whole[:size])
        counted.append(collector.count(tmp_path))
    assert counted == sorted(counted)
    assert {0, 64, 128, 192} == set(counted)
