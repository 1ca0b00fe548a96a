"""Tables in a bucket of an S3-compatible object store: `s3://bucket/prefix`.

Where it is and with which credentials stands in the environment, as all tools of S3 read it (`AWS_ENDPOINT_URL`,
`AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP` …): no secret is in a configuration.

The store must honour `If-None-Match: *` (a key is written if it has nothing), and list what was written just before.
`prove` finds the first out, before anything is trusted to it.
"""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from aftertrace.store.errors import Invalid
from aftertrace.store.objects import SCHEME, Listed

if TYPE_CHECKING:
    from obstore.store import S3Store

_URL: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9._=-]+)*)/?")
_RETRY_FOR: Final = timedelta(seconds=20)
_RETRIES: Final = 4
_ANSWER_WITHIN: Final = timedelta(seconds=30)
_PROOF: Final = "_proof"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Objects of a bucket below a prefix."""

    url: str
    _store: S3Store = field(compare=False)

    @property
    def folder(self) -> Path | None:
        """None: it is elsewhere."""
        return None

    def get(self, key: str) -> bytes:
        """See `Objects`."""
        with self._asked("get", key):
            return bytes(self._store.get(key).bytes())

    def open(self, key: str) -> IO[bytes]:
        """See `Objects`."""
        return io.BufferedReader(_Parts(self, key, self.size_bytes(key)), buffer_size=1 << 16)

    def part(self, key: str, start: int, end: int) -> bytes:
        """The bytes of a key from `start` up to `end`, without it."""
        with self._asked("get", key):
            return bytes(self._store.get_range(key, start=start, end=end))

    def size_bytes(self, key: str) -> int:
        """See `Objects`."""
        with self._asked("head", key):
            return int(self._store.head(key)["size"])

    def changed_ns(self, key: str) -> int:  # noqa: ARG002  # what `Objects` asks for
        """0: it would take a request."""
        return 0

    def add(self, key: str, content: bytes) -> None:
        """See `Objects`."""
        self.put(key, content)

    def put(self, key: str, content: bytes, *, derived: bool = False) -> None:  # noqa: ARG002  # all is durable here
        """See `Objects`."""
        with self._asked("put", key):
            self._store.put(key, content)

    def create(self, key: str, content: bytes) -> bool:
        """See `Objects`. A request whose answer was lost is sent again, and may then find what it wrote itself."""
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._asked("create", key):
                self._store.put(key, content, mode="create")
        except AlreadyExistsError:
            return self.get(key) == content
        return True

    def remove(self, key: str) -> None:
        """See `Objects`."""
        with self._asked("delete", key):
            self._store.delete(key)

    def folders(self, under: str) -> list[str]:
        """See `Objects`."""
        with self._asked("list", under):
            found = self._store.list_with_delimiter(under or None)["common_prefixes"]
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found)

    def list_under(self, under: str, after: str = "") -> list[Listed]:
        """See `Objects`."""
        with self._asked("list", under):
            found = [each for page in self._store.list(under, offset=after or None) for each in page]
        listed = [Listed(str(each["path"]), int(each["size"]), each["last_modified"].timestamp()) for each in found]
        return sorted(listed, key=lambda each: each.key)

    @contextmanager
    def _asked(self, what: str, key: str) -> Iterator[None]:
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except (AlreadyExistsError, FileNotFoundError):
            raise
        except BaseError as error:
            # The library tells much, some of it of the request; its first line says what is wrong.
            said = str(error).partition("\n")[0]
            raise ConnectionError(errno.EIO, f"{what} {self.url}/{key}: {type(error).__name__}: {said}") from None


class _Parts(io.RawIOBase):
    """An object, read by ranges."""

    def __init__(self, bucket: Bucket, key: str, size_bytes: int) -> None:
        super().__init__()
        self._bucket = bucket
        self._key = key
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size_bytes}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size_bytes)
        if end <= self._at:
            return 0
        content = self._bucket.part(self._key, self._at, end)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


@lru_cache(maxsize=16)
def bucket(url: str) -> Bucket:
    """The objects below a URL.

    Raises:
        Invalid: it is none of S3, or the library is not installed.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise Invalid(f"open {url!r}: expected {SCHEME}bucket or {SCHEME}bucket/prefix; see to store.tables")
    try:
        from obstore.store import S3Store
    except ImportError:
        raise Invalid(f"open {url}: obstore is not installed; pip install 'aftertrace[s3]'") from None
    store = S3Store(
        match[1],
        prefix=match[2].strip("/") or None,
        # Options given here hide those of the environment.
        client_options={"timeout": _ANSWER_WITHIN, "allow_http": _is_true(os.environ.get("AWS_ALLOW_HTTP", ""))},
        retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_FOR},
    )
    return Bucket(url.rstrip("/"), store)


def _is_true(text: str) -> bool:
    return text.lower() in {"1", "true", "yes"}


def prove(objects: Bucket) -> None:
    """Find out whether a bucket can be written to, and writes a key only if it has nothing.

    Raises:
        Invalid: it writes over what is there, so that two receivers would take each other's commits away.
        OSError: it cannot be reached, or takes nothing.
    """
    key = f"{_PROOF}/{os.urandom(8).hex()}"
    try:
        made = objects.create(key, b"first"), objects.create(key, b"second")
        if made != (True, False) or objects.get(key) != b"first":
            raise Invalid(
                f"open {objects.url}: it writes over a key that was to be written only if it had nothing, expected a "
                "store that honours If-None-Match; choose another, or a newer release of it"
            )
    finally:
        objects.remove(key)
