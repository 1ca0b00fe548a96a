"""The page Changes: what was changed in agents, when, and what moved after it; with the numbers of the analyzer."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from analyzer.weeks import MONDAY
from dashboards import stores
from dashboards.conftest import OpenPage

from aftertrace.analyzer import Analysis, Filter, open_analysis
from aftertrace.analyzer.records.version_words import PARTS
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.dashboards.change_cards import measures, sides
from aftertrace.dashboards.version_charts import versions
from aftertrace.dashboards.zones import IN_UTC


def test_a_change_is_shown_with_its_diff_and_what_moved(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """Lines that went and came, versions, runs on both sides; each measure with its interval and q."""
    analysis = open_analysis(weeks, now_ns=after_weeks)
    (change,) = analysis.configuration_changes.rows(named=True)
    page = open_page("changes", weeks)
    assert page.subheader[0].value == "1 change, 1 after which something moved"
    listed, moved = (each.value for each in page.dataframe[:2])
    assert listed[["agent_name", "part", "state", "moved"]].values.tolist() == [
        ["clerk", "prompt changed", "replaced", "denials up, near misses up"]
    ]
    (diff,) = [each.value for each in page.code if each.value.startswith("@@")]
    assert diff.splitlines()[1:] == [
        " You are a clerk. Today is ⟨date⟩.",
        " Pay at most 100 EUR.",
        "-Be polite.",
        "+Do not ask twice.",
    ]
    looks = analysis.change_measures
    told = looks.filter(measure="near_misses").row(0, named=True)
    row = moved.set_index("measure").loc["near misses"]
    assert row[["verdict", "was", "is", "looked_at"]].to_list() == [
        "up",
        f"{100 * told['before']:.1f} %",
        f"{100 * told['after']:.1f} %",
        "96 and 72 calls in 48 and 36 runs",
    ]
    assert (
        row["by"] == f"{100 * told['difference']:+.1f} points ({100 * told['low']:+.1f} to {100 * told['high']:+.1f})"
    )
    assert moved.shape[0] == looks.height
    links = [each.proto.query_string for each in page.get("page_link")]
    before, first = change["last_run_before"], change["first_run_id"]
    (moment,) = analysis.history.moments
    assert page.get("page_link")[0].proto.label == f"{len(moment.after)} runs after it"
    assert links == [f"after={change['change_id']}", f"run={before}", f"run={first}", f"a={before}&b={first}"]


def test_the_chosen_change_is_the_one_in_the_address(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """What is sent to a colleague shows the colleague the same; the filter in the address narrows the list."""
    changes = analysis.configuration_changes
    chosen = changes.row(0, named=True)
    page = open_page("changes", recorded, change=chosen["change_id"])
    assert f"run={chosen['first_run_id']}" in [each.proto.query_string for each in page.get("page_link")]
    agent = changes["agent_name"][0]
    narrowed = open_page("changes", recorded, agent=agent)
    listed = analysis.select("configuration_changes", Filter(agent=agent))
    told = listed.sort("first_ns", "change_id", descending=[True, False])
    assert narrowed.dataframe[0].value["part"].to_list() == [PARTS[part] for part in told["part"]]


def test_what_moved_something_is_listed_alone_where_that_is_asked_for(
    weeks: Path, after_weeks: int, recorded: Path, open_page: OpenPage
) -> None:
    """The address keeps it; where nothing moved there is nothing to choose."""
    page = open_page("changes", weeks, which="something moved after it")
    assert (page.dataframe[0].value["moved"] == "denials up, near misses up").all()
    page = open_page("changes", recorded, which="something moved after it")
    assert page.dataframe[0].value["moved"].isna().all()


def test_where_nothing_was_changed_it_says_so(tmp_path: Path, open_page: OpenPage) -> None:
    """Calmly; the configurations are shown."""
    page = open_page("changes", stores.recorded(tmp_path / "data", ["claude-code/hook_deny"]))
    assert [each.value for each in page.success] == ["Nothing is known to have been changed in these agents."]
    assert "Configurations over time" in [each.value for each in page.subheader]


def test_tools_are_told_by_name_and_what_is_not_kept_by_its_digest() -> None:
    """Whatever a sender called them."""
    empty = dict.fromkeys(DERIVED["configuration_changes"].schema.names())
    tools = {**empty, "part": "tools", "added": ["rm\u202e", "b"], "removed": ["a"]}
    assert sides(tools, {}) == ["- a", "+ rm\\u202e", "+ b"]
    prompt = {**empty, "part": "prompt", "before": "sha256:1", "after": None}
    assert sides(prompt, {}) == ["- sha256:1", "+ not told"]


def test_a_measure_that_nobody_tells_has_no_numbers() -> None:
    """Nor units."""
    schema = DERIVED["change_measures"].schema
    looks = pl.DataFrame(
        [
            {"measure": "cost_usd", "verdict": "not_told", "runs_before": 0, "runs_after": 0},
            {
                "measure": "tokens", "verdict": "up", "runs_before": 9, "runs_after": 8, "before": 1000.0,
                "after": 2000.0, "difference": 1000.0, "low": 900.0, "high": 1100.0, "q": 0.0004,
            },
        ],
        schema=schema,
    )  # fmt: skip
    assert measures(looks).rows() == [
        ("tokens", "up", "1,000", "2,000", "+1,000 (+900 to +1,100)", "below 0.001", "9 and 8 runs"),
        ("cost", "not told", None, None, None, None, "0 and 0 runs"),
    ]


def test_each_version_is_a_bar_from_its_first_to_its_last_run(weeks: Path, after_weeks: int) -> None:
    """The agent with most runs first."""
    chart = versions(open_analysis(weeks, now_ns=after_weeks).configurations, IN_UTC).to_dict()
    rows = [row for data in chart["datasets"].values() for row in data]
    began_ms = int(MONDAY.timestamp() * 1000)
    told = [(row["place"], row["agent"], row["version"], row["runs"], row["start"] - began_ms) for row in rows]
    assert told == [
        (0, "clerk", "v1", 48, 0),
        (0, "clerk", "v2", 36, stores.CHANGED_AFTER_DAYS * 86_400_000),
        (1, "sweeper", "v1", 2, (13 * 24 + 6) * 3_600_000),
    ]
