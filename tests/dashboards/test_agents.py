"""The page Agents: who was seen and who declared them, what they used, and what their runs can answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dashboards.conftest import OpenPage, drawn, said

from aftertrace.analyzer import Analysis, Filter, open_analysis
from aftertrace.analyzer.inventory import checks, uses
from aftertrace.analyzer.inventory import draft as inventory_draft
from aftertrace.analyzer.reports.agent_coverage import agent_coverage
from aftertrace.cli import root
from aftertrace.dashboards.agent_cards import with_agent_id

INVENTORY = """
[[agent]]
name = "clerk"
owner = "payments"
tools = ["pay"]

[[agent]]
name = "archivist"
owner = "records"
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A file that declares the clerk, one who never came, and not the sweeper."""
    file = tmp_path / "inventory.toml"
    file.write_text(INVENTORY)
    return file


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The rows that a command wrote."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("query", [{}, {"agent": "clerk"}, {"agent": "sweeper"}])
def test_its_numbers_are_those_of_the_command_line(
    query: dict[str, str], weeks: Path, inventory: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Agent by agent, and finding by finding."""
    options = [word for name, value in query.items() for word in (f"--{name}", value)]
    common = ["--data", str(weeks), "--format", "json", *options]
    assert root.run(["agents", "--inventory", str(inventory), *common]) == 0
    agents = printed(capsys)
    page = open_page("agents", weeks, inventory=inventory, **query)
    table = page.dataframe[0].value
    numbers = ["runs", "calls", "near_misses", "broken", "unknown"]
    assert {row["agent_name"]: [row[name] for name in numbers] for row in table.to_dict("records")} == {
        row["agent_name"]: [row[name] for name in numbers] for row in agents
    }
    root.run(["inventory", "check", str(inventory), *common])
    findings = printed(capsys)
    off = open_page("agents", weeks, inventory=inventory, about="off the inventory", **query)
    assert off.dataframe[0].value[["agent_name", "found", "expected"]].values.tolist() == [
        [row["agent_name"], row["found"], row["expected"]] for row in findings
    ]
    counted = " · ".join(
        f"{sum(row['verdict'] == name for row in findings)} {name}" for name in ("broken", "unknown", "idle")
    )
    assert page.caption[0].value.endswith(f"held against what was seen: {counted}.")


def test_without_an_inventory_it_says_how_to_get_one(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """And shows who was seen."""
    page = open_page("agents", weeks)
    assert page.subheader[0].value == "2 agents seen"
    assert "`aftertrace inventory init`" in page.caption[0].value
    assert page.dataframe[0].value[["agent_name", "runs"]].values.tolist() == [["clerk", 84], ["sweeper", 2]]


def test_the_agent_in_the_address_is_told_in_full(
    weeks: Path, inventory: Path, after_weeks: int, open_page: OpenPage
) -> None:
    """What is off its declaration, its tools with how often they nearly did, systems, versions, and ways on."""
    analysis = open_analysis(weeks, now_ns=after_weeks)
    agents = with_agent_id(checks.of(analysis, None).agents)
    who = agents.filter(agent_name="clerk")["agent_id"].item()
    page = open_page("agents", weeks, inventory=inventory, who=who)
    one, other = drawn(page, "document")
    assert "tool read_order ran" in set(said(one))
    (tools, systems, versions) = [block for block in other["blocks"] if block["is"] == "table"]
    told = analysis.rates(["tool_name"], Filter(agent="clerk")).rows(named=True)
    assert {row[0][0]["text"]: row[4][0]["text"] for row in tools["rows"]} == {
        row["tool_name"]: str(row["near_misses"]) for row in told
    }
    (paid,) = systems["rows"]
    applied = analysis.effects.filter(pl.col("state") == "applied").height
    assert [cell[0]["text"] for cell in paid[:3]] == ["bank", "transfer", str(applied)]
    assert [row[0][0]["text"] for row in versions["rows"]] == ["2", "1"]
    assert [each.proto.query_string for each in page.get("page_link")] == ["agent=clerk&environment=production"] * 3


def test_tools_and_systems_of_all_agents_add_up(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """To the calls and near misses, and to the effects, that the store has."""
    tools = open_page("agents", recorded, about="tools").dataframe[0].value
    assert (tools["calls"].sum(), tools["near_misses"].sum()) == (analysis.calls.height, analysis.near_misses().height)
    systems = open_page("agents", recorded, about="systems")
    assert (
        sum(each.value["applied"].sum() for each in systems.dataframe)
        == analysis.effects.filter(pl.col("state") == "applied").height
    )


def test_who_can_answer_what_is_as_the_report_has_it(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """Each agent with each of the questions; what to switch on is folded below."""
    (document,) = drawn(open_page("agents", recorded, about="six questions"), "document")
    (matrix,) = [block for block in document["blocks"] if block["is"] == "table"]
    answered = agent_coverage(analysis, Filter()).answered
    groups = answered.partition_by(["agent_name", "emitter"], maintain_order=True)
    assert [[cell[0]["text"].split(" ")[0] for cell in row[3:]] for row in matrix["rows"]] == [
        [f"{row['known']}/{row['judged']}" for row in rows.iter_rows(named=True)] for rows in groups
    ]
    folded = [block["title"] for block in document["blocks"] if block["is"] == "folded"]
    lacking = [rows for rows in groups if rows["switch_on"].count()]
    assert len([title for title in folded if ", told by " in title]) == len(lacking) > 0


def test_where_everything_is_as_declared_it_says_so(tmp_path: Path, weeks: Path, open_page: OpenPage) -> None:
    """Calmly: of an inventory that was drafted from what was seen, with owners."""
    file = tmp_path / "inventory.toml"
    file.write_text(inventory_draft.of(open_analysis(weeks), Filter()).replace('owner = ""', 'owner = "somebody"'))
    page = open_page("agents", weeks, inventory=file, about="off the inventory")
    assert [each.value for each in page.success] == ["Everything that was seen is as declared."]


def test_a_tool_of_two_risks_and_calls_that_do_not_count_are_told_apart() -> None:
    """A rate is of calls that count; a call that is pending is a call all the same."""
    calls = pl.LazyFrame(
        [
            ("pay", "money", "declared", "denied", True, "r1", 1),
            ("pay", "money", "declared", "executed", False, "r2", 2),
            ("pay", "money", "declared", "pending", False, "r3", 3),
            (None, None, None, "executed", False, "r3", None),
        ],
        schema=["tool_name", "risk", "risk_basis", "outcome", "near_miss", "run_id", "first_ns"],
        orient="row",
    ).with_columns(
        consequential=pl.col("near_miss"),
        dialect=pl.lit("x"),
        trace_id=pl.lit("t"),
        content_left_out=pl.lit(value=False),
        proposed_at=pl.lit("p"),
        agent_name=pl.col("run_id").replace("r3", None),
    )
    rows = uses.tools(calls).collect()
    names = ["tool_name", "calls", "ran", "near_misses", "counted", "rate", "agents", "last_ns", "last_run_id"]
    assert rows.select(names).rows() == [
        ("pay", 3, 1, 1, 2, 0.5, ["r1", "r2"], 3, "r3"),
        (None, 1, 1, 0, 1, 0.0, [], None, "r3"),
    ]
