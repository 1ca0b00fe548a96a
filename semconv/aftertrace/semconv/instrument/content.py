"""Content and its digest: what was said or passed, as the text that the digest is over."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from aftertrace.semconv.canonical import NotCanonical, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

_LOG: Final = logging.getLogger("aftertrace.semconv")


@dataclass(frozen=True, slots=True)
class Content:
    """A text and its tagged digest: anyone who holds the text can compute the digest."""

    text: str
    digest: str

    @classmethod
    def of_json(cls, value: object) -> Content | None:
        """Take a JSON value as its canonical text; None, with a warning, where it has no canonical form.

        The agent goes on without the digest: instrumentation must not be what breaks it.
        """
        try:
            data = canonical_json(value)
        except NotCanonical as error:
            _LOG.warning("An event goes without content and digest. %s", error)
            return None
        return cls(data.decode(), digest(data))

    @classmethod
    def of(cls, value: object) -> Content | None:
        """Take a text as it is and any other JSON value as its canonical text; None is no content."""
        if value is None:
            return None
        if not isinstance(value, str):
            return cls.of_json(value)
        # A lone surrogate has no UTF-8; such a text is digested with the replacement that exporters make of it.
        data = value.encode(errors="replace")
        return cls(data.decode(), digest(data))


class Described(Protocol):
    """A thing that says itself in attributes."""

    def attributes(self) -> dict[str, AttributeValue]:
        """Say it in the words of the conventions."""


def merged(*things: Described | None) -> dict[str, AttributeValue]:
    """The attributes of all the things that there are."""
    return {key: value for thing in things if thing for key, value in thing.attributes().items()}


def content_attributes(content: Content | None, digest_name: str, text_name: str | None) -> dict[str, AttributeValue]:
    """The digest of content under one name and, if it is captured, the text under the other."""
    if content is None:
        return {}
    stated: dict[str, AttributeValue] = {digest_name: content.digest}
    if text_name is not None:
        stated[text_name] = content.text
    return stated


def known(attributes: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    """Keep the attributes that have a value, and members of enumerations as plain text."""
    return {
        key: str(value) if isinstance(value, str) else value for key, value in attributes.items() if value is not None
    }
