"""OTLP/JSON made from protobuf through the official JSON mapping: an independent encoder for tests."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf import json_format

ID_FIELDS = ("traceId", "spanId", "parentSpanId")


def otlp_json(message: Any, *, upper: bool = False) -> bytes:
    """The message as OTLP/JSON; `upper` writes ids in capitals."""
    found = json_format.MessageToDict(message, use_integers_for_enums=True)
    return json.dumps(_hex_ids(found, upper=upper), ensure_ascii=False).encode()


def _hex_ids(found: Any, *, upper: bool) -> Any:
    if isinstance(found, list):
        return [_hex_ids(item, upper=upper) for item in found]
    if not isinstance(found, dict):
        return found
    return {
        key: _hex(value, upper=upper) if key in ID_FIELDS else _hex_ids(value, upper=upper)
        for key, value in found.items()
    }


def _hex(text: str, *, upper: bool) -> str:
    digits = base64.b64decode(text).hex()
    return digits.upper() if upper else digits
