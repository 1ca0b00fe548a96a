"""The shape of a registry file: which members each definition has, and of which type. Development only.

A part of the weaver definition format 2: only what this registry uses is allowed, so that a slip of the pen
is found here and not by the first reader of the published registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

STABILITIES: Final = ("stable", "release_candidate", "beta", "alpha", "development")
LEVELS: Final = ("required", "recommended", "opt_in")
SCALARS: Final[dict[str, type | tuple[type, ...]]] = {
    "string": str,
    "int": int,
    "double": float,
    "boolean": bool,
}
TYPES: Final = (*SCALARS, *(f"{scalar}[]" for scalar in SCALARS), "any")
SEVERITIES: Final = ("INFO", "WARN", "ERROR")


@dataclass(frozen=True, slots=True)
class Shape:
    """The members of one kind of definition."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def findings(self, item: dict[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the members of a definition."""
        for key in self.required:
            if key not in item:
                yield f"`{key}` is missing"
        for key in item:
            if key not in self.required and key not in self.optional:
                yield f"`{key}` is not known here"
        if not str(item.get("brief", "x.")).endswith("."):
            yield "the brief is not a sentence"
        if item.get("stability", "development") not in STABILITIES:
            yield f"stability is none of {', '.join(STABILITIES)}"


SHAPES: Final = {
    "attributes": Shape(("key", "type", "brief", "stability", "annotations"), ("note", "examples")),
    "attribute_groups": Shape(("id", "visibility", "attributes")),
    "events": Shape(("name", "brief", "stability", "attributes", "annotations"), ("note",)),
    "spans": Shape(("type", "kind", "name", "brief", "stability", "attributes"), ("note", "entity_associations")),
    "metrics": Shape(("name", "brief", "instrument", "unit", "stability", "attributes"), ("note",)),
    "entities": Shape(("type", "brief", "stability", "identity", "description"), ("note",)),
}
_REFERENCE: Final = Shape(("ref",), ("requirement_level", "brief", "note"))
_SPAN_REFERENCE: Final = Shape(("ref",), ("requirement_level", "brief", "note", "sampling_relevant"))
_MEMBER: Final = Shape(("id", "value", "brief", "stability"))


def shape_findings(document: Any) -> Iterator[str]:
    """Yield what is wrong with the shape of one registry file."""
    if not isinstance(document, dict) or document.get("file_format") != "definition/2":
        yield "file_format is not definition/2"
        return
    for section, items in document.items():
        if section == "file_format":
            continue
        if section not in SHAPES:
            yield f"section `{section}` is not known"
            continue
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            yield f"section `{section}` is not a list of mappings"
            continue
        for item in items:
            name = next((item[key] for key in ("key", "id", "name", "type") if isinstance(item.get(key), str)), "?")
            found = [*SHAPES[section].findings(item), *_inner_findings(section, item)]
            yield from (f"{section}: {name}: {finding}" for finding in found)


def _inner_findings(section: str, item: dict[str, Any]) -> Iterator[str]:
    if section == "attributes":
        yield from _type_findings(item)
        if not isinstance(item.get("annotations", {}).get("builds_on"), list):
            yield "the annotation `builds_on` is missing: name the nearest standard attributes, or none"
    elif section == "events" and item.get("annotations", {}).get("severity") not in SEVERITIES:
        yield f"the annotation `severity` is none of {', '.join(SEVERITIES)}"
    elif section == "spans" and item.get("kind") != "internal":
        yield "every span here is of kind internal"
    elif section == "metrics" and item.get("instrument") not in ("counter", "histogram"):
        yield "the instrument is neither counter nor histogram"
    shape = _SPAN_REFERENCE if section == "spans" else _REFERENCE
    for part in ("attributes", "identity", "description") if section != "attributes" else ():
        for reference in item.get(part, []):
            if set(reference) != {"ref_group"}:
                found = [*shape.findings(reference), *_level_findings(reference)]
                yield from (f"{reference.get('ref', '?')}: {finding}" for finding in found)


def _type_findings(item: dict[str, Any]) -> Iterator[str]:
    kind = item.get("type")
    if isinstance(kind, dict):
        for member in kind.get("members", [{}]):
            yield from (f"member {member.get('id', '?')}: {finding}" for finding in _MEMBER.findings(member))
        return
    if kind not in TYPES:
        yield f"the type is none of {', '.join(TYPES)}, and no enumeration"
        return
    scalar = SCALARS.get(str(kind).removesuffix("[]"), object)
    if kind != "boolean" and not item.get("examples"):
        yield "there is no example"
    for example in item.get("examples", []):
        values = example if str(kind).endswith("[]") else [example]
        if not isinstance(values, list) or not all(isinstance(value, scalar) for value in values):
            yield f"the example {example!r} is no {kind}"


def _level_findings(reference: dict[str, Any]) -> Iterator[str]:
    level = reference.get("requirement_level", "recommended")
    if isinstance(level, dict):
        if set(level) != {"conditionally_required"} or not str(level["conditionally_required"]).endswith("."):
            yield "the level is neither a word nor a condition that ends with a stop"
    elif level not in LEVELS:
        yield f"the level is none of {', '.join(LEVELS)}"
