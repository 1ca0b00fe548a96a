"""Negative control: nothing is ever brought to stable storage, and nobody is told."""

import os


def _nothing(fd: int) -> None:
    """Say OK."""


os.fsync = _nothing
os.fdatasync = _nothing
