"""What a sender is told: one table from errors to gRPC codes and HTTP statuses, and `google.rpc.Status`
bodies.

OTLP 1.11 (specification.md, "Failures") decides by the status whether a sender tries again: over HTTP after
429, 502, 503 and 504, over gRPC after UNAVAILABLE among others, and after RESOURCE_EXHAUSTED only with
RetryInfo. A sender that does not try again loses the data, so what may pass says 503, and only what can never
succeed says anything else.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc

from aftertrace.store.errors import (
    AftertraceError,
    Corrupt,
    Forbidden,
    Invalid,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from aftertrace.store.request import Encoding

DEFAULT_RETRY_AFTER_S: Final = 2.0
"""What a sender is asked to wait when nobody knows better. The SDKs of Python and JavaScript try six times, for ten
seconds at most by default, and then drop what they hold: asked to wait for less, they give up sooner."""

CONTENT_TYPES: Final[dict[Encoding, str]] = {
    "protobuf": "application/x-protobuf",
    "json": "application/json",
}
"""Media type of a request and of its answer, by encoding."""

_RETRIED: Final = 503
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


class Unsupported(Invalid):
    """A content encoding that the receiver does not speak. HTTP 415."""


class TooSlow(Invalid):
    """A client that did not send its body in time. HTTP 503: after 408, a sender would throw the data away."""


_ANSWERS: Final[tuple[tuple[type[AftertraceError], grpc.StatusCode, int], ...]] = (
    (TooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED, 401),
    (Forbidden, grpc.StatusCode.PERMISSION_DENIED, 403),
    (Unsupported, grpc.StatusCode.UNIMPLEMENTED, 415),
    (TooSlow, grpc.StatusCode.DEADLINE_EXCEEDED, _RETRIED),
    (Invalid, grpc.StatusCode.INVALID_ARGUMENT, 400),
    (Unavailable, grpc.StatusCode.UNAVAILABLE, _RETRIED),
    # A person can mend a damaged store, and the sender should still have the data then.
    (Corrupt, grpc.StatusCode.UNAVAILABLE, _RETRIED),
)
"""First match wins. What is not here is a defect of aftertrace: INTERNAL, 500, so that a request which trips
it is not sent again and again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not taken, in the terms of both transports."""

    grpc_code: grpc.StatusCode
    http_status: int
    message: str
    retry_after_s: float | None = None
    """Set exactly when the sender should try again."""

    @property
    def hangs_up(self) -> bool:
        """Whether the rest of the request may still be on its way, so that the connection is of no more use."""
        return self.grpc_code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)

    @property
    def retry_after_header(self) -> str:
        """Whole seconds for the `Retry-After` header, rounded up."""
        return str(math.ceil(self.retry_after_s or 0))

    def body(self, encoding: Encoding) -> bytes:
        """The `google.rpc.Status` message in the request's encoding."""
        return self.status_json() if encoding == "json" else self.status_protobuf()

    def status_protobuf(self) -> bytes:
        """`google.rpc.Status` on the wire, with RetryInfo where there is something to wait for."""
        status = _number(1, self.grpc_code.value[0]) + _bytes(2, self.message.encode())
        if self.retry_after_s is not None:
            seconds, nanos = self._retry_delay()
            retry_info = _bytes(1, _number(1, seconds) + _number(2, nanos))
            status += _bytes(3, _bytes(1, _RETRY_INFO.encode()) + _bytes(2, retry_info))
        return status

    def status_json(self) -> bytes:
        """`google.rpc.Status` in the proto3 JSON mapping."""
        status: dict[str, object] = {"code": self.grpc_code.value[0], "message": self.message}
        if self.retry_after_s is not None:
            seconds, nanos = self._retry_delay()
            delay = f"{seconds}.{nanos:09d}".rstrip("0").rstrip(".")
            status["details"] = [{"@type": _RETRY_INFO, "retryDelay": f"{delay}s"}]
        return json.dumps(status, ensure_ascii=False).encode()

    def _retry_delay(self) -> tuple[int, int]:
        """Seconds and nanoseconds, as a protobuf Duration has them."""
        return divmod(round((self.retry_after_s or 0) * 1e9), 10**9)


def refusal(error: Exception) -> Refusal:
    """What to tell a sender whose request ended in `error`. Never holds anything of the payload."""
    for kind, code, http_status in _ANSWERS:
        if isinstance(error, kind):
            retry_after_s = None
            if http_status == _RETRIED:
                retry_after_s = getattr(error, "retry_after_s", None) or DEFAULT_RETRY_AFTER_S
            return Refusal(code, http_status, str(error), retry_after_s)
    return Refusal(grpc.StatusCode.INTERNAL, 500, "internal error; the receiver's log tells more")


def _number(field: int, value: int) -> bytes:
    return b"" if value == 0 else bytes([field << 3]) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
