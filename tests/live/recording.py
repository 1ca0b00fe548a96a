"""What a case exported, as lines of a recording: without vendors' texts and what names this machine."""

from __future__ import annotations

import getpass
import json
import re
import socket
from base64 import b64decode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.store.frame import Frame

from . import vendor_text

_REQUESTS: Final = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}
_IDS: Final = ("traceId", "spanId", "parentSpanId")
_OF_THE_MACHINE: Final = re.compile(r"^(host|process|os|device|container|service\.instance)\.")
"""Resource attributes that tell where it ran, not what it did."""


def lines(frames: Iterable[Frame], places: Mapping[str, str]) -> list[str]:
    """One line per export request.

    Args:
        frames: what came.
        places: what paths of this machine become, the longest first.
    """
    names = {**places, socket.gethostname(): "host", str(Path.home()): "/home/user"}
    if (user := getpass.getuser()) != "root":
        names[user] = "user"
    return [json.dumps(_line(frame, names), ensure_ascii=False, separators=(",", ":")) for frame in frames]


def _line(frame: Frame, names: Mapping[str, str]) -> dict[str, Any]:
    request = _REQUESTS[frame.signal]()
    request.ParseFromString(frame.payload)
    told = MessageToDict(request, use_integers_for_enums=True)
    for group in (*told.get("resourceSpans", ()), *told.get("resourceLogs", ())):
        attributes = group.get("resource", {}).get("attributes", [])
        attributes[:] = [item for item in attributes if not _OF_THE_MACHINE.match(item["key"])]
    return {"signal": frame.signal, "request": vendor_text.without(_named(told, names))}


def _named(value: Any, names: Mapping[str, str]) -> Any:
    """A request with ids as hex and places renamed."""
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if isinstance(value, dict):
        return {
            key: b64decode(item).hex() if key in _IDS and isinstance(item, str) else _named(item, names)
            for key, item in value.items()
        }
    return _renamed(value, names) if isinstance(value, str) else value


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for name, instead in names.items():
        text = text.replace(name, instead)
    return text
