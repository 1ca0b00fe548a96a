"""OTLP/gRPC over the wire: every code that the specification asks for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from aftertrace.receiver.tally import Refused
from aftertrace.store.errors import Corrupt, Unavailable

from .station import REQUESTS, SIGNALS, Station


def refused(station: Station, body: bytes, **options: Any) -> tuple[grpc.StatusCode, str, status_pb2.Status | None]:
    """Code, details, and the `google.rpc.Status` beside them, of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        station.call("traces", body, **options)
    trailers = dict(caught.value.trailing_metadata() or ())
    packed = trailers.get("grpc-status-details-bin")
    return caught.value.code(), caught.value.details(), packed and status_pb2.Status.FromString(packed)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_every_signal_is_kept_before_it_is_answered(
    station: Station, signal: str, compression: grpc.Compression
) -> None:
    """The answer is an empty message: partial success stays unset."""
    assert station.call(signal, REQUESTS[signal], compression=compression) == b""
    assert [(frame.signal, frame.payload, frame.source) for frame in station.kept()] == [
        (signal, REQUESTS[signal], "anonymous")
    ]


def test_an_empty_request_is_a_success_that_leaves_nothing(station: Station) -> None:
    """OTLP asks for it."""
    assert station.call("logs", b"") == b""
    assert station.kept() == []


def test_what_does_not_decode_is_an_invalid_argument(station: Station) -> None:
    """With a status that says so again, and nothing to wait for."""
    code, details, status = refused(station, b"\xff")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert status == status_pb2.Status(code=3, message=details)
    assert station.kept() == []


@pytest.mark.parametrize("size_bytes", [10_001, 20_000_000])
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_over_the_limit_exhausts_without_a_retry(
    open_station: Callable[..., Station], compression: grpc.Compression, size_bytes: int
) -> None:
    """Without RetryInfo, so that it is not sent again; inflated size counts, and so does the refusal."""
    station = open_station(max_request_bytes=10_000)
    code, details, status = refused(station, bytes(size_bytes), compression=compression)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    if size_bytes == 10_001:
        assert status == status_pb2.Status(code=8, message=details)
        assert "over the limit of 10000 bytes" in details
    else:
        assert status is None
    assert station.call("traces", REQUESTS["traces"]) == b""
    station.receiver.stop(5)
    assert station.receiver.tally.refused() == (Refused("traces", "anonymous", 413, 1),)


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (Unavailable("append: the disk does not keep up", retry_after_s=2.5), 2.5),
        (Unavailable("append: closing"), 1.0),
        (Corrupt("append: the log is damaged"), 1.0),
    ],
)
def test_what_can_pass_is_unavailable_with_a_time_to_wait(
    open_station: Callable[..., Station], error: Exception, wait_s: float
) -> None:
    """RetryInfo tells the sender when to come back; a damaged store is mended while the sender keeps its data."""

    def append(*_: object) -> Future[int]:
        future: Future[int] = Future()
        future.set_exception(error)
        return future

    code, details, status = refused(open_station(append=append), REQUESTS["traces"])
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromNanoseconds(int(wait_s * 1e9))
    expected = status_pb2.Status(code=14, message=str(error))
    expected.details.add().Pack(info)
    assert (code, details, status) == (grpc.StatusCode.UNAVAILABLE, str(error), expected)


def test_a_defect_is_internal_and_tells_nothing(
    open_station: Callable[..., Station], caplog: pytest.LogCaptureFixture
) -> None:
    """What stood in the exception may come from the request: neither the sender is told, nor the log."""

    def prepare(*_: object) -> Any:
        raise KeyError("hunter2")

    code, details, _ = refused(open_station(prepare=prepare), REQUESTS["traces"])
    assert code is grpc.StatusCode.INTERNAL
    assert "hunter2" not in details + caplog.text
    assert "a defect, please report it: KeyError at test_grpc.py" in caplog.text


def test_unknown_methods_are_unimplemented(station: Station) -> None:
    """Profiles, for one."""
    call = station._channel.unary_unary("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
