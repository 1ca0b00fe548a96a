"""The error of this package. It loads nothing else of aftertrace, so that a verifier can stand alone."""

from __future__ import annotations


class Invalid(ValueError):
    """Bytes are not what the format allows, or do not prove what they are said to prove.

    The message says what was found and what was expected. Whether that is somebody's mistake or damage in a store, the
    caller knows.
    """
