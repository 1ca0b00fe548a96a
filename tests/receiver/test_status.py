"""The one table from errors to answers, and the encodings of `google.rpc.Status`."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.receiver.intake import Budget
from aftertrace.receiver.status import DEFAULT_RETRY_AFTER_S, Refusal, TooSlow, Unsupported, refusal
from aftertrace.store.errors import AftertraceError, Corrupt, Forbidden, Invalid, TooLarge, Unavailable
from aftertrace.store.folder import open_folder
from aftertrace.store.request import Prepared, Request
from aftertrace.store.wal import WalWriter

RETRIED = {429, 502, 503, 504}
"""HTTP statuses after which OTLP senders try again."""


@pytest.mark.parametrize(
    ("error", "code", "http_status", "retry_after_s"),
    [
        (Invalid("m"), grpc.StatusCode.INVALID_ARGUMENT, 400, None),
        (TooSlow("m"), grpc.StatusCode.DEADLINE_EXCEEDED, 503, 2.0),
        (TooLarge("m"), grpc.StatusCode.RESOURCE_EXHAUSTED, 413, None),
        (Forbidden("m"), grpc.StatusCode.PERMISSION_DENIED, 403, None),
        (Unsupported("m"), grpc.StatusCode.UNIMPLEMENTED, 415, None),
        (Unavailable("m"), grpc.StatusCode.UNAVAILABLE, 503, 2.0),
        (Unavailable("m", retry_after_s=30), grpc.StatusCode.UNAVAILABLE, 503, 30),
        (Corrupt("m"), grpc.StatusCode.UNAVAILABLE, 503, 2.0),
    ],
)
def test_each_error_has_one_answer_on_both_transports(
    error: AftertraceError, code: grpc.StatusCode, http_status: int, retry_after_s: float | None
) -> None:
    """Something to wait for goes exactly with the statuses after which senders try again."""
    answer = refusal(error)
    assert answer == Refusal(code, http_status, "m", retry_after_s)
    assert (answer.retry_after_s is not None) == (answer.http_status in RETRIED)


def test_whoever_meets_a_full_receiver_or_a_closing_log_is_asked_to_wait_as_long_as_others(tmp_path: Path) -> None:
    """By one figure: asked for less, the SDKs use up their tries and drop what they hold."""
    with pytest.raises(Unavailable) as full:
        Budget(1).reserve(2)
    with WalWriter(open_folder(tmp_path / "data"), "main") as log:
        pass
    prepared = Prepared(b"", 0, b"", (), "sha256:policy")
    closing = log.append(Request("traces", "protobuf", b"", "anonymous", 1), prepared).exception(5)
    assert isinstance(closing, Unavailable)
    assert [refusal(error).retry_after_s for error in (full.value, closing)] == [DEFAULT_RETRY_AFTER_S] * 2


def test_a_connection_with_an_unread_body_is_closed() -> None:
    """What is still on its way would be taken for the next request; other refusals leave it open."""
    kinds = (TooSlow, TooLarge, Unavailable, Invalid, Corrupt)
    assert [kind for kind in kinds if refusal(kind("m")).hangs_up] == [TooSlow, TooLarge]


def test_every_error_of_aftertrace_is_in_the_table() -> None:
    """Only a defect is answered with 500, and it tells nothing of itself."""
    kinds = [*AftertraceError.__subclasses__(), *Invalid.__subclasses__()]
    assert all(refusal(kind("m")).http_status != 500 for kind in kinds)
    assert refusal(KeyError("hunter2")) == Refusal(
        grpc.StatusCode.INTERNAL, 500, "internal error; the receiver's log tells more"
    )


messages = st.text(st.characters(codec="utf-8"), max_size=300)
waits = st.none() | st.integers(0, 10**13).map(lambda nanos: nanos / 1e9)


@given(st.sampled_from([code for code in grpc.StatusCode if code.value[0]]), messages, waits)
def test_status_bodies_are_read_by_the_official_messages(
    code: grpc.StatusCode, message: str, wait_s: float | None
) -> None:
    """Protobuf and JSON of a refusal are the same `google.rpc.Status`."""
    answer = Refusal(code, 400, message, wait_s)
    expected = status_pb2.Status(code=code.value[0], message=message)
    if wait_s is not None:
        info = error_details_pb2.RetryInfo()
        info.retry_delay.FromNanoseconds(round(wait_s * 1e9))
        expected.details.add().Pack(info)
    assert status_pb2.Status.FromString(answer.body("protobuf")) == expected
    assert json_format.ParseDict(json.loads(answer.body("json")), status_pb2.Status()) == expected


@pytest.mark.parametrize(("wait_s", "header"), [(0.2, "1"), (1.0, "1"), (1.5, "2"), (None, "0")])
def test_retry_after_is_whole_seconds_and_never_too_early(wait_s: float | None, header: str) -> None:
    """HTTP knows no fractions."""
    assert Refusal(grpc.StatusCode.UNAVAILABLE, 503, "m", wait_s).retry_after_header == header
