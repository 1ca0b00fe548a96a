"""Memory of a process that makes or reads rows and nothing else: the drain that follows, who shares its work, and
whoever derives.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_GARBAGE_AFTER: Final = 200_000
"""Objects made and not freed before Python looks for cycles; its own default is 700."""


class _WithoutPandas(MetaPathFinder):
    """Finds pandas nowhere, so that Arrow goes on as where it is not installed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /) -> None:  # noqa: ARG002  # the finders' signature
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def arrange() -> None:
    """Make this process one that makes rows, for as long as it runs.

    Rows in the making are millions of young objects without cycles: looking for cycles among them is lost time. And
    columns come from the system's allocator, which gives large ones back at once. The one that Arrow brings keeps them,
    for each thread: 35 to 90 MB more at the peak of a fold. And Arrow looks for pandas, of which nothing here knows,
    when it makes its first column of Python's values: 50 MB, and half of what the start of such a process takes.
    """
    sys.meta_path.insert(0, _WithoutPandas())
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER, 10, 10)
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Give the system what this process has freed: its allocator keeps what lies between things that are still used,
    a fifth of what a step of deriving took. It costs some milliseconds.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
