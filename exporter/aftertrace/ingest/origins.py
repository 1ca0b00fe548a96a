"""Resources and scopes: what records have in common, stored once for all that name them by their digest."""

from __future__ import annotations

import logging
from typing import Any, Final

from aftertrace.ingest.batch import Batch
from aftertrace.store.errors import Corrupt
from aftertrace.store.snapshot import collected
from aftertrace.store.tables import TableWriter

ORIGINS: Final = ("resources", "scopes")
"""Their tables."""
KNOWN_ORIGINS: Final = 65_536
"""Digests of each that are kept in memory; one that fell out is stored once more."""

_log = logging.getLogger(__name__)


def origin_rows(batch: Batch, table: str) -> dict[str, dict[str, Any]]:
    """Rows of `resources` or `scopes`, by digest."""
    rows: dict[str, dict[str, Any]] = {}
    for item in batch.items:
        if table == "resources":
            digest, message, url = item.resource_digest, item.slice.resource, item.slice.resource_schema_url
        else:
            digest, message, url = item.scope_digest, item.slice.scope, item.slice.scope_schema_url
        if digest not in rows:
            rows[digest] = {"received_date": item.day, "digest": digest, "bytes": message, "schema_url": url}
    return rows


def stored_digests(table: TableWriter) -> dict[str, None]:
    """Digests that a table of origins has, oldest first, as many as are kept in memory."""
    try:
        (stored,) = collected(table.scan().select("digest").tail(KNOWN_ORIGINS))
    except Corrupt as damage:
        # Origins that are stored once more do no harm; records that wait for a person would.
        _log.warning("%s: %s", table.name, damage)
        return {}
    return dict.fromkeys(stored["digest"].to_list())
