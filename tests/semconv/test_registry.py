"""The registry: valid, complete, fresh; and the checks see what they are there to see."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from aftertrace.semconv import attributes, event_names, generate, metric_names
from aftertrace.semconv.model import REGISTRY, InvalidRegistry, constant_name, load

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = """run.created plan.recorded input.resolved retrieval.completed tool.considered action.proposed
    validation.passed validation.failed policy.evaluated approval.requested approval.granted approval.rejected
    approval.modified approval.expired tool.called effect.applied effect.blocked run.completed run.failed"""
STANDARD_ROOTS = ("gen_ai.", "mcp.", "user.", "session.", "security_rule.", "service.", "deployment.", "error.", "log.")


def test_all_events_of_the_design_are_defined() -> None:
    """Nineteen, and no other."""
    assert set(load().events) == {f"aftertrace.{name}" for name in EVENTS.split()}


def test_every_event_names_run_event_actor_and_target() -> None:
    """Whatever the event, it can be listed, joined and deduplicated."""
    for event in load().events.values():
        levels = {reference.key: reference.level for reference in event.references}
        assert levels["log.record.uid"] == levels["aftertrace.run.id"] == levels["aftertrace.actor.type"] == "required"
        assert {"aftertrace.actor.id", "aftertrace.target.type", "aftertrace.target.id"} <= set(levels)


def test_nothing_of_ours_is_put_under_a_standard_name() -> None:
    """Standard names are referenced, ours begin with the project's name."""
    registry = load()
    assert all(key.startswith("aftertrace.") for key in registry.attributes)
    assert all(key.startswith(STANDARD_ROOTS) for key in registry.standard)


def test_the_generated_files_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` finds nothing to write."""
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_stale_file_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Negative control: a file that differs by a byte is named, and left alone by `--check`."""
    stale = tmp_path / "attributes.py"
    stale.write_text("old")
    monkeypatch.setattr(generate, "generated", lambda _registry: {stale: "new"})
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == "attributes.py is stale; run python -m aftertrace.semconv.generate\n"
    assert stale.read_text() == "old"
    assert generate.main([]) == 0
    assert stale.read_text() == "new"


def test_constants_carry_their_names() -> None:
    """Each constant holds the name it is made from."""
    registry = load()
    for module, names in (
        (attributes, [*registry.attributes, *registry.standard]),
        (event_names, list(registry.events)),
        (metric_names, list(registry.metrics)),
    ):
        assert [getattr(module, constant_name(name)) for name in names] == names


@pytest.mark.parametrize(
    ("file", "old", "new", "finding"),
    [
        (
            "run.yaml",
            "file_format: definition/2",
            "file_format: definition/1",
            "run.yaml: file_format is not definition/2",
        ),
        ("run.yaml", "- key: aftertrace.run.id", "- key: aftertrace.run", "aftertrace.run: is also a namespace"),
        ("run.yaml", "- key: aftertrace.run.id", "- key: gen_ai.run.id", "gen_ai.run.id: not a name under aftertrace."),
        ("run.yaml", "- key: aftertrace.run.resumed", "- key: aftertrace.run_id", "its constant is that of"),
        ("run.yaml", "- key: aftertrace.run.resumed", "- key: aftertrace.run.id", "aftertrace.run.id: defined twice"),
        (
            "run.yaml",
            "      - ref: error.type",
            "      - ref: error.kind",
            "references error.kind, which is not defined",
        ),
        (
            "run.yaml",
            "  - key: aftertrace.run.resumed\n    type: boolean",
            "  - key: aftertrace.run.resumed\n    type: flag",
            "the type is none of",
        ),
        (
            "run.yaml",
            "    annotations: {severity: ERROR}",
            "    annotations: {severity: BAD}",
            "the annotation `severity` is none of",
        ),
        ("run.yaml", "    kind: internal", "    kind: client", "every span here is of kind internal"),
        ("run.yaml", "attributes:\n  - key", "entities: {a: b}\nattributes:\n  - key", "`entities` is not a list"),
        ("run.yaml", "spans:\n", "things: []\nspans:\n", "section `things` is not known"),
        (
            "actor.yaml",
            "    annotations: {builds_on: []}",
            "    annotations: {}",
            "the annotation `builds_on` is missing",
        ),
        ("actor.yaml", "requirement_level: opt_in", "requirement_level: optional", "the level is none of"),
        ("approval.yaml", "examples: [900.0]", "examples: [900s]", "the example '900s' is no double"),
        ("approval.yaml", "stability: development", "stability: new", "stability is none of"),
        (
            "effect.yaml",
            "    brief: System of record that changed.",
            "    brief: System of record",
            "the brief is not a sentence",
        ),
        (
            "input.yaml",
            "  - key: aftertrace.plan.id\n",
            "  - key: aftertrace.plan.id\n    colour: red\n",
            "`colour` is not known here",
        ),
        ("metrics.yaml", "instrument: counter", "instrument: gauge", "neither counter nor histogram"),
        (
            "tool.yaml",
            "      - ref: aftertrace.candidate.rank\n        requirement_level: recommended\n",
            "",
            "aftertrace.candidate.rank: no signal uses it",
        ),
        (
            "tool.yaml",
            "      - ref: aftertrace.tool.state\n        requirement_level: required",
            "      - ref_group: attributes.aftertrace.check\n      - ref_group: attributes.aftertrace.check",
            "two groups reference",
        ),
        (
            "tool.yaml",
            "ref_group: attributes.aftertrace.call",
            "ref_group: attributes.aftertrace.cal",
            "attributes.aftertrace.cal, which is not defined",
        ),
    ],
)
def test_a_broken_registry_is_refused(tmp_path: Path, file: str, old: str, new: str, finding: str) -> None:
    """One slip of the pen in a copy of the registry: found, and said where."""
    broken = tmp_path / "registry"
    shutil.copytree(REGISTRY, broken)
    text = (broken / file).read_text(encoding="utf-8")
    assert old in text
    (broken / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InvalidRegistry) as refused:
        load(broken)
    assert finding in str(refused.value)


def test_the_manifest_names_a_version_and_what_it_depends_on() -> None:
    """As weaver wants it: schema URLs that end with a version, and where the dependencies are."""
    manifest = yaml.safe_load((REGISTRY / "manifest.yaml").read_text(encoding="utf-8"))
    urls = [manifest["schema_url"], *(dependency["schema_url"] for dependency in manifest["dependencies"])]
    assert all(
        re.fullmatch(r"https://[a-z.]+/schemas/(?:[a-z-]+/)?[0-9]+\.[0-9]+\.[0-9]+(?:-dev)?", url) for url in urls
    )
    assert all(dependency["registry_path"].endswith("[model]") for dependency in manifest["dependencies"])
    assert manifest["stability"] == "development"
