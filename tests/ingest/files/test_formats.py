"""Every format that is known: it is told by its content, and nothing that a file holds breaks the reading of it."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.ingest import dialects, files
from aftertrace.ingest.files import pieces
from aftertrace.ingest.otlp_json import REQUESTS
from aftertrace.store.errors import Invalid

LOGS: Final = sorted((Path(__file__).parents[2] / "testdata" / "logs").glob("*/*"))
ODD: Final = (
    None,
    True,
    -1,
    1e308,
    2**70,
    "",
    "x",
    [],
    {},
    [[]],
    [{}],
    {"id": []},
    "attachment://" + "0" * 32,
    [[0, 9]],
)
"""Values that are not what a format has in a place."""


def read(path: Path) -> tuple[int, list[str]]:
    """How many requests a file gives, each of which decodes, and where it was refused."""
    requests, refused = 0, []
    with files.opened(path) as source:
        for item in files.read(source):
            if isinstance(item, files.Refused):
                refused.append(item.where)
            else:
                requests += 1
                REQUESTS[item.signal].FromString(item.body)
    return requests, refused


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.name)
def test_each_format_is_known_by_its_content(tmp_path: Path, log: Path) -> None:
    """Under any name, on one line or many, gzipped or not; and by no other format before it."""
    value = (
        [json.loads(line) for line in log.read_text().splitlines()]
        if log.suffix == ".jsonl"
        else json.loads(log.read_text())
    )
    forms = {
        "as it is": log.read_bytes(),
        "one line": json.dumps(value).encode(),
        "many lines": json.dumps(value, indent=1).encode(),
        "gzip": gzip.compress(log.read_bytes()),
    }
    for name, content in forms.items():
        path = tmp_path / "x"
        path.write_bytes(content)
        requests, refused = read(path)
        assert (requests > 0, refused) == (True, []), name
    look = pieces.look(log.read_bytes()[:1000], is_whole=False)
    assert next(known.name for known in files.FORMATS if known.is_of(look)) == log.parent.name


def test_every_format_has_dialects_that_read_it() -> None:
    """And a sample among the logs of the tests, but for session files, whose stories make their own."""
    known = {dialect.name for dialect in dialects.DIALECTS}
    assert [each.name for each in files.FORMATS if not set(each.dialects) <= known] == []
    assert {each.name for each in files.FORMATS} - {log.parent.name for log in LOGS} == {"claude-code-session"}


def is_read_or_refused(path: Path) -> bool:
    """Whether a file is read, or refused by its name; anything else is raised."""
    try:
        read(path)
    except Invalid as error:
        return str(error).startswith(f"read {path}")
    return True


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values inside another."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, held in members for path in paths(held, (*at, key)))]


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy of a value with something else in one place."""
    if not path:
        return odd
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return changed


@settings(deadline=None)
@given(st.data())
def test_a_wrong_value_anywhere_breaks_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever a later version puts there: the file is read, or refused with its place."""
    log = data.draw(st.sampled_from(LOGS))
    is_lines = log.suffix == ".jsonl"
    value = [json.loads(line) for line in log.read_text().splitlines()] if is_lines else json.loads(log.read_text())
    changed = put(value, data.draw(st.sampled_from(paths(value))), data.draw(st.sampled_from(ODD)))
    changed = put(changed, data.draw(st.sampled_from(paths(changed))), data.draw(st.sampled_from(ODD)))
    path = tmp_path_factory.mktemp("odd") / "x"
    lines = is_lines and isinstance(changed, list)
    path.write_text("".join(json.dumps(each) + "\n" for each in changed) if lines else json.dumps(changed))
    assert is_read_or_refused(path)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_and_never_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes that are cut out, or others in their place."""
    whole = data.draw(st.sampled_from(LOGS)).read_bytes()
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, min(len(whole), begin + 200)) | st.just(len(whole)))
    path = tmp_path_factory.mktemp("damaged") / "x"
    path.write_bytes(whole[:begin] + data.draw(st.binary(max_size=4)) + whole[end:])
    assert is_read_or_refused(path)
