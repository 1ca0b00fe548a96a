"""Delta tables, opened for Polars.

The library that reads Delta gives paths of this machine as parts of a URL, and Polars takes them as they are: it finds
nothing in `/home/Jürgen/My Data`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable

from aftertrace.store.objects import SCHEME


class OpenedTable(DeltaTable):
    """A Delta table whose files on this machine have the names that they have there."""

    @property
    def table_uri(self) -> str:
        """Where it is."""
        return _named(super().table_uri)

    def file_uris(self, *arguments: Any, **options: Any) -> list[str]:
        """Where its files are. Arguments as of the library."""
        return [_named(each) for each in super().file_uris(*arguments, **options)]


def _named(uri: str) -> str:
    return uri if uri.startswith(SCHEME) else unquote(uri)
