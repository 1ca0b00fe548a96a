"""The reference page of the conventions, as Markdown made from the registry. Development only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aftertrace.semconv.model import Attribute, Reference, Registry, Signal

_HEAD: Final = """# Reference of the conventions

<!-- Generated from the registry by `python -m aftertrace.semconv.generate`. Change the registry instead. -->

Everything under `aftertrace.` is in development: a name may still change, and a changed name will be read for
as long as records carry it. Standard names are used verbatim.
[README.md](README.md) shows how it fits together.

"""
_LEVELS: Final = {"required": "required", "recommended": "recommended", "opt_in": "opt-in"}


def page(registry: Registry) -> str:
    """Write the whole page."""
    common = _common(registry.events.values())
    return (
        _HEAD
        + "## Carried by every event\n\n"
        + _references(common, registry)
        + "\n"
        + _signals("Events", "severity", registry.events.values(), registry, common)
        + _signals("Spans", "span name", registry.spans.values(), registry)
        + _signals("Metrics", "instrument", registry.metrics.values(), registry)
        + _signals("Entities", "", registry.entities.values(), registry)
        + _attributes(registry.attributes.values())
        + _standard(registry.standard.values())
    )


def _common(signals: Iterable[Signal]) -> tuple[Reference, ...]:
    """What every one of the signals carries, in the same way."""
    first, *others = signals
    return tuple(item for item in first.references if all(item in other.references for other in others))


def _signals(
    title: str, form: str, signals: Iterable[Signal], registry: Registry, common: tuple[Reference, ...] = ()
) -> str:
    return f"## {title}\n\n" + "".join(_signal(form, signal, registry, common) for signal in signals)


def _signal(form: str, signal: Signal, registry: Registry, common: tuple[Reference, ...]) -> str:
    own = [item for item in signal.references if item not in common]
    formed = f" ({form}: {signal.form})" if form else ""
    note = f"\n{signal.note}\n" if signal.note else ""
    table = f"\n{_references(own, registry)}" if own else ""
    return f"### `{signal.name}`\n\n{signal.brief}{formed}\n{note}{table}\n"


def _references(references: Iterable[Reference], registry: Registry) -> str:
    rows = ((f"`{item.key}`", _level(item), item.brief or registry.attribute(item.key).brief) for item in references)
    return _table(("attribute", "level", "meaning"), rows)


def _level(reference: Reference) -> str:
    return reference.condition or _LEVELS[reference.level]


def _attributes(attributes: Iterable[Attribute]) -> str:
    rows = (
        (
            f"`{item.key}`",
            item.type,
            " ".join(part for part in (item.brief, item.note) if part) + _values(item),
            ", ".join(f"`{name}`" for name in item.builds_on) or "—",
        )
        for item in sorted(attributes, key=lambda attribute: attribute.key)
    )
    return "## Attributes of aftertrace\n\n" + _table(("attribute", "type", "meaning", "builds on"), rows) + "\n"


def _values(attribute: Attribute) -> str:
    if attribute.members:
        return "".join(f"<br>`{member.value}`: {member.brief}" for member in attribute.members)
    return "".join(f"<br>Example: `{_example(example)}`" for example in attribute.examples[:1])


def _example(example: object) -> str:
    return ", ".join(map(str, example)) if isinstance(example, list) else str(example)


def _standard(attributes: Iterable[Attribute]) -> str:
    rows = (
        (f"`{item.key}`", item.type, item.brief, item.origin)
        for item in sorted(attributes, key=lambda attribute: attribute.key)
    )
    return "## Standard attributes\n\n" + _table(("attribute", "type", "meaning", "defined in"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )
