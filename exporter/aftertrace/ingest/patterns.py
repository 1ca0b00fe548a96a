"""Patterns over bytes that take time in proportion to a text, whatever stands in it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2


def compile_pattern(pattern: str, *, capture: bool = True) -> Any:
    """An RE2 pattern over bytes. Raises `re2.error`."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 64 * 2**20
    options.log_errors = False
    options.never_capture = not capture
    return re2.compile(pattern.encode(), options)


once = lru_cache(maxsize=None)(compile_pattern)
"""The same pattern, compiled once in a process: for those of rules that come with aftertrace, which are many."""
