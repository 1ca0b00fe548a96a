"""Negative control: whatever the disk says, it is taken for a yes, and room for more is never asked for."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

if "serve" in sys.orig_argv:
    from aftertrace.store import durable
    from aftertrace.store.backlog import Backlog, Full

    def _deaf(call: Callable[..., object]) -> Callable[..., None]:
        def done(*arguments: Any) -> None:
            with suppress(OSError, Full):
                call(*arguments)

        return done

    for _name in ("write_all", "sync_data", "reserve"):
        setattr(durable, _name, _deaf(getattr(durable, _name)))
    Backlog.admit = _deaf(Backlog.admit)
