"""The environment of an interpreter that a test changes: what runs in it is the real thing, but for what is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKEN: Final = Path(__file__).with_name("broken")
"""One module per fault; `sitecustomize.py` there runs those that are asked for."""


def environment(*changes: str | None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process whose interpreter runs some modules of `broken/` first, and that of its children.

    Args:
        changes: names of modules; None stands for no change.
        more: further variables.
    """
    result = {**os.environ, **(more or {})}
    names = [name for name in changes if name is not None]
    if names:
        path = [str(BROKEN), *filter(None, [os.environ.get("PYTHONPATH")])]
        result |= {"BROKEN": ",".join(names), "PYTHONPATH": os.pathsep.join(path)}
    return result
