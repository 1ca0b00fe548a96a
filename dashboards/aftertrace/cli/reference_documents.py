"""Of `docs/REFERENCE.md` the parts on documents for programs: their members, by the dataclasses behind them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any

from aftertrace.analyzer.comparison import run_comparison as comparison
from aftertrace.analyzer.populations.attributes import ATTRIBUTES
from aftertrace.analyzer.populations.document import FORMAT
from aftertrace.analyzer.records import call_record, run_record
from aftertrace.analyzer.records.answers import Answer
from aftertrace.analyzer.statistics.lifts import LIFTS
from aftertrace.cli.reference_declared import cell


def record() -> Iterator[str]:
    """The members of a run record."""
    yield (
        f"## Run record\n\n`aftertrace run ID --format json` writes everything that is known of a run as one document, "
        f"format `{run_record.FORMAT}`: members in the order of their names, two spaces, ASCII; the same bytes for the "
        "same `--as-of`, however the store grows, but for what other runs tell: in a large store of which little is "
        "kept (`aftertrace derive`) they are not looked at, and `versions` is null. Times are RFC 3339 in UTC with "
        "nanoseconds, lengths are seconds. What is not told is null, never 0 or empty. A member that is removed or "
        "changes its meaning makes a new format; members may be added under the same.\n"
    )
    declared = [kind for kind in _kinds(run_record, call_record) if kind is not run_record.RunRecord]
    yield from _members([run_record.RunRecord, Answer, *declared])


def compared_runs() -> Iterator[str]:
    """The members of two runs side by side."""
    yield (
        "## Run comparison\n\n`aftertrace compare RUN RUN --format json` writes what differs between two runs as one "
        f"document, format `{comparison.FORMAT}`, in the form of a run record: the first run is the one that was named "
        "first. What a run does not tell is null and no difference.\n"
    )
    declared = [kind for kind in _kinds(comparison) if kind is not comparison.RunComparison]
    yield from _members([comparison.RunComparison, *declared])


def compared_populations() -> Iterator[str]:
    """What some calls or runs are held against others by, and what is told of it."""
    yield (
        "## Population comparison\n\nWhat `aftertrace compare --where FILTER` holds calls or runs against each other "
        "by. Attributes that choose, or follow from what chooses, are left out.\n\n| attribute | of | |\n|---|---|---|"
    )
    for attribute in ATTRIBUTES:
        yield f"| `{attribute.name}` | {' and '.join(attribute.of)} | {cell(attribute.brief)} |"
    yield (
        f"\nThe JSON, format `{FORMAT}`, holds `as_of`, `of`, `where`, `against`, `within`, `count_untold`, `chosen` "
        "and `others` (their `rows` and `runs`), `both`, `pending`, `left_out`, `untold`, `values_left_out`, "
        "`arguments_left_out`, `command`, and `lifts`, all that was looked at:\n\n| column | type | |\n|---|---|---|"
    )
    for name, (kind, text) in LIFTS.items():
        yield f"| `{name}` | {kind} | {cell(text)} |"
    yield ""


def field_docs(kind: type[Any]) -> dict[str, str]:
    """The string below each field of a dataclass, by the field's name."""
    (definition,) = ast.parse(inspect.cleandoc(inspect.getsource(kind))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    docs: dict[str, str] = {}
    for node, below in pairwise(body):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            docs[node.target.id] = " ".join(str(below.value.value).split())
    return docs


def _kinds(*modules: ModuleType) -> list[type[Any]]:
    """The dataclasses that modules declare."""
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
    ]


def _members(kinds: list[type[Any]]) -> Iterator[str]:
    for kind in kinds:
        yield f"### {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n| member | type | |\n|---|---|---|"
        docs = field_docs(kind)
        for item in fields(kind):
            yield f"| `{item.name}` | {_json_type(str(item.type))} | {cell(docs[item.name].replace('None', 'null'))} |"
        yield ""


def _json_type(annotation: str) -> str:
    """What an annotation is in JSON, in words."""
    kind, _, maybe = annotation.partition(" | ")
    listed = kind.removeprefix("tuple[").removesuffix(", ...]")
    words = {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "State": "text"}
    words |= {"Verdict": "text", "Agreement": "text"}
    told = words.get(listed, listed)
    return ("list of " if listed != kind else "") + told + (" or null" if maybe else "")
