"""One HTTP request to another program: sent once, and nothing followed."""

from __future__ import annotations

import http.client
from collections.abc import Mapping


def post(
    host: str, port: int, path: str, body: bytes, headers: Mapping[str, str], *, secure: bool, timeout_s: float
) -> int:
    """Post a body; the status of the answer, of which nothing else is read. Raises as `exchange`."""
    return exchange(host, port, path, body, headers, secure=secure, timeout_s=timeout_s, most_bytes=0)[0]


def exchange(
    host: str,
    port: int,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    secure: bool,
    timeout_s: float,
    most_bytes: int,
) -> tuple[int, bytes]:
    """Post a body; the status of the answer, and so much of what else it says: it could go on for ever.

    Raises:
        OSError: it cannot be reached.
        HTTPException: what answers does not speak HTTP.
    """
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(host, port, timeout=timeout_s)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(most_bytes) if most_bytes else b""
    finally:
        connection.close()
