"""The page Compare: two runs side by side, or what is different about some, as `aftertrace compare` tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dashboards.conftest import OpenPage, drawn, said

from aftertrace.analyzer import Analysis, Choice, Filter, open_analysis
from aftertrace.analyzer.comparison import words
from aftertrace.analyzer.populations.comparison import PopulationComparison
from aftertrace.cli import root
from aftertrace.dashboards.comparison_blocks import addresses


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What a command wrote as one object."""
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.fixture
def two(recorded: Path, analysis: Analysis) -> tuple[str, str]:
    """Two runs of one agent."""
    first, second = analysis.select("runs", Filter(agent="claude-code"))["run_id"].head(2)
    return first, second


def test_two_runs_are_told_step_by_step_as_at_a_terminal(
    two: tuple[str, str], recorded: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step with its verdict and the numbers of its calls, and what the runs were made of."""
    assert root.run(["compare", *two, "--data", str(recorded), "--format", "json"]) == 0
    told = printed(capsys)
    page = open_page("compare", recorded, a=two[0], b=two[1])
    assert [each.value for each in page.subheader][:3] == [
        "The two runs", "What they were made of and were given", "Step by step",
    ]  # fmt: skip
    tables = [block for each in drawn(page, "document") for block in each["blocks"] if block["is"] == "table"]
    made, steps = ([[_text(cell) for cell in row] for row in table["rows"]] for table in tables[1:3])
    names = {words.PARTS[part["part"]]: words.AGREEMENTS[part["agreement"]] for part in told["parts"]}
    assert {row[0]: row[1] for row in made} == {name: names[name] for name in (row[0] for row in made)}
    verdicts = {"same": "same", "other_result": "other result", "differs": "differs", "first_only": "only A",
                "second_only": "only B"}  # fmt: skip
    assert [row[1:3] + row[4:5] for row in steps] == [
        [*(str(step[side]["number"]) if step[side] else "–" for side in ("first", "second")), verdicts[step["verdict"]]]
        for step in told["steps"]
    ]


def _text(cell: list[dict[str, Any]]) -> str:
    return "".join(piece["text"] for piece in cell)


def test_what_is_told_of_a_run_leads_to_it(two: tuple[str, str], analysis: Analysis) -> None:
    """A record of one call to that call; one of several calls to their run."""
    found = analysis.compare_runs(*two)
    told = addresses(found)
    assert [told[run_id] for run_id in two] == [f"/run?run={run_id}" for run_id in two]
    calls = [call for step in found.steps for call in (step.first, step.second) if call is not None]
    places = [call.evidence[0] for call in calls]
    assert {"call=" in told[place] for place in places if places.count(place) == 1} == {True}
    assert {"call=" in told[place] for place in places if places.count(place) > 1} <= {False}


def test_one_run_alone_asks_for_another_of_its_agent(
    two: tuple[str, str], recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """In a list of those, without itself; a filter lists others, and swapping asks for the other side."""
    page = open_page("compare", recorded, a=two[0])
    assert page.subheader[0].value == "Which run is B?"
    of_agent = analysis.select("runs", Filter(agent="claude-code"))["run_id"].to_list()
    listed = [address.removeprefix("/run?run=") for address in page.dataframe[0].value["run"]]
    assert sorted(listed) == sorted(set(of_agent) - {two[0]})
    next(each for each in page.button if each.label == "Swap").click().run()
    assert page.subheader[0].value == "Which run is A?"
    assert page.query_params == {"b": two[0]}
    others = open_page("compare", recorded, a=two[0], agent="dbbot")
    assert set(others.dataframe[0].value["agent_name"]) == {"dbbot"}


def test_a_run_that_is_not_there_is_said_to_be_none(recorded: Path, open_page: OpenPage) -> None:
    """With the list to choose from."""
    page = open_page("compare", recorded, a="0123456789abcdef", b="last")
    assert [each.value for each in page.warning] == ["There is no such run."]
    assert page.subheader[0].value == "Which run is A?"
    assert not page.exception


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({"where": "outcome=denied"}, ["--where", "outcome=denied"]),
        ({"where": "outcome=denied", "agent": "clerk"}, ["--where", "outcome=denied", "--agent", "clerk"]),
        (
            {"where": "agent=clerk", "against": "agent=sweeper", "of": "runs"},
            ["--where", "agent=clerk", "--against", "agent=sweeper", "--of", "runs"],
        ),
    ],
)
def test_lifts_are_those_of_the_command_line(
    query: dict[str, str],
    options: list[str],
    weeks: Path,
    open_page: OpenPage,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Value by value with its counts, and in the words of the first lines."""
    assert root.run(["compare", *options, "--data", str(weeks), "--format", "json"]) == 0
    told = printed(capsys)
    page = open_page("compare", weeks, two="populations", **query)
    rows = {row["value"]: row["counted"] for table in page.dataframe for row in table.value.to_dict("records")}
    lifts = {
        f"{row['chosen']:,} of {row['of_chosen']:,} against {row['others']:,} of {row['of_others']:,}"
        for row in told["lifts"]
    }
    assert rows
    assert set(rows.values()) <= lifts
    assert page.text[0].value.startswith(f"{told['chosen']['rows']} {query.get('of', 'calls')}")
    assert page.code[-1].value.startswith("aftertrace compare --where ")


def test_the_rows_behind_a_finding_stand_in_the_address(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """Those of the chosen side first."""
    analysis = open_analysis(weeks, now_ns=after_weeks)
    found = analysis.compare(Choice("calls", (Filter(outcome="denied"),)))
    first = found.lifts.rows.row(0, named=True)
    page = open_page("compare", weeks, two="populations", where="outcome=denied", finding=first["lift_id"])
    rows = found.rows_of(first["lift_id"])
    behind = page.dataframe[-1].value
    assert [address.removeprefix("/run?run=") for address in behind["run"]] == rows["run_id"].to_list()
    assert behind["side"].to_list()[: first["chosen"]] == ["these"] * first["chosen"]
    gone = open_page("compare", weeks, two="populations", where="outcome=denied", finding="gone")
    assert "Choose a row to see which calls or runs have it." in [each.value for each in gone.caption]


def test_rows_behind_a_finding_are_read_once(weeks: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the page is drawn: for them all calls are read."""
    read = list[str]()
    rows_of = PopulationComparison.rows_of
    monkeypatch.setattr(
        PopulationComparison, "rows_of", lambda found, lift_id: (read.append(lift_id), rows_of(found, lift_id))[1]
    )
    query = {"two": "populations", "where": "outcome=denied"}
    ids = open_analysis(weeks).compare(Choice("calls", (Filter(outcome="denied"),))).lifts.rows["lift_id"].head(2)
    for nth, lift_id in enumerate((*ids, *ids)):
        page = open_page("compare", weeks, is_first=nth == 0, **query, finding=lift_id)
        assert page.run().subheader[-1].value.endswith("behind it")
    assert read == ids.to_list()


def test_where_nothing_is_chosen_it_says_what_to_ask(weeks: Path, open_page: OpenPage) -> None:
    """What the store has; one of them, asked, is in the address."""
    page = open_page("compare", weeks, two="populations")
    labels = [each.label for each in page.button]
    assert "calls that were refused" in labels
    assert "runs that failed" not in labels
    page.button(key="outcome=denied").click().run()
    assert page.query_params == {"two": "populations", "where": "outcome=denied"}
    assert "with outcome=denied, against" in page.text[0].value


def test_a_side_without_rows_is_said(weeks: Path, open_page: OpenPage) -> None:
    """With what was found and the way out."""
    page = open_page("compare", weeks, two="populations", where="agent=clerk", agent="sweeper")
    assert [each.value for each in page.info] == ["There is nothing to hold them against."]
    assert "no chosen calls on record" in page.code[-1].value


def test_a_run_and_a_change_lead_here(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """The run as A; the last run before a change and the first with it."""
    analysis = open_analysis(weeks, now_ns=after_weeks)
    (change,) = analysis.configuration_changes.rows(named=True)
    queries = [each.proto.query_string for each in open_page("changes", weeks).get("page_link")]
    assert f"a={change['last_run_before']}&b={change['first_run_id']}" in queries
    run = open_page("run", weeks, run=change["first_run_id"])
    assert f"a={change['first_run_id']}" in [each.proto.query_string for each in run.get("page_link")]
    both = open_page("compare", weeks, a=change["last_run_before"], b=change["first_run_id"])
    words_of = {text for each in drawn(both, "document") for text in said(each)}
    assert {"Do not ask twice.", "Be polite."} <= words_of
