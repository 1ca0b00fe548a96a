"""What `serve` and `drain` write on standard error: lines for people, or JSON lines for machines; never a payload."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

from aftertrace.cli.config import Config
from aftertrace.store.errors import Invalid

Format = Literal["text", "json"]
FORMATS: Final = ("text", "json")


class JsonLines(logging.Formatter):
    """One JSON object per record, in ASCII, so that nothing in a message can begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def start(config: Config) -> None:
    """Write logs from here on.

    Raises:
        Invalid: there is no such format.
    """
    chosen = config.log.format
    if chosen not in FORMATS:
        raise Invalid(f"configure log: format is {chosen!r}, expected one of {', '.join(FORMATS)}")
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonLines() if chosen == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
