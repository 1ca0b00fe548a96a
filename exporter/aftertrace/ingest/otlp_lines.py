"""Stored records written out again: one line of OTLP/JSON each, which `aftertrace import` reads."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format

from aftertrace.ingest.otlp_json import REQUESTS

if TYPE_CHECKING:
    from aftertrace.ingest.wire import Slice
    from aftertrace.store.request import Signal

_ID_FIELDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
_LEVELS: Final[dict[Signal, tuple[str, str, str]]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}

_CONTROLS: Final = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""JSON may hold these as they are; a terminal that is shown them does as a sender says."""


def line(signal: Signal, part: Slice) -> str:
    """A request with one record: `{"signal": …, "request": …}`.

    Everything that the protobuf definitions of OTLP know is in it; what they do not know is in the stored bytes alone.
    """
    request: Any = REQUESTS[signal]()
    resources, scopes, records = _LEVELS[signal]
    group = getattr(request, resources).add(schema_url=part.resource_schema_url)
    group.resource.ParseFromString(part.resource)
    scoped = getattr(group, scopes).add(schema_url=part.scope_schema_url)
    scoped.scope.ParseFromString(part.scope)
    getattr(scoped, records).add().ParseFromString(part.record)
    found = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps({"signal": signal, "request": _with_hex_ids(found)}, ensure_ascii=False).translate(_CONTROLS)


def _with_hex_ids(found: Any) -> Any:
    """Ids in hex, as OTLP has them, and not in protobuf's base64. Names of attributes are values here, and no keys."""
    if isinstance(found, list):
        return [_with_hex_ids(item) for item in found]
    if not isinstance(found, dict):
        return found
    return {
        key: base64.b64decode(value).hex() if key in _ID_FIELDS else _with_hex_ids(value)
        for key, value in found.items()
    }
