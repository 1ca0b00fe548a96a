"""What a receiver tells of itself: counts by name, in a form that Prometheus reads, to those who may send."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.receiver.metrics import Family, exposition
from aftertrace.store.sources import add_token

from .station import REQUESTS, Station


def test_what_was_taken_refused_and_redacted_is_told(open_station: Callable[..., Station]) -> None:
    """Names and numbers; nothing of a payload."""
    station = open_station()
    token = add_token(station.layout, "acme/ci", 1)
    assert station.post("traces", REQUESTS["traces"]).status == 200
    station.call("logs", REQUESTS["logs"], metadata=[("authorization", f"Bearer {token}")])
    assert station.post("traces", b"\xff").status == 400
    assert station.post("logs", REQUESTS["logs"], Authorization="Bearer wrong").status == 401
    answer = station.post("/metrics", None, None, method="GET")
    assert (answer.status, answer.media) == (200, "text/plain; version=0.0.4; charset=utf-8")
    samples = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    assert samples == [
        'aftertrace_requests_total{signal="logs",source="acme/ci",status="200"} 1',
        'aftertrace_requests_total{signal="traces",source="anonymous",status="200"} 1',
        'aftertrace_requests_total{signal="logs",source="unknown",status="401"} 1',
        'aftertrace_requests_total{signal="traces",source="anonymous",status="400"} 1',
        'aftertrace_records_total{signal="logs",source="acme/ci"} 1',
        'aftertrace_records_total{signal="traces",source="anonymous"} 1',
        f'aftertrace_payload_bytes_total{{signal="logs",source="acme/ci"}} {len(REQUESTS["logs"])}',
        f'aftertrace_payload_bytes_total{{signal="traces",source="anonymous"}} {len(REQUESTS["traces"])}',
        "aftertrace_in_flight_bytes 0",
        "aftertrace_http_connections 1",
        "aftertrace_http_cut_total 0",
        "aftertrace_grpc_readings 0",
    ]


def test_who_may_not_send_may_not_read_who_does(open_station: Callable[..., Station]) -> None:
    """Whether it lives is told to everybody."""
    station = open_station(require_token=True)
    token = add_token(station.layout, "ci", 1)
    refused = station.post("/metrics", None, None, method="GET")
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert station.post("/metrics", None, None, method="GET", Authorization=f"Bearer {token}").status == 200
    assert station.post("/healthz", None, None, method="GET").status == 200


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_no_label_leaves_its_line(text: str, value: float) -> None:
    """Whatever a source is called: one sample, one line, and the quotes hold."""
    told = exposition([Family("m", "gauge", "About.", (((("source", text),), value),))]).decode(
        "utf-8", "surrogatepass"
    )
    help_line, type_line, sample, end = told.split("\n")
    assert (help_line, type_line, end) == ("# HELP m About.", "# TYPE m gauge", "")
    inside = sample.removeprefix('m{source="').rpartition('"} ')[0]
    assert re.sub(r"\\.", "", inside).count('"') == 0
    assert re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), inside) == text
