"""Whether the records of a request are of agents that its sender may speak of.

Which agent a record is of is what its dialect reads, as the rows of the tables will tell it: the name of its agent, and
where it tells none that of its service. So nothing passes here under one name and is shown under another.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from aftertrace.ingest import carried, records
from aftertrace.ingest.dialects import FAULTS
from aftertrace.ingest.patterns import compile_pattern
from aftertrace.ingest.redact_tokens import holds_token
from aftertrace.ingest.rows import agent_of
from aftertrace.ingest.wire import split
from aftertrace.store.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aftertrace.store.request import Signal

_KEPT_PATTERNS: Final = 1024


def hold_to(agents: tuple[str, ...], received: bytes, payload: bytes, signal: Signal) -> None:
    """Refuse a request with a record of an agent that none of the patterns stands for; `*` is any text in them.

    A record that names no agent and no service is nobody's, and metrics are not read: both are let through.

    Args:
        agents: the patterns.
        received: the request as it came.
        payload: the request as it is stored. What stands in the place of a secret in a name is nobody's.
        signal: of the request.

    Raises:
        Forbidden: there is such a record. All of the request is refused, since what a sender is told was refused in
            part is gone for good.
    """
    if signal == "metrics":
        return
    allowed, named = _any_of(agents), set(_named(received, signal))
    if payload is not received:
        # Under a policy that leaves content out, a reading that its sender wrote stands in what came and not in this.
        named |= {name for name in _named(payload, signal) if not holds_token(name)}
    if not all(map(allowed.fullmatch, named)):
        raise Forbidden(
            f"take {signal} request: a record is of another agent or service than this credential is for "
            f"({', '.join(agents)}); send it with another one, or add one with `aftertrace source add NAME --agent`"
        )


def _named(payload: bytes, signal: Signal) -> Iterator[bytes]:
    decode: Any = records.span if signal == "traces" else records.log
    for part in split(payload, signal):
        try:
            record = decode(part.record, records.origin(part.resource, part.scope))
            name = agent_of(record, carried.read(record))
        except FAULTS:
            # It has no rows: nothing is told of it under any name.
            continue
        if name is not None:
            yield name.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=_KEPT_PATTERNS)
def _any_of(agents: tuple[str, ...]) -> Any:
    each = [re.escape(pattern).replace(r"\*", ".*") for pattern in agents]
    return compile_pattern(f"(?s:{'|'.join(each)})", capture=False)
