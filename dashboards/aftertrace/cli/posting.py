"""One HTTP request to another program: sent once, and nothing followed."""

from __future__ import annotations

import http.client
from collections.abc import Mapping


def post(
    host: str, port: int, path: str, body: bytes, headers: Mapping[str, str], *, secure: bool, timeout_s: float
) -> int:
    """Post a body; the status of the answer. What else it says is not read: it could go on for ever.

    Raises:
        OSError: it cannot be reached.
        HTTPException: what answers does not speak HTTP.
    """
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(host, port, timeout=timeout_s)
    try:
        connection.request("POST", path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
