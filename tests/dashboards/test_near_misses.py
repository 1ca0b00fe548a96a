"""The page Near misses: what nearly happened, how often, what is different about it, and the control it asks for."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from shutil import which
from urllib.parse import urlencode

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest
from dashboards import stores
from dashboards.conftest import OpenPage
from dashboards.test_hostile import leaks
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import Analysis, Filter, open_analysis
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.drafting import draft as control_draft
from aftertrace.analyzer.drafting import history as control_history
from aftertrace.analyzer.drafting import widths as control_widths
from aftertrace.analyzer.expectations.rule_texts import written
from aftertrace.analyzer.populations import words
from aftertrace.analyzer.populations.comparison import Choice
from aftertrace.analyzer.reports import near_miss_figures
from aftertrace.analyzer.reports.near_miss_figures import Figures
from aftertrace.dashboards import layouts, populations, tables
from aftertrace.dashboards.addresses import call_query
from aftertrace.dashboards.near_miss_cards import typed
from aftertrace.dashboards.quantities import count, interval, share


def figures_of(analysis: Analysis, chosen: Filter | None = None) -> Figures:
    """What the report says of a store."""
    return near_miss_figures.figures(analysis, Period.up_to(analysis.now_ns, None), chosen or Filter())


def codes(page: AppTest) -> list[str]:
    """Texts that stand as they are."""
    return [each.value for each in page.code]


@pytest.mark.parametrize("outcome", [None, "denied", "modified"])
def test_its_numbers_are_those_of_the_report_for_the_filter_in_the_address(
    outcome: str | None, recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """Headline, rate with interval, what stands beside, and the kinds in their order."""
    found = figures_of(analysis, Filter(outcome=outcome))
    page = open_page("near_misses", recorded, **({} if outcome is None else {"outcome": outcome}))
    told = found.totals
    assert page.subheader[0].value == f"{count(told.near_misses, 'near miss')}, {told.consequential} consequential"
    low, high = told.rate.low, told.rate.high
    assert page.caption[0].value.startswith(
        f"{share(told.rate.share)} of {count(told.calls, 'call')} (95 % Wilson interval {interval(low, high)}"
    )
    shown = page.dataframe[0].value
    columns = ("tool_name", "agent_name", "held_by", "runs")
    assert shown[list(columns)].values.tolist() == [list(row) for row in found.kinds.select(columns).rows()]


def test_one_by_one_they_are_ranked_as_in_the_report(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """All of them, the worst first; and the severity in the address narrows them."""
    near = figures_of(analysis).near
    page = open_page("near_misses", recorded, view="one by one")
    assert page.dataframe[0].value["run"].to_list() == [f"/run?run={run_id}" for run_id in near["run_id"]]
    critical = open_page("near_misses", recorded, view="one by one", severity="critical")
    worst = near.filter(severity=3)
    assert (worst.height > 0, critical.dataframe[0].value.shape[0]) == (True, worst.height)
    narrow = open_page("near_misses", recorded, view="one by one", risk="destructive", outcome="denied")
    assert narrow.dataframe[0].value.shape[0] == near.filter(risk="destructive", outcome="denied").height > 0


def test_the_chosen_row_is_the_one_in_the_address(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """What is sent to a colleague shows the colleague the same near miss; one that is not there any more, the worst."""
    near = figures_of(analysis).near
    last = near.row(near.height - 1, named=True)
    page = open_page("near_misses", recorded, view="one by one", call=last["call_key"])
    assert page.get("page_link")[-1].proto.query_string == urlencode(call_query(last))
    gone = open_page("near_misses", recorded, view="one by one", call="gone")
    assert gone.get("page_link")[-1].proto.query_string == urlencode(call_query(near.row(0, named=True)))
    kinds = layouts.with_kind_id(figures_of(analysis).kinds)
    kind = kinds.row(kinds.height - 1, named=True)
    shown = open_page("near_misses", recorded, kind=kind["kind_id"])
    names = ("agent_name", "tool_name", "outcome", "decided_by")
    of_kind = near.filter(*(pl.col(name).eq_missing(pl.lit(kind[name])) for name in names))
    assert shown.get("page_link")[-1].proto.query_string == urlencode(call_query(of_kind.row(0, named=True)))


@pytest.mark.parametrize("query", [{"severity": "medium"}, {"risk": "write"}, {"severity": "critical"}], ids=str)
def test_a_kind_is_listed_where_any_of_its_near_misses_is_asked_for(
    query: dict[str, str], tmp_path: Path, open_page: OpenPage
) -> None:
    """It is told by its worst; the one in full is the worst of those that are asked for, which alone are counted."""
    mixed = stores.of_two_risks(tmp_path / "data")
    page = open_page("near_misses", mixed, **query)
    assert not page.exception
    assert page.dataframe[0].value[["severity", "times"]].values.tolist() == [[["critical"], "2"]]
    risk = "money" if "critical" in query.values() else "write"
    assert [each.value for each in page.text if each.value in ("money", "write")] == [risk]
    assert any(each.value.startswith("1 near miss of this kind in 1 run;") for each in page.caption)


@pytest.mark.parametrize(
    "by", [("tool", "tool_name"), ("agent", "agent_name"), ("decider", "decided_by"), ("risk", "risk")]
)
def test_rates_are_those_of_the_analyzer(
    by: tuple[str, str], recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """Group by group, those with most near misses, each with its interval and whether its count is a floor."""
    word, column = by
    expected = analysis.rates([column]).filter(pl.col("calls") > 0).head(8)
    page = open_page("near_misses", recorded, by=word)
    drawn = pa.ipc.open_stream(page.get("vega_lite_chart")[1].proto.datasets[0].data.data).read_all().to_pylist()
    assert [(row["rate"], row["low"], row["high"], row["counted"]) for row in drawn] == [
        (rate, low, high, f"{'≥ ' if floor else ''}{near:,} of {calls:,}")
        for rate, low, high, floor, near, calls in expected.select(
            "rate", "low", "high", "floor", "near_misses", "calls"
        ).iter_rows()
    ]


def test_what_is_different_is_what_compare_says(weeks: Path, after_weeks: int, open_page: OpenPage) -> None:
    """Of the denied ones, of a kind, and of a time that was chosen on the chart; with the command that says it too."""
    analysis = open_analysis(weeks, now_ns=after_weeks)
    denied = analysis.compare(Choice(of="calls", chosen=(Filter(outcome="denied"),)))
    page = open_page("near_misses", weeks, view="what is different", population="denied")
    rows = denied.lifts.rows.filter(verdict="more")
    shown = page.dataframe[0].value
    assert shown.shape[0] == rows.height > 0
    assert shown["counted"].to_list() == [
        f"{chosen:,} of {of:,} against {others:,} of {of_others:,}"
        for chosen, of, others, of_others in rows.select("chosen", "of_chosen", "others", "of_others").iter_rows()
    ]
    assert codes(page)[-1].startswith("aftertrace compare --where outcome=denied --as-of 2026-11-16")
    kinds = layouts.with_kind_id(figures_of(analysis).kinds)
    sweeper = kinds.filter(agent_name="sweeper")["kind_id"][0]
    of_kind = open_page("near_misses", weeks, view="what is different", population=populations.KIND_NAME, kind=sweeper)
    assert of_kind.text[0].value.startswith("2 calls of 2 runs with agent=sweeper and tool=delete_rows")
    in_time = open_page(
        "near_misses",
        weeks,
        view="what is different",
        population=populations.TIME,
        between="2026-11-10T00:00:00--2026-11-15T23:59:59",
    )
    assert "with since=2026-11-10 and until=2026-11-16, against" in in_time.text[0].value
    assert in_time.dataframe[0].value.shape[0] > 0


def test_what_agents_have_earned_is_told_with_its_interval(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """Row by row as in the report; what narrows lists of near misses is not offered beside it."""
    page = open_page("near_misses", recorded, view="autonomy")
    told = figures_of(analysis).autonomy
    shown = page.dataframe[0].value
    assert shown[["agent_name", "tool_name", "answers", "earned"]].values.tolist() == [
        list(row) for row in told.select("agent_name", "tool_name", "answers", "earned").rows()
    ]
    low, high = (round(100 * told[name][0], 1) for name in ("as_proposed_low", "as_proposed_high"))
    assert shown["ends"][0] == f"{low}–{high}"
    assert [each.label for each in page.get("button_group") if each.label in ("Severity", "Risk")] == []


def test_too_few_runs_are_said_and_not_tested(tmp_path: Path, open_page: OpenPage) -> None:
    """Of one run on a side nothing can be told apart from chance; and one without any other side says so."""
    store = stores.recorded(tmp_path / "data", ["claude-code/hook_deny"])
    page = open_page("near_misses", store, view="what is different")
    assert not page.exception
    assert any("Too few to test" in each.value for each in page.text) or page.info


def test_a_near_miss_leads_to_the_control_that_the_command_drafts(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """The rule to copy, word for word; what it hits over history; the command that keeps it with its test data."""
    worst = figures_of(analysis).near["call_key"][0]
    call = analysis.calls.row(by_predicate=pl.col("call_key") == worst, named=True)
    page = open_page("near_misses", recorded, view="one by one", call=worst)
    next(each for each in page.button if each.label == "Draft a control").click().run()
    history = control_history.history(analysis)
    tried = control_widths.narrowed(control_draft.of_call(call, history), history, call["run_id"])
    assert not page.exception
    assert written(tried.drafted.rule).rstrip() in codes(page)
    is_alone = analysis.calls.filter(tool_call_id=call["tool_call_id"]).height == 1
    named = call["tool_call_id"] if is_alone else call["call_key"]
    assert f"aftertrace control from {typed(named)} --to control" in codes(page)
    assert any(f"hits {tried.chosen.hits.height:,} of them" in each.value for each in page.caption)


def test_a_control_drafted_from_an_attack_is_text(hostile: Path, open_page: OpenPage) -> None:
    """Rule, history and command hold what the attacker wrote, and none of it as markup."""
    page = open_page("near_misses", hostile, view="one by one")
    for call_key in open_analysis(hostile).near_misses()["call_key"].head(6):
        page = open_page("near_misses", hostile, view="one by one", call=call_key)
        next(each for each in page.button if each.label == "Draft a control").click().run()
        assert not page.exception
        assert leaks(page) == set()
        assert any(text.startswith("aftertrace control from ") for text in codes(page))


@pytest.mark.parametrize("view", ["kinds", "one by one", "targets", "autonomy", "what is different"])
def test_no_view_takes_a_text_of_a_sender_for_markup(view: str, hostile: Path, open_page: OpenPage) -> None:
    """Whatever is shown of it."""
    page = open_page("near_misses", hostile, view=view)
    assert not page.exception
    assert leaks(page) == set()


@pytest.mark.skipif(which("bash") is None, reason="no bash on this machine: quoting is not tried")
@pytest.mark.parametrize("text", [*stores.HOSTILE, "a\x1fb", "'; touch gone; '", "$'x'", "-", "\\x41", "é\x1f'\\"])
def test_a_call_can_be_named_at_a_terminal_whatever_its_id(text: str) -> None:
    """As one word, which a shell takes for itself and nothing else."""
    clean = text.replace("\x00", "")
    told = subprocess.run(["bash", "-c", f"printf %s {typed(clean)}"], capture_output=True, check=True)
    assert told.stdout == clean.encode(errors="surrogatepass")
    assert typed(clean).isascii()
    assert typed(clean).isprintable()


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_words_are_quoted_as_python_quotes_them(text: str) -> None:
    """Without escapes that only some shells know."""
    assert shlex.split(typed(text)) == [text]


@given(st.lists(st.floats(0, 4e12), min_size=2, max_size=2))
def test_a_time_that_was_chosen_reads_back_from_the_address(ends_ms: list[float]) -> None:
    """To the second; and what is no time is passed over."""
    kinds = layouts.with_kind_id(pl.DataFrame(schema=dict.fromkeys(near_miss_figures.KIND, pl.String)))
    (chosen,) = populations.of([], kinds, None, populations.written(ends_ms))[populations.TIME]
    first, last = sorted(int(each // 1000) for each in ends_ms)
    assert (chosen.since_ns, chosen.until_ns) == (first * 10**9, (last + 1) * 10**9)
    assert populations.TIME not in populations.of([], kinds, None, "2026--now")


def test_a_kind_has_the_same_id_in_any_store() -> None:
    """It stands in addresses that are kept."""
    kind = pl.DataFrame([{"agent_name": "a", "tool_name": None, "outcome": "denied", "decided_by": "human"}])
    assert layouts.with_kind_id(kind)["kind_id"].to_list() == ["f3c3a3e1"]
    assert tables.MOST_ROWS == 1000


def test_any_near_miss_is_what_people_cancelled_and_every_other_outcome(analysis: Analysis) -> None:
    """It is told as it is, and not as a command, which would ask of every outcome that a person decided."""
    any_of_them = populations.of(["denied", "cancelled"], layouts.with_kind_id(figures_of(analysis).kinds), None, None)
    chosen = any_of_them[populations.ANY]
    assert chosen == (Filter(outcome="denied"), Filter(outcome="cancelled", decided_by="human"))
    assert words.said(chosen) == "outcome=denied or (outcome=cancelled and decided-by=human)"
    found = analysis.compare(Choice(of="calls", chosen=chosen))
    assert words.command(found) is None
    of_two = analysis.compare(Choice(of="calls", chosen=(Filter(outcome="denied"), Filter(outcome="modified"))))
    assert str(words.command(of_two)).startswith(
        "aftertrace compare --where outcome=denied --where outcome=modified --as-of "
    )
