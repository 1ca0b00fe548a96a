"""Reading records with several processes: dialects are plain Python, and one process uses one core."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, TypeAlias

from aftertrace.ingest.reading import Read, Source, read
from aftertrace.store import processes

WORTH_STRETCHES: Final = 4
"""With fewer that wait, the first reader would start when all is done."""

BegunReading: TypeAlias = processes.Begun[Sequence[Source], Read]
"""A stretch of records whose reading has begun."""


class Readers(processes.Processes[Sequence[Source], Read]):
    """Up to `count` readers, started when there is something to share. With none of them, this process reads."""

    def __init__(self, count: int) -> None:
        """Start nothing yet."""
        super().__init__("aftertrace.ingest.readers", read, count, worth=WORTH_STRETCHES)


if __name__ == "__main__":
    processes.serve(read, sys.argv[1:])
