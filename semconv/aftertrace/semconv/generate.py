"""Generate constants and reference docs: ``python -m aftertrace.semconv.generate [--check]``.

Run it from a checkout after each change of ``registry/*.yaml`` or ``standard.yaml``. With ``--check`` it
writes nothing and exits with 1 if a generated file is stale.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aftertrace.semconv import reference
from aftertrace.semconv.model import InvalidRegistry, constant_name, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aftertrace.semconv.model import Attribute, Registry, Signal

_HERE: Final = Path(__file__).parent
_WIDTH: Final = 110
_HEAD: Final = '''"""{title}

Generated from the registry by ``python -m aftertrace.semconv.generate``. Change the registry instead.
"""

from __future__ import annotations

'''


def generated(registry: Registry) -> dict[Path, str]:
    """Make the text of every generated file."""
    return {
        _HERE / "attributes.py": _attributes(registry),
        _HERE / "event_names.py": _event_names(registry),
        _HERE / "metric_names.py": _metric_names(registry),
        _HERE.parents[1] / "REFERENCE.md": reference.page(registry),
    }


def main(arguments: list[str]) -> int:
    """Write the generated files, or check them with ``--check``; answer the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m aftertrace.semconv.generate [--check]", file=sys.stderr)
        return 2
    try:
        files = generated(load())
    except InvalidRegistry as error:
        print(error, file=sys.stderr)
        return 2
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if arguments:
            print(f"{path.name} is stale; run python -m aftertrace.semconv.generate", file=sys.stderr)
        else:
            path.write_text(files[path], encoding="utf-8")
            print(f"wrote {path.name}")
    return 1 if arguments and stale else 0


def _attributes(registry: Registry) -> str:
    keyed = [*registry.attributes.values(), *registry.standard.values()]
    keyed.sort(key=lambda attribute: attribute.key)
    enums = [attribute for attribute in keyed if attribute.members]
    return (
        _HEAD.format(title="Attributes: those of aftertrace, and the standard ones that its signals carry.")
        + "from enum import StrEnum\nfrom typing import Final\n\n"
        + "\n".join(_constant(attribute.key, _meaning(attribute)) for attribute in keyed)
        + "".join(map(_enum, enums))
    )


def _meaning(attribute: Attribute) -> str:
    kind = f"One of `{enum_name(attribute.key)}`." if attribute.members else f"Type: {attribute.type}."
    return " ".join(part for part in (attribute.brief, attribute.note, kind) if part)


def enum_name(key: str) -> str:
    """Name the enumeration of an attribute: ``aftertrace.actor.type`` is ``ActorType``."""
    return "".join(part.capitalize() for part in key.removeprefix("aftertrace.").replace("_", ".").split("."))


def _enum(attribute: Attribute) -> str:
    members = "".join(
        f'\n    {member.value.upper()} = "{member.value}"\n{_docstring(member.brief, "    ")}'
        for member in attribute.members
    )
    brief = f"Values of `{attribute.key}`. {attribute.brief}"
    return f"\n\nclass {enum_name(attribute.key)}(StrEnum):\n{_docstring(brief, '    ')}{members}"


def _event_names(registry: Registry) -> str:
    events = registry.events.values()
    return (
        _HEAD.format(title="Events: their names, what each must carry, and how severe it is.")
        + "from types import MappingProxyType\nfrom typing import TYPE_CHECKING, Final\n\n"
        + "if TYPE_CHECKING:\n    from collections.abc import Mapping\n\n"
        + "\n".join(_constant(event.name, f"{event.brief} {event.note}".strip()) for event in events)
        + "\n"
        + _table(
            "REQUIRED_ATTRIBUTES",
            "tuple[str, ...]",
            ((event.name, _texts(_required(event))) for event in events),
            "What a record of each event must carry whatever the circumstances.",
        )
        + "\n"
        + _table(
            "SEVERITIES",
            "str",
            ((event.name, f'"{event.form}"') for event in events),
            "Severity of each event, as OpenTelemetry names severities.",
        )
    )


def _required(event: Signal) -> list[str]:
    return [reference.key for reference in event.references if reference.level == "required"]


def _texts(texts: list[str]) -> str:
    return "(\n" + "".join(f'            "{text}",\n' for text in texts) + "        )"


def _table(name: str, kind: str, rows: Iterable[tuple[str, str]], meaning: str) -> str:
    body = "".join(f"        {constant_name(key)}: {value},\n" for key, value in rows)
    return f"{name}: Final[Mapping[str, {kind}]] = MappingProxyType(\n    {{\n{body}    }}\n)\n" + _docstring(meaning)


def _metric_names(registry: Registry) -> str:
    constants = (_constant(metric.name, f"{metric.brief} A {metric.form}.") for metric in registry.metrics.values())
    return _HEAD.format(title="Metrics: their names.") + "from typing import Final\n\n" + "\n".join(constants)


def _constant(key: str, meaning: str) -> str:
    return f'{constant_name(key)}: Final = "{key}"\n{_docstring(meaning)}'


def _docstring(text: str, indent: str = "") -> str:
    text = " ".join(text.split())
    quoted = f'{indent}"""{text}"""\n'
    if len(quoted) <= _WIDTH:
        return quoted
    lines = textwrap.wrap(f'"""{text}', _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join([*lines, f'{indent}"""\n'])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
