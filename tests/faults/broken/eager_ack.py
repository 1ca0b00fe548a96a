"""Negative control: an OK is sent before the write, which follows a little later."""

import sys
import threading
from concurrent.futures import Future

DELAY_S = 0.2

if "serve" in sys.orig_argv:
    from aftertrace.store.request import Prepared, Request
    from aftertrace.store.wal import WalWriter

    _append = WalWriter.append

    def _eager(self: WalWriter, request: Request, prepared: Prepared) -> "Future[int]":
        """Promise first, write then."""
        timer = threading.Timer(DELAY_S, _append, (self, request, prepared))
        timer.daemon = True
        timer.start()
        promise: Future[int] = Future()
        promise.set_result(1)
        return promise

    WalWriter.append = _eager
