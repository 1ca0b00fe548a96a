"""Vendors' texts in recordings: none of a prompt, none of what tool declarations say of tools."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from . import vendor_text

RECORDINGS = sorted((Path(__file__).parents[1] / "testdata" / "otlp").glob("*/*.otlp.jsonl"))
SAYS = "Deletes rows."
GONE = "[vendor text removed: 13 chars sha256:821281296492a462]"
SCHEMA = {"type": "object", "properties": {"q": {"type": "string", "description": SAYS}}}
SCHEMA_LEFT = {"type": "object", "properties": {"q": {"type": "string", "description": GONE}}}
ARGUMENTS = {"command": "ls", "description": SAYS}


def test_a_long_text_is_replaced_and_json_keeps_its_shape() -> None:
    """Only the long strings inside go; one that is as long as a recording may hold stays."""
    longest, longer = "x" * vendor_text.MAX_CHARS, "x" * (vendor_text.MAX_CHARS + 1)
    assert vendor_text.trimmed(longest) == longest
    assert vendor_text.trimmed(longer) == "[vendor text removed: 401 chars sha256:257d2e9bd85ba790]"
    kept = json.loads(vendor_text.trimmed(json.dumps([{"role": "system", "content": longer}, {"id": "call_1"}])))
    assert kept == [{"role": "system", "content": vendor_text.trimmed(longer)}, {"id": "call_1"}]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        (
            {"functionDeclarations": [{"name": "rm", "description": SAYS, "parametersJsonSchema": SCHEMA}]},
            {"functionDeclarations": [{"name": "rm", "description": GONE, "parametersJsonSchema": SCHEMA_LEFT}]},
        ),
        ({"type": "function", "description": SAYS}, {"type": "function", "description": GONE}),
        ({"args": ARGUMENTS, "resume": json.dumps(SCHEMA)}, {"args": ARGUMENTS, "resume": json.dumps(SCHEMA_LEFT)}),
        (
            {"tool": {"description": SAYS, "p": SCHEMA}, "a": ARGUMENTS},
            {"tool": {"description": GONE, "p": SCHEMA_LEFT}, "a": ARGUMENTS},
        ),
    ],
)
def test_what_a_declaration_says_goes_however_short_and_arguments_stay(told: object, left: object) -> None:
    """As JSON in a text, in another such text, and in a list of parts: a call's own description is no declaration's."""
    assert vendor_text.without(told) == left
    assert json.loads(vendor_text.trimmed(json.dumps([told]))) == [left]
    assert vendor_text.trimmed(json.dumps(ARGUMENTS)) == json.dumps(ARGUMENTS)


def test_attributes_that_describe_go_and_an_interrupt_keeps_its_question() -> None:
    """OTLP's pairs, nested ones in a list of declarations too."""

    def pair(key: str, text: str) -> dict[str, object]:
        return {"key": key, "value": {"stringValue": text}}

    def listed(text: str) -> dict[str, object]:
        told = {
            "arrayValue": {"values": [{"kvlistValue": {"values": [pair("name", "rm"), pair("description", text)]}}]}
        }
        return {"key": "gen_ai.tool.definitions", "value": told}

    asked = "(Interrupt(value={'description': \"Delete?\"}, schema={'description': '%s', 'properties': {}}),)"
    told = [pair("gen_ai.tool.description", SAYS), pair("description", SAYS), listed(SAYS)]
    left = [pair("gen_ai.tool.description", GONE), pair("description", SAYS), listed(GONE)]
    assert vendor_text.without(told) == left
    (kept,) = vendor_text.without([pair("exception.message", asked % SAYS)])
    assert kept["value"] == {"stringValue": asked.replace("'%s'", repr(GONE))}


@pytest.mark.parametrize("path", RECORDINGS, ids=[f"{path.parent.name}/{path.name}" for path in RECORDINGS])
def test_no_recording_holds_what_declarations_say(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trimmed once more, each is as it was; long texts that the truth needs are left, as messages of a model."""
    monkeypatch.setattr(vendor_text, "MAX_CHARS", sys.maxsize)
    requests = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert vendor_text.without(requests) == requests
