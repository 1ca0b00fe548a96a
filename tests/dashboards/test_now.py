"""The page Now: what needs eyes, in order of need, with the numbers of the report; and calm where nothing does."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from dashboards import stores
from dashboards.conftest import OpenPage
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import Analysis, Filter, open_analysis
from aftertrace.analyzer.calls import controls
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.effects import table as effects
from aftertrace.analyzer.inventory import draft as inventory_draft
from aftertrace.analyzer.reports import near_miss_figures
from aftertrace.analyzer.reports.near_miss_figures import Figures
from aftertrace.analyzer.runs import table as runs
from aftertrace.dashboards import attention
from aftertrace.dashboards.attention import WENT_WRONG
from aftertrace.dashboards.quantities import DAY_NS, interval, share


def figures_of(data: Path, now_ns: int, since_ns: int | None = None) -> Figures:
    """What the report says of a store, up to now."""
    analysis = open_analysis(data, now_ns=now_ns)
    return near_miss_figures.figures(analysis, Period.up_to(now_ns, since_ns), Filter(since_ns=since_ns))


def headings(page: AppTest) -> list[str]:
    """The headings of a page, from top to bottom."""
    return [each.value for each in page.subheader]


def items(page: AppTest) -> list[tuple[str, str]]:
    """What needs eyes, with its details."""
    titles = [each.value.strip("*") for each in page.markdown if each.value.startswith("**")]
    return list(zip(titles, [each.value for each in page.text if each.value[:2] not in _STEPS], strict=False))


_STEPS = [f"{nth}." for nth in range(1, 9)]


def test_its_headlines_are_the_totals_of_the_report(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """Headline by headline, with the interval and the denominator of the rate."""
    told = figures_of(weeks, after_weeks).totals
    page = open_page("now", weeks)
    assert [(each.label, each.value, each.delta) for each in page.metric] == [
        ("Consequential near misses", f"{told.consequential}", f"of {told.near_misses} near misses"),
        (
            "Near-miss rate",
            share(told.rate.share),
            f"{interval(told.rate.low, told.rate.high)} of {told.calls} calls",
        ),
        ("Denied destructive calls", "2", "risk class destructive"),
        ("Control failures", f"{told.failures}", "that should have held"),
        ("Approvals waiting", "0", "nobody waits"),
        ("Runs", f"{told.runs}", "with calls"),
    ]
    assert (told.near_misses, told.failures, told.runs) == (25, 2, 86)


def test_a_period_is_held_against_the_one_before(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """As in the report: counts by how much, the rate by whether it is another; and which kinds are new."""
    found = figures_of(weeks, after_weeks, after_weeks - 7 * DAY_NS)
    assert found.before is not None
    more = found.totals.consequential - found.before.consequential
    page = open_page("now", weeks, period="last 7 days")
    told = {each.label: each.delta for each in page.metric}
    assert (more, told["Consequential near misses"]) == (15, "+15 since the period before")
    assert told["Near-miss rate"].endswith(" % · higher")
    assert page.dataframe[0].value["is_new"].fillna("").to_list() == ["", "new"]


def test_what_needs_eyes_comes_in_order_of_need(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """Failed controls first; each item says how much there is, of whom, and leads to its rows."""
    page = open_page("now", weeks)
    assert items(page) == [
        ("2 effects made more than once", "pay of clerk (2)"),
        ("1 near miss of severity critical", "pay of clerk"),
        ("24 near misses of severity high", "pay of clerk (22), delete_rows of sweeper (2)"),
        ("2 destructive calls denied", "delete_rows of sweeper (2)"),
        ("1 agent never seen before", "sweeper in shop"),
        ("1 change in agents; after 1 something moved", "clerk · prompt"),
    ]
    links = [each.proto for each in page.get("page_link")]
    assert [(each.page, each.query_string) for each in links] == [
        ("near_misses", "severity=critical"),
        ("near_misses", "severity=high"),
        ("near_misses", "outcome=denied&risk=destructive"),
        ("changes", ""),
        ("near_misses", "agent=clerk&tool=pay"),
        ("agents", "about=tools"),
    ]
    next(each for each in page.button if each.label != "Clear all filters").click().run()
    assert page.query_params == {"show": "control failures"}
    assert headings(page)[-1] == "Effects that no call explains, or that were made twice: 2"
    assert (
        page.dataframe[0].value[["failed", "operation", "object_id"]].values.tolist()
        == [["applied twice", "transfer", "42"]] * 2
    )


def test_the_rows_behind_the_control_failures_are_as_many(tmp_path: Path, open_page: OpenPage) -> None:
    """Of calls, and of effects; the address alone shows them."""
    page = open_page("now", stores.uncontrolled(tmp_path / "data"), show="control failures")
    assert next(each.value for each in page.metric if each.label == "Control failures") == "2"
    assert headings(page)[-2:] == [
        "Calls that ran past a control: 1",
        "Effects that no call explains, or that were made twice: 1",
    ]
    calls, found = (each.value for each in page.dataframe)
    assert calls[["failed", "tool_name", "decided_by", "agent_name", "arguments"]].values.tolist() == [
        ["ran_refused", "pay", "human", "clerk", '{"eur":9}']
    ]
    assert found[["failed", "system", "object_type", "object_id"]].values.tolist() == [
        ["no call", "ledger", "order", "1042"]
    ]


def test_what_to_do_next_is_what_the_report_says(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """The first steps of it, in its order."""
    told = [each.value for each in open_page("now", weeks).text if each.value[:2] in _STEPS]
    assert told[:2] == [
        "1. See why controls failed. 2 control failures: what should have held did not. See below.",
        (
            "2. Put a rule before pay of clerk: one person's answer was all that stopped it. Write the rule that would "
            "stop the next."
        ),
    ]


def test_where_nothing_needs_eyes_it_says_so(tmp_path: Path, open_page: OpenPage) -> None:
    """One agent that reads: no item, no alarm, and when the last record came."""
    store = stores.recorded(tmp_path / "data", ["pydantic-ai/v5_deny_approve"])
    page = open_page("now", store, outcome="executed", tool="read_db")
    assert items(page)[:1] == []
    assert ":material/check_circle: **Nothing needs eyes.**" in [each.value for each in page.markdown]
    assert any(each.value.startswith("Last record ") for each in page.caption)


def test_agents_are_new_only_where_there_is_a_before(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """A store that is younger than the period knows no other agents: nobody is called new."""
    assert "1 agent never seen before" in [title for title, _ in items(open_page("now", weeks))]
    whole = open_page("now", weeks, period="last 30 days")
    assert "never seen before" not in " ".join(title for title, _ in items(whole))


def test_every_signal_of_a_failed_control_has_its_words() -> None:
    """So that none is told by its name alone, or not at all."""
    signals = {each.name for of in (controls.FAILURES, effects.SIGNALS, runs.SIGNALS) for each in of}
    assert set(WENT_WRONG) == signals


def test_agents_that_are_off_the_inventory_are_named(
    tmp_path: Path, recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """Those that nobody declared, and that are silent; without an inventory, or with one that holds, none."""
    declared = tmp_path / "inventory.toml"
    declared.write_text(inventory_draft.of(analysis, Filter()))
    for inventory in (None, declared):
        told = items(open_page("now", recorded, inventory=inventory))
        assert [title for title, _ in told if title.endswith("off the inventory")] == []
    declared.write_text('[[agent]]\nname = "dbbot"\nowner = "ann"\n[[agent]]\nname = "nobody"\n')
    page = open_page("now", recorded, inventory=declared, show="inventory")
    (table,) = [each.value for each in page.dataframe]
    others = sorted(set(analysis.agents["agent_name"]) - {"dbbot"})
    assert sorted(table["agent_name"]) == sorted([*others, "nobody"])
    assert f"{len(others) + 1} agents off the inventory" in [title for title, _ in items(page)]
    declared.write_text("[[agent]]\nnames = 1\n")
    broken = open_page("now", recorded, inventory=declared)
    assert "'names' is not known, expected one of name" in broken.code[0].value


def test_content_that_the_configuration_leaves_out_needs_no_eyes() -> None:
    """It is so by intent; what was lost beside it does."""
    kinds = ["left_out", "refused"]
    told = [[item.detail for item in attention.losses(pl.DataFrame({"kind": kinds[:some]}))] for some in (1, 2)]
    assert told == [[], ["refused"]]


def test_changes_since_the_last_visit_are_told_apart(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """A browser says when it was here; however long ago that is, nothing since then is left out."""
    (change,) = open_analysis(weeks, now_ns=after_weeks).configuration_changes.rows(named=True)
    page = open_page("now", weeks)
    assert "1 change in agents; after 1 something moved" in [title for title, _ in items(page)]
    for visited_ns, since in ((change["first_ns"] - 10**9, 1), (change["first_ns"] + 10**9, 0)):
        page.session_state["visit"] = {"since_ms": visited_ns / 1e6}
        page.run()
        title = f"1 change in agents, {since} since your last visit; after 1 something moved"
        assert title in [title for title, _ in items(page)]
    for no_time in ("yesterday", -1, 1e300, None):
        page.session_state["visit"] = {"since_ms": no_time}
        page.run()
        assert not page.exception
        assert "1 change in agents; after 1 something moved" in [title for title, _ in items(page)]
