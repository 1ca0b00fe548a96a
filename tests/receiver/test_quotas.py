"""Sources that send more than they may: told to come again and when, over both transports; the others are served."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from aftertrace.receiver.tally import Refused
from aftertrace.store.quotas import Quota
from aftertrace.store.sources import add_token

from .station import REQUESTS, Station

SIZE_BYTES = len(REQUESTS["traces"])


def test_who_sends_too_often_is_told_when_to_come_again(open_station: Callable[..., Station]) -> None:
    """503 and UNAVAILABLE, not 429: older senders throw away what got a 429."""
    station = open_station(quota=Quota(requests_per_s=1))
    token = add_token(station.layout, "ci", 1)
    assert [station.post("traces", REQUESTS["traces"]).status for _ in range(10)] == [200] * 10
    answer = station.post("traces", REQUESTS["traces"])
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert b"anonymous has sent what it may, 1 requests per second; try again later" in answer.body
    with pytest.raises(grpc.RpcError) as caught:
        station.call("traces", REQUESTS["traces"])
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
    trailers = dict(caught.value.trailing_metadata())  # type: ignore[attr-defined]
    info = error_details_pb2.RetryInfo()
    assert status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(info)
    assert 0 < info.retry_delay.ToMilliseconds() <= 1_000
    assert station.post("traces", REQUESTS["traces"], Authorization=f"Bearer {token}").status == 200
    assert station.receiver.tally.over_quota() == (("anonymous", 2),)
    assert station.receiver.tally.refused() == (Refused("traces", "anonymous", 503, 2),)
    assert (
        b'\naftertrace_quota_refusals_total{source="anonymous"} 2\n'
        in station.post("/metrics", None, method="GET").body
    )


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_bytes_count_as_they_are_inflated(open_station: Callable[..., Station], transport: str) -> None:
    """A bomb costs what it blows up to."""
    station = open_station(quota=Quota(bytes_per_s=1))
    if transport == "http":
        assert station.post("traces", gzip.compress(REQUESTS["traces"]), Content_Encoding="gzip").status == 200
    else:
        station.call("traces", REQUESTS["traces"], compression=grpc.Compression.Gzip)
    assert station.post("traces", REQUESTS["traces"]).status == 503


def test_a_request_that_is_refused_for_its_content_counts_too(open_station: Callable[..., Station]) -> None:
    """Or it would be the cheap way to keep the receiver busy."""
    station = open_station(quota=Quota(requests_per_s=1))
    assert [station.post("traces", b"\xff").status for _ in range(11)] == [400] * 10 + [503]
