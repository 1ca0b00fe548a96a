"""Configuration and certificates that a running `serve` reads anew when it gets SIGHUP. No connection ends for it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from aftertrace.cli import gate, settings
from aftertrace.cli.config import SECTIONS, Config, RedactionSection
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.cli.addresses import Places
    from aftertrace.receiver.server import Receiver
    from aftertrace.store.layout import Layout
    from aftertrace.store.quotas import Quota

RELOADED: Final = frozenset(
    (
        *("receiver.tls_certificate", "receiver.tls_key", "receiver.tls_client_ca", "receiver.cors_origins"),
        *("receiver.requests_per_s", "receiver.bytes_per_s", "store.metrics"),
        *(f"redaction.{item.name}" for item in fields(RedactionSection)),
    )
)
"""Settings that need no restart."""

_log = logging.getLogger("aftertrace.serve")


@dataclass(slots=True)
class InForce:
    """The configuration that holds now."""

    config: Config
    quota: Quota
    """Of a source that has none of its own."""

    def reload(self, receiver: Receiver, places: Places, layout: Layout) -> None:
        """Read everything anew, and log what has changed. Where something cannot hold, nothing changes."""
        try:
            config = settings.reread()
            quota = gate.quota_for(config)
            receiver.reload(gate.receiver_for(config, places.http, places.grpc), gate.prepare_for(layout, config))
        except Invalid as error:
            _log.error("reload: %s; everything goes on as before", error)
            return
        changed = differences(self.config, config)
        self.config, self.quota = config, quota
        _log.info("reloaded certificates and %s", ", ".join(sorted(changed & RELOADED)) or "an unchanged configuration")
        if changed - RELOADED:
            _log.warning("changed, and in force after a restart: %s", ", ".join(sorted(changed - RELOADED)))


def differences(first: Config, second: Config) -> set[str]:
    """Names of the settings that differ, such as ``receiver.http``."""
    return {
        f"{section}.{item.name}"
        for section, kind in SECTIONS.items()
        for item in fields(kind)
        if getattr(getattr(first, section), item.name) != getattr(getattr(second, section), item.name)
    }
