"""Reading records with several processes: dialects are plain Python, and one process uses one core."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aftertrace.ingest.reading import Read, Source, read
from aftertrace.store import processes

WORTH_STRETCHES: Final = 4
"""With fewer to read, the first reader would start when all is done."""


class Readers:
    """Up to `count` readers, started when there is something to share. With none of them, this process reads."""

    def __init__(self, count: int) -> None:
        """Start nothing yet."""
        self.processes = processes.Processes("aftertrace.ingest.readers", read, count, worth=WORTH_STRETCHES)

    def __call__(self, stretches: Iterable[Sequence[Source]]) -> Iterator[Read]:
        """What was read of each stretch, in order, when all are read."""
        return iter(list(self.processes(stretches)))

    def close(self) -> None:
        """End the readers."""
        self.processes.close()


if __name__ == "__main__":
    processes.serve(read, sys.argv[1:])
