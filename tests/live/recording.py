"""What a case exported, as lines of a recording: without vendors' texts and what names this machine."""

from __future__ import annotations

import getpass
import hashlib
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

MAX_CHARS: Final = 400
"""A longer text is a vendor's, or no use in a recording."""
_KEPT: Final = ("exception.message",)
"""Attributes whose texts are kept whole: an interrupt's holds what was asked, as Python writes it."""
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


def trimmed(text: str) -> str:
    """A text, or what stands for one that is too long; inside JSON its strings one by one."""
    if len(text) <= MAX_CHARS:
        return text
    if text[:1] in "[{":
        try:
            return json.dumps(_trimmed(json.loads(text)), ensure_ascii=False)
        except ValueError:
            pass
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"[vendor text removed: {len(text)} chars sha256:{digest}]"


def _line(frame: Frame, names: Mapping[str, str]) -> dict[str, Any]:
    request = _REQUESTS[frame.signal]()
    request.ParseFromString(frame.payload)
    told = MessageToDict(request, use_integers_for_enums=True)
    for group in (*told.get("resourceSpans", ()), *told.get("resourceLogs", ())):
        attributes = group.get("resource", {}).get("attributes", [])
        attributes[:] = [item for item in attributes if not _OF_THE_MACHINE.match(item["key"])]
    return {"signal": frame.signal, "request": _cleaned(told, names)}


def _cleaned(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_cleaned(item, names) for item in value]
    if isinstance(value, dict) and value.get("key") in _KEPT:
        return {"key": value["key"], "value": {kind: _renamed(text, names) for kind, text in value["value"].items()}}
    if isinstance(value, dict):
        return {
            key: b64decode(item).hex() if key in _IDS and isinstance(item, str) else _cleaned(item, names)
            for key, item in value.items()
        }
    return trimmed(_renamed(value, names)) if isinstance(value, str) else value


def _trimmed(value: Any) -> Any:
    if isinstance(value, list):
        return [_trimmed(item) for item in value]
    if isinstance(value, dict):
        return {key: _trimmed(item) for key, item in value.items()}
    return trimmed(value) if isinstance(value, str) else value


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for name, instead in names.items():
        text = text.replace(name, instead)
    return text
