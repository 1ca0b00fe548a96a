"""The errors of aftertrace: one class per thing that a caller can do about it.

::

    AftertraceError
    ├── Invalid      the input is wrong: mend it. HTTP 400, gRPC INVALID_ARGUMENT, exit code 2
    ├── Unavailable  try again later. HTTP 503, gRPC UNAVAILABLE, exit code 75 (EX_TEMPFAIL)
    └── Corrupt      stored bytes are not what was written: stop and call a person. Exit code 1

A message reads ``<operation> <subject>: <what was found>, expected <what>; <way out>``. Nothing of a payload
stands in it, so that it may be logged.
"""

from __future__ import annotations


class AftertraceError(Exception):
    """Base of all errors that aftertrace raises on purpose."""

    exit_code: int = 1
    """What a command exits with when this error ends it."""


class Invalid(AftertraceError, ValueError):
    """The caller's input cannot be accepted as it is. Sending it again will not help."""

    exit_code = 2


class TooLarge(Invalid):
    """The input is over a limit. HTTP 413, gRPC RESOURCE_EXHAUSTED without RetryInfo."""


class Unauthenticated(Invalid):
    """Nobody who may send. HTTP 401, gRPC UNAUTHENTICATED."""


class Forbidden(Invalid):
    """Somebody who may send, and not this; or who may not, whatever they show. HTTP 403, gRPC PERMISSION_DENIED."""


class Unavailable(AftertraceError):
    """The same input can succeed later: a lock is held, a queue or a disk is full."""

    exit_code = 75

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Keep the message, and how many seconds to wait before the next try where that is known; where it is not, a
        sender is told `receiver.status.DEFAULT_RETRY_AFTER_S`.
        """
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Held(Unavailable):
    """Another process does this already: it holds the lock."""


class Corrupt(AftertraceError):
    """Stored bytes are damaged. Nothing is deleted: what is damaged is reported and kept."""

    exit_code = 1
