"""What the system allows a server: files enough for its connections, and no image of its memory on disk."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

_FILES: Final = 65_536
"""More than all connections and files of a store; of the systems' own limits, many allow 1,024."""


def settle() -> None:
    """Set both for this process and its children, as far as the system lets us."""
    # A dump would hold what was received before it was redacted.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
