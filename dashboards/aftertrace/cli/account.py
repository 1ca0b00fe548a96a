"""Which account runs a command."""

from __future__ import annotations

import os
import pwd


def account() -> str:
    """Name of the account that runs this, as the operating system knows it."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
