"""What a receiver may be told."""

from __future__ import annotations

from typing import Any

import pytest

from aftertrace.receiver.config import MAX_REQUEST_BYTES, ReceiverConfig
from aftertrace.store.errors import Invalid


def test_the_defaults_are_the_ports_of_otlp_on_loopback() -> None:
    """And 16 MiB per request."""
    config = ReceiverConfig()
    assert (config.http_host, config.http_port, config.grpc_host, config.grpc_port) == (
        "127.0.0.1",
        4318,
        "127.0.0.1",
        4317,
    )
    assert config.max_request_bytes == 16 * 1024 * 1024


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_taken(host: str) -> None:
    """In every notation."""
    assert ReceiverConfig(http_host=host, grpc_host=host).http_host == host


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("http_host", "0.0.0.0"),  # noqa: S104 - that it is refused is the point
        ("grpc_host", "::"),
        ("http_host", "192.168.1.5"),
        ("grpc_host", "example.com"),
        ("http_host", ""),
        ("http_port", -1),
        ("grpc_port", 65536),
        ("max_request_bytes", 0),
        ("max_request_bytes", MAX_REQUEST_BYTES + 1),
        ("max_in_flight_bytes", 1),
        ("max_parses", 0),
        ("max_connections", 0),
        ("grpc_threads", 0),
        ("body_timeout_s", 0),
        ("append_timeout_s", -1),
    ],
)
def test_what_would_expose_or_wedge_a_receiver_is_refused(field: str, value: Any) -> None:
    """The message names the setting and says what was expected."""
    with pytest.raises(Invalid, match=rf"configure receiver: {field} .*expected"):
        ReceiverConfig(**{field: value})
