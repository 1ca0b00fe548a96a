"""The registry in memory: read from its YAML files, resolved and checked.

Development only: it needs PyYAML, which an instrumented agent does not have. `load` reads the weaver
definition format 2, as far as this registry uses it, and refuses what weaver would refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aftertrace.semconv.shape import SHAPES, shape_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REGISTRY: Final = Path(__file__).parent / "registry"
STANDARD: Final = Path(__file__).parent / "standard.yaml"
_NAME: Final = re.compile(r"aftertrace(?:\.[a-z][a-z0-9]*(?:_[a-z0-9]+)*)+")


class InvalidRegistry(ValueError):
    """The registry breaks its rules. The message lists every finding."""


@dataclass(frozen=True, slots=True)
class Member:
    """A value of an enumeration."""

    value: str
    brief: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute, of ours or of the standard."""

    key: str
    type: str
    """`string`, `int`, `double`, `boolean`, `any`, or one of these with `[]`."""
    brief: str
    note: str = ""
    members: tuple[Member, ...] = ()
    """The known values, if the attribute is an enumeration."""
    examples: tuple[object, ...] = ()
    builds_on: tuple[str, ...] = ()
    """Standard attributes that are nearest in meaning."""
    origin: str = "aftertrace"
    """`aftertrace`, or the standard registry that defines it: `core`, `genai`."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute as one signal carries it."""

    key: str
    level: str
    """`required`, `conditionally_required`, `recommended` or `opt_in`."""
    condition: str = ""
    """When a conditionally required attribute is required."""
    brief: str = ""
    """What it means here, if that is narrower than the attribute's own text."""


@dataclass(frozen=True, slots=True)
class Signal:
    """An event, span, metric or entity."""

    name: str
    brief: str
    note: str
    form: str
    """Severity of an event, name of a span, instrument and unit of a metric, empty for an entity."""
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Registry:
    """All that the registry defines, by name, in the order of its files."""

    attributes: dict[str, Attribute]
    standard: dict[str, Attribute]
    events: dict[str, Signal]
    spans: dict[str, Signal]
    metrics: dict[str, Signal]
    entities: dict[str, Signal]

    @property
    def signals(self) -> Iterable[Signal]:
        """Events, spans, metrics and entities."""
        return [*self.events.values(), *self.spans.values(), *self.metrics.values(), *self.entities.values()]

    def attribute(self, key: str) -> Attribute:
        """Look an attribute up, whoever defines it."""
        return self.attributes.get(key) or self.standard[key]


def load(registry: Path = REGISTRY, standard: Path = STANDARD) -> Registry:
    """Read, resolve and check the registry.

    Raises:
        InvalidRegistry: with every finding, one a line.
    """
    documents = {path.name: _read(path) for path in sorted(registry.glob("*.yaml")) if path.stem != "manifest"}
    _refuse(f"{name}: {finding}" for name, document in documents.items() for finding in shape_findings(document))
    every: dict[str, list[dict[str, Any]]] = {
        section: [item for document in documents.values() for item in document.get(section, [])] for section in SHAPES
    }
    _refuse(_name_findings(every))
    groups = {group["id"]: group["attributes"] for group in every["attribute_groups"]}

    def signals(section: str, name: str, form: Callable[[dict[str, Any]], str]) -> dict[str, Signal]:
        return {item[name]: _signal(item, item[name], form(item), groups) for item in every[section]}

    read = Registry(
        attributes={item["key"]: _attribute(item) for item in every["attributes"]},
        standard={
            item["key"]: Attribute(item["key"], item["type"], item["brief"], origin=item["registry"])
            for item in _read(standard)
        },
        events=signals("events", "name", lambda item: item["annotations"]["severity"]),
        spans=signals("spans", "type", lambda item: item["name"]["note"]),
        metrics=signals("metrics", "name", lambda item: f"{item['instrument']}, `{item['unit']}`"),
        entities=signals("entities", "type", lambda _: ""),
    )
    _refuse(_use_findings(read))
    return read


def constant_name(key: str) -> str:
    """Name the constant of an attribute, event or metric: ``aftertrace.run.id`` is ``AFTERTRACE_RUN_ID``."""
    return key.upper().replace(".", "_")


def _read(path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise InvalidRegistry("registry: found no PyYAML, expected it to read YAML; pip install pyyaml") from error
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _refuse(findings: Iterable[str]) -> None:
    if listed := "\n".join(findings):
        raise InvalidRegistry(listed)


def _attribute(item: dict[str, Any]) -> Attribute:
    kind = item["type"]
    members = (
        tuple(Member(member["value"], member["brief"]) for member in kind["members"]) if isinstance(kind, dict) else ()
    )
    return Attribute(
        key=item["key"],
        type="string" if members else kind,
        brief=item["brief"],
        note=item.get("note", "").strip(),
        members=members,
        examples=tuple(item.get("examples", ())),
        builds_on=tuple(item["annotations"]["builds_on"]),
    )


def _signal(item: dict[str, Any], name: str, form: str, groups: dict[str, list[dict[str, Any]]]) -> Signal:
    references: dict[str, Reference] = {}
    for part in item.get("attributes", []):
        for entry in groups.get(part["ref_group"], [{"ref": part["ref_group"]}]) if "ref_group" in part else []:
            if entry["ref"] in references:
                raise InvalidRegistry(f"{name}: two groups reference {entry['ref']}")
            references[entry["ref"]] = _reference(entry)
    for part in item.get("attributes", []):
        if "ref" in part:
            references[part["ref"]] = _reference(part)
    for level, section in (("required", "identity"), ("recommended", "description")):
        for part in item.get(section, []):
            references[part["ref"]] = Reference(part["ref"], level)
    return Signal(name, item["brief"], item.get("note", "").strip(), form, tuple(references.values()))


def _reference(entry: dict[str, Any]) -> Reference:
    level = entry.get("requirement_level", "recommended")
    condition = level["conditionally_required"] if isinstance(level, dict) else ""
    return Reference(entry["ref"], "conditionally_required" if condition else level, condition, entry.get("brief", ""))


def _name_findings(every: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Yield names that are not ours to give, given twice, or also a namespace or another name's constant."""
    sections = (("attributes", "key"), ("events", "name"), ("metrics", "name"))
    names = [item[key] for section, key in sections for item in every[section]]
    names_of_spans = [item["type"] for item in every["spans"]]
    names_of_entities = [item["type"] for item in every["entities"]]
    for listed in (names, names_of_spans, names_of_entities):
        yield from (f"{name}: defined twice" for name in sorted({name for name in listed if listed.count(name) > 1}))
        yield from (f"{name}: not a name under aftertrace." for name in listed if not _NAME.fullmatch(name))
    spaces = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
    yield from (f"{name}: is also a namespace" for name in names if name in spaces)
    constants: dict[str, str] = {}
    for name in names:
        other = constants.setdefault(constant_name(name), name)
        if other != name:
            yield f"{name}: its constant is that of {other}"


def _use_findings(registry: Registry) -> Iterator[str]:
    """Yield references to nothing, and definitions that nothing uses."""
    used: set[str] = set()
    for signal in registry.signals:
        for reference in signal.references:
            used.add(reference.key)
            if reference.key not in registry.attributes and reference.key not in registry.standard:
                yield f"{signal.name}: references {reference.key}, which is not defined"
    for key in [*registry.attributes, *registry.standard]:
        if key not in used:
            yield f"{key}: no signal uses it"
