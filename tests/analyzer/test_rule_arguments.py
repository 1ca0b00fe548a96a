"""Rules that name arguments: which calls they are about, and how wide one is drafted from an incident."""

from __future__ import annotations

import json
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.dialects.recordings import make_span, whole_rows

from aftertrace.analyzer.drafting.draft import of_call
from aftertrace.analyzer.drafting.history import History
from aftertrace.analyzer.drafting.widths import Tried, described, narrowed
from aftertrace.analyzer.expectations.argument_values import are_meant, text_of, values
from aftertrace.analyzer.expectations.checks import check
from aftertrace.analyzer.expectations.patterns import literal
from aftertrace.analyzer.expectations.rules import Argument, parsed
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.ingest.rows import ARGUMENTS_CHARACTERS
from aftertrace.store.errors import Invalid

NO_RUNS: Final = pl.DataFrame(schema=DERIVED["runs"].schema)
BY_RULE: Final[dict[str, Any]] = {
    "outcome": "executed", "allowed_by": "policy", "decided_by": "policy", "tool_name": "send", "agent_name": "clerk",
    "run_id": "r-1", "signals": [],
}  # fmt: skip
"""A call that nobody was asked about."""
BROKEN: Final = "broken"
UNTOLD: Final = "unknown"


def calls_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Calls, a second after each other."""
    numbered = [{"call_key": f"k-{nth}", "first_ns": nth, **BY_RULE, **row} for nth, row in enumerate(rows)]
    return pl.DataFrame(numbered, schema=DERIVED["calls"].schema)


@pytest.mark.parametrize(
    ("selector", "told", "found"),
    [
        ('"/to" = ["ana@example.com"]', {"arguments": '{"to":"ana@example.com"}'}, BROKEN),
        ('"/to" = ["*@example.com", "*@example.org"]', {"arguments": '{"to":"ana@example.org"}'}, BROKEN),
        ('"/to" = ["*@example.com"]', {"arguments": '{"to":"ana@else.example"}'}, None),
        ('"/to" = ["*"]', {"arguments": '{"to":""}'}, BROKEN),
        ('"/to" = ["*"]', {"arguments": '{"cc":"ana"}'}, None),
        ('"/n" = ["3"]\n"/force" = ["true"]', {"arguments": '{"force":true,"n":3}'}, BROKEN),
        ('"/n" = ["3"]\n"/force" = ["true"]', {"arguments": '{"force":false,"n":3}'}, None),
        ('"/to/1/name" = ["ana"]', {"arguments": '{"to":[{},{"name":"ana"}]}'}, BROKEN),
        ('"/a~1b" = ["x"]', {"arguments": '{"a/b":"x"}'}, BROKEN),
        ('"/to" = ["[*"]', {"arguments": '{"to":["ana"]}'}, BROKEN),
        ('"" = ["rm *"]', {"arguments": "rm -r x"}, BROKEN),
        ('"" = ["rm -r ?"]', {"arguments": '"rm -r x"'}, BROKEN),
        ('"" = ["rm *"]', {"arguments": '"ls"'}, None),
        ('"/to" = ["ana"]', {"arguments": '{"to":"bob"}', "executed_arguments": '{"to":"ana"}'}, BROKEN),
        ('"/to" = ["bob"]', {"arguments": '{"to":"bob"}', "executed_arguments": '{"to":"ana"}'}, None),
        ('"/to" = ["ana"]', {}, UNTOLD),
        ('"/to" = ["ana"]', {"arguments": '{"body":"a text that was cut, and'}, UNTOLD),
        ('"/to" = ["ana"]', {"arguments": json.dumps('{"body":"a text that was cut, and')}, UNTOLD),
        ('"" = ["*bob*"]', {"arguments": json.dumps('{"body":"a text that was cut, and')}, UNTOLD),
        ('"" = ["*a text*"]', {"arguments": json.dumps('{"body":"a text that was cut, and')}, BROKEN),
        ('"/body" = ["[rm*"]', {"arguments": '{"body":"[rm"}'}, BROKEN),
    ],
)
def test_a_rule_is_about_calls_with_the_arguments_that_it_names(
    selector: str, told: dict[str, str], found: str | None
) -> None:
    """Each at its path; what the telemetry does not tell is unknown, and no way around the rule."""
    rules = parsed(f'[[rule]]\nname = "ask"\napproved_by = ["human"]\n[rule.arguments]\n{selector}\n', "rules")
    (checked,) = check(rules, calls_of(told), NO_RUNS)
    assert checked.findings["verdict"].to_list() == ([] if found is None else [found])
    assert checked.calls == (found == BROKEN)
    if found == UNTOLD:
        assert checked.findings["found"][0].endswith("for want of its arguments")


def stored_arguments(**arguments: str) -> str:
    """Arguments as ingest writes them to the row of a call."""
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "send"}
    attributes = {**told, "gen_ai.tool.call.arguments": json.dumps(arguments)}
    _, (event,) = whole_rows(make_span("execute_tool send", attributes))
    return str(event["arguments"])


@pytest.mark.parametrize(
    ("path", "pattern", "cut", "whole"),
    [
        ("/to", "*@evil.example", None, True),
        ("/to", "*", None, True),
        ("", "*@evil.example*", None, True),
        ("", '{"body":"a*', True, True),
        ("", '{"body":"a*a', None, False),
        ("/aftertrace.cut/begins", "*", None, False),
    ],
)
def test_a_call_does_not_get_around_a_rule_by_arguments_too_long_to_store(
    path: str, pattern: str, cut: bool | None, whole: bool
) -> None:
    """What was cut is unknown unless its beginning is enough; the same arguments told whole are the control."""
    wanted = (Argument(path, (pattern,)),)
    padded = stored_arguments(body="a" * ARGUMENTS_CHARACTERS, to="x@evil.example")
    assert are_meant(padded, wanted) is cut
    assert list(values(padded)) == []
    short = stored_arguments(body="a", to="x@evil.example")
    assert are_meant(short, wanted) is whole
    assert [found for found, _ in values(short)] == ["/body", "/to"]


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("arguments = 3", "arguments is 3, expected a table of paths, each with a list of texts"),
        ("arguments = {}", "arguments is {}, expected a table of paths, each with a list of texts"),
        ('arguments = {to = ["x"]}', "arguments has 'to', expected a JSON Pointer such as '/to'"),
        ('arguments = {"/to" = "x"}', "arguments: /to is 'x', expected a list of texts"),
        ('most_calls = 3\narguments = {"/to" = ["x"]}', "it goes into a rule without tools, risks and arguments"),
    ],
)
def test_arguments_that_say_nothing_are_refused(selector: str, said: str) -> None:
    """With what was found, and what was expected."""
    with pytest.raises(Invalid) as refusal:
        parsed(f'[[rule]]\nname = "ask"\napproved_by = ["human"]\n{selector}\n', "rules")
    assert said in str(refusal.value)


LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
TREES = st.recursive(
    LEAVES, lambda below: st.dictionaries(st.text(max_size=4), below, max_size=3) | st.lists(below), max_leaves=8
)


@given(st.dictionaries(st.text(max_size=4), TREES, max_size=4))
def test_any_value_is_found_at_its_path_by_its_own_text(arguments: dict[str, Any]) -> None:
    """Whatever names and values hold; another text is the control."""
    text = json.dumps(arguments)
    for path, value in values(text):
        assert are_meant(text, (Argument(path, (literal(text_of(value)),)),)) is True
        assert are_meant(text, (Argument(path, (literal(text_of(value) + "x"),)),)) is False


def sent(to: str, **told: Any) -> dict[str, Any]:
    """A call that sends something."""
    return {"arguments": json.dumps({"to": to, "body": f"dear {to}, and more than anybody else was ever told"}), **told}


ODD: Final = {"signals": ["ran_refused"]}
FINE: Final = [sent(f"p{nth}@corp.example") for nth in range(4)]


def drafted(*rows: dict[str, Any]) -> Tried:
    """What is drafted from the first call."""
    calls = calls_of(*rows)
    history = History(lambda of_calls, of_runs: iter([(calls.filter(of_calls), NO_RUNS.filter(of_runs))]))
    return narrowed(of_call(calls.row(0, named=True), history), history, "r-1")


def tried(found: Tried) -> list[tuple[str, dict[str, int]]]:
    """Each width, and what it hits."""
    return [
        (
            ", ".join(map(described, width.rule.arguments)),
            {kind: many for kind in ("this", "odd", "fine", "unknown") if (many := width.count(kind))},
        )
        for width in found.widths
    ]


def test_a_draft_names_the_argument_that_tells_the_incident_from_calls_that_were_fine() -> None:
    """And still hits the other call on which a control failed; each width says what it would have hit."""
    found = drafted(sent("x@evil.example"), sent("y@evil.example", **ODD), *FINE)
    assert tried(found) == [
        ("", {"this": 1, "odd": 1, "fine": 4}),
        ("/to = *@evil.example", {"this": 1, "odd": 1}),
    ]
    assert found.chosen.rule.arguments == (Argument("/to", ("*@evil.example",)),)
    assert found.drafted.rule.name == "send needs a person (clerk), /to = *@evil.example"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ([sent("y@corp.example", **ODD)], "it would lose the other call on which a control failed"),
        ([], "there is nothing that it would spare"),
    ],
)
def test_a_draft_stays_as_wide_as_it_was(more: list[dict[str, Any]], why: str) -> None:
    """The controls."""
    found = drafted(sent("x@evil.example"), *more, *(FINE if more else []))
    assert found.chosen is found.widths[0], why
    assert found.chosen.rule.arguments == ()


def test_commands_files_and_flags_are_named_by_what_others_share() -> None:
    """Not by what is of the one call alone."""
    incident = {"command": "rm -rf /srv/a", "file": "/etc/app/x.toml", "force": True, "id": "9f3c"}
    other = {"command": "ls -l", "file": "/tmp/y", "force": False, "id": "77aa"}
    again = {"command": "rm -rf /srv/b", "file": "/etc/app/z.toml", "force": True, "id": "8888"}
    found = drafted(*({"arguments": json.dumps(each)} for each in (incident, other, again)))
    assert [name for name, _ in tried(found)] == [
        "",
        "/command = rm -rf*",
        "/file = /etc/app/*",
        "/force = true",
        "/command = rm -rf*, /file = /etc/app/*, /force = true",
    ]


@pytest.mark.parametrize(("repeats", "first", "second"), [(3, "/b = y", "/a = x"), (1, "/a = x", "/b = y")])
def test_calls_that_were_repeated_count_each_time(repeats: int, first: str, second: str) -> None:
    """The argument that fewer calls share comes first; as many of each, and it is the order of names: the control."""
    told = [{"a": "x", "b": "y"}, *[{"a": "x", "b": "n"}] * repeats, {"a": "q", "b": "y"}]
    found = drafted(*({"arguments": json.dumps(each)} for each in told))
    assert [name for name, _ in tried(found)] == ["", first, second, f"{first}, {second}"]


def test_a_tool_that_has_to_go_goes_for_these_arguments_alone() -> None:
    """A person had approved it: the rule is about this tool, since others may be asked for the same."""
    ann = {"approval": "granted", "decided_by": "human", "allowed_by": "human", "reviewer": "ann"}
    reads = {"tool_name": "look", "arguments": '{"to":"x@evil.example"}'}
    found = drafted(sent("x@evil.example", **ann), *(sent(f"p{nth}@corp.example", **ann) for nth in range(2)), reads)
    rule = found.chosen.rule
    assert (rule.tools, rule.only_tools, tried(found)[1]) == (("send",), (), ("/to = *@evil.example", {"this": 1}))
