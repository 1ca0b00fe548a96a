"""The page of one run: what the record says, where it came from in a list, and what its address keeps."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import polars as pl
import pytest
from dashboards import stores
from dashboards.conftest import OpenPage, drawn, said
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import Analysis, Filter, open_analysis
from aftertrace.analyzer.records import record_words
from aftertrace.analyzer.records.rfc3339 import rfc3339
from aftertrace.cli import root
from aftertrace.cli.filters import instant_ns
from aftertrace.dashboards import call_cards, data, packing, run_list
from aftertrace.dashboards.addresses import run_address
from aftertrace.store.commentary.comments import Comment, Subject
from aftertrace.store.commentary.log import add
from aftertrace.store.layout import Layout
from aftertrace.verifier.given import keys_of
from aftertrace.verifier.verify import verify_packet


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which a person edited a payment."""
    return stores.edited(tmp_path_factory.mktemp("edited") / "data")


def texts(page: AppTest) -> list[str]:
    """Every text of the page's drawings."""
    return [text for each in page.get("bidi_component") for text in said(json.loads(each.proto.json))]


def marks(cards: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Titles of cards, with the first mark of each."""
    return [(card["title"], card["marks"][0]["word"]) for card in cards]


def test_six_answers_stand_with_their_states_and_what_would_tell_more(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """In the order of the questions, each with its evidence; what is unknown says what to switch on."""
    run_id = analysis.runs.filter(pl.col("agent_name") == "claude-code")["run_id"][0]
    answers = analysis.answers(run_id)
    page = open_page("run", recorded, run=run_id)
    six, more = next(each["blocks"] for each in drawn(page, "document") if len(each["blocks"]) == 2)
    for given, told in ((answers.six, six), (answers.more, more)):
        assert marks(told["cards"]) == [(record_words.QUESTIONS[each.question], each.state) for each in given]
        for answer, card in zip(given, told["cards"], strict=True):
            words = list(said(card["blocks"]))
            assert answer.value in words
            assert (answer.switch_on in words) == (answer.switch_on is not None)
            assert (", ".join(answer.evidence) in words) == bool(answer.evidence)
    assert any(each.switch_on for each in answers.six)
    assert record_words.headline(analysis.record(run_id)) in [each.value for each in page.text]


def test_a_call_is_told_from_its_proposal_to_its_receipt(edited: Path, open_page: OpenPage) -> None:
    """Side by side, with the lines marked that differ, and in the words of the printed record."""
    page = open_page("run", edited, run="last")
    (card,) = drawn(page, "call_cards")[0]["cards"]
    assert (card["number"], card["tool"], [mark["word"] for mark in card["marks"]], card["open"]) == (
        1, "pay", ["modified", "near miss", "risk money (guess)"], True
    )  # fmt: skip
    assert card["marks"][0]["dot"] == "filled"
    steps = next(block["steps"] for block in card["blocks"] if block["is"] == "steps")
    assert [step["title"] for step in steps] == [
        "Proposed", "Shown to the reviewer", "Answer", "Approved", "Executed as approved", "Result", "Receipt",
    ]  # fmt: skip
    excerpts = {step["title"]: step["blocks"][0] for step in steps}
    assert excerpts["Proposed"]["lines"] == ["{", '  "eur": 900,', '  "to": "bob"', "}"]
    assert (excerpts["Proposed"]["changed"], excerpts["Proposed"]["sign"]) == ([1], "-")
    assert (excerpts["Approved"]["changed"], excerpts["Approved"]["sign"]) == ([1], "+")
    assert excerpts["Executed as approved"]["changed"] == []
    assert excerpts["Shown to the reviewer"]["lines"] == ["Pay 900 euros to bob?"]
    assert "pay of ledger order 7 " in list(said(steps[-1]))
    assert "re_1" in list(said(steps[-1]))


def test_every_call_of_a_run_has_a_card_with_its_outcome(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """In the order of the record and of the command line."""
    run_id = analysis.runs.sort("calls", descending=True)["run_id"][0]
    calls = analysis.select("calls", Filter(run_id=run_id))
    cards = drawn(open_page("run", recorded, run=run_id), "call_cards")[0]["cards"]
    assert [card["number"] for card in cards] == list(range(1, calls.height + 1))
    assert [card["tool"] for card in cards] == calls["tool_name"].to_list()
    shown = [card["marks"][0]["word"].removesuffix(" (inferred)").replace(" ", "_") for card in cards]
    assert shown == calls["outcome"].to_list()


def test_calls_stand_on_pages_and_a_chosen_one_brings_its_page() -> None:
    """A run may have thousands of calls; numbers that are not there bring the first page."""
    calls = list(range(3 * call_cards.CALLS_AT_ONCE))
    wanted = {None: 1, 0: 1, 1: 1, 50: 1, 51: 2, 150: 3, 151: 1}
    assert {number: call_cards.page_of(calls, number) for number in wanted} == wanted


def test_an_address_brings_the_tab_the_call_and_the_event(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """What is sent to a colleague shows the colleague the same; what is no number chooses nothing."""
    run_id = analysis.runs.sort("calls", descending=True)["run_id"][0]
    assert drawn(open_page("run", recorded, run=run_id, call="2"), "call_cards")[0]["chosen"] == 2
    assert drawn(open_page("run", recorded, run=run_id, call="²"), "call_cards")[0]["chosen"] is None
    event = analysis.record(run_id).timeline[0].evidence
    page = open_page("run", recorded, run=run_id, tab="Timeline", event=event)
    assert drawn(page, "timeline")[0]["chosen"] == event
    assert drawn(page, "call_cards") == []
    assert page.dataframe[0].value.shape[0] == analysis.timeline(run_id).height


def test_the_runs_before_and_after_are_those_of_the_list_it_came_from(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """By the same filter, in the same order; at the ends there is none."""
    kept = {"agent": "dbbot", "saved": "Near misses"}
    listed = run_list.listed(analysis, kept, Filter(agent="dbbot")).run_ids
    assert len(listed) > 1
    link = run_address(listed[0], kept).split("from=")[1]
    page = open_page("run", recorded, run=listed[0], **{"from": unquote_plus(link)})
    before, after = (next(each for each in page.button if each.label == name) for name in ("Previous", "Next"))
    assert (before.disabled, after.disabled) == (True, False)
    (place,) = [each.proto for each in page.get("page_link") if each.proto.page == "runs"]
    assert (place.label, place.query_string) == (f"1 of {len(listed)}", "agent=dbbot&saved=Near+misses")
    after.click().run()
    assert page.text_input(key="run").value == listed[1]
    assert f"aftertrace run {listed[1]}" in [each.value for each in page.code]


def test_related_runs_are_those_of_the_command(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """Row by row, each with a link to it."""
    run_id = next(each for each in analysis.runs["run_id"] if not analysis.related(each).is_empty())
    page = open_page("run", recorded, run=run_id, tab="Related")
    table = drawn(page, "document")[-2]["blocks"][0]
    names = [column["name"] for column in table["columns"]]
    ids = [row[names.index("run")][0] for row in table["rows"]]
    related = analysis.related(run_id).head(len(ids))
    assert [each["text"] for each in ids] == related["run_id"].to_list()
    assert [each["to"] for each in ids] == [run_address(each) for each in related["run_id"]]
    assert [row[names.index("shares")][0]["text"] for row in table["rows"]] == related["how"].to_list()


def test_every_tab_opens_on_every_recording(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """Without an exception, and with something to read."""
    tabs = ("Agents", "Effects", "Configuration", "Record")
    for number, (run_id, tab) in enumerate(product(analysis.runs["run_id"], tabs)):
        page = open_page("run", recorded, is_first=number == 0, run=run_id, tab=tab)
        assert ([each.message for each in page.exception], bool(texts(page))) == ([], True), (run_id, tab)


def test_what_was_changed_just_before_leads_to_what_moved_after_it(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """The nearest change, by its id; a run before which nothing was changed has no such link."""
    nearest: dict[str, str | None] = {}
    for run_id in analysis.runs["run_id"]:
        versions = analysis.record(run_id).versions or ()
        nearest[run_id] = next((change.id for version in versions for change in version.changes), None)
    assert {change is None for change in nearest.values()} == {True, False}
    for is_known in (False, True):
        run_id = next(run_id for run_id, change in nearest.items() if (change is not None) == is_known)
        links = [each.proto for each in open_page("run", recorded, run=run_id).get("page_link")]
        told = [each.query_string for each in links if each.page == "changes"]
        assert told == ([f"change={nearest[run_id]}"] if is_known else [])


def test_a_control_that_failed_stands_above_the_answers(tmp_path: Path, open_page: OpenPage) -> None:
    """In words; a run in which none failed says nothing of it."""
    page = open_page("run", stores.uncontrolled(tmp_path / "data"), run="last")
    first = drawn(page, "document")[0]["blocks"][0]["cards"][0]
    assert first["title"] == "Where a control failed, or something is odd"
    assert {"ran refused", "no call"} <= set(said(first))
    (card,) = drawn(page, "call_cards")[0]["cards"]
    assert ("ran refused", "critical") in [(mark["word"], mark["tone"]) for mark in card["marks"]]


def test_a_run_that_is_not_there_is_said_so(recorded: Path, open_page: OpenPage) -> None:
    """With the way out, and without an exception."""
    page = open_page("run", recorded, run="feedfeedfeed")
    assert [each.value for each in page.warning] == ["There is no such run."]
    assert "feedfeedfeed" in page.code[0].value
    assert not page.exception


def test_a_run_can_be_taken_along_as_one_file(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """What the command writes; it is made when it is asked for."""
    run_id = analysis.runs["run_id"][0]
    page = open_page("run", recorded, run=run_id)
    (button,) = page.get("download_button")
    assert button.proto.label == "Run record, as one file"
    written = data.record_page(analysis, run_id)()
    assert written.startswith("<!doctype html>")
    assert run_id in written


def test_a_packet_can_be_taken_along(tmp_path: Path, open_page: OpenPage) -> None:
    """The one that the command makes: whoever has the key can verify it, and its export is an entry of the ledger."""
    store = tmp_path / "data"
    assert root.run(["import", "--data", str(store), str(stores.RECORDINGS / "claude-code/hook_deny.otlp.jsonl")]) == 0
    run_id = open_analysis(store).resolve_run("last")
    page = open_page("run", store, run=run_id)
    next(each for each in page.button if each.label == "Make the packet").click().run()
    assert ([each.value for each in page.warning], list(page.exception)) == ([], [])
    assert [each.proto.label for each in page.get("download_button")] == ["Run record, as one file", "Packet"]
    made = page.session_state["packet"]
    (tmp_path / "packet.zip").write_bytes(made.content)
    report = verify_packet(tmp_path / "packet.zip", list(keys_of((store / "ledger" / "key").read_text("utf-8"))), ())
    assert ((made.run_id, made.refusal), report.verdicts) == (
        (run_id, None),
        {"integrity": "holds", "completeness": "holds", "authenticity": "holds"},
    )
    assert report.receipt is not None
    page.switch_page("views/runs.py").run()
    assert "packet" not in page.session_state


def test_a_packet_is_held_while_its_run_is_looked_at_and_no_longer(
    recorded: Path, analysis: Analysis, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be as large as a page hands on."""
    first, second = analysis.runs["run_id"].head(2)
    monkeypatch.setattr(packing, "packed", lambda _, run_id: packing.Packed(run_id, b"packet"))
    page = open_page("run", recorded, run=first)
    next(each for each in page.button if each.label == "Make the packet").click().run()
    assert page.run().session_state["packet"] == packing.Packed(first, b"packet")
    page.query_params["run"] = second
    page.session_state["run"] = second
    assert "packet" not in page.run().session_state


def test_one_packet_is_made_at_a_time(recorded: Path, analysis: Analysis) -> None:
    """Whoever asks meanwhile is told so."""
    with packing._AT_WORK:
        told = packing.packed(recorded, analysis.runs["run_id"][0])
    assert (told.content, told.refusal) == (b"", "another packet is being made; try again when it is done")


def test_a_packet_that_cannot_be_made_says_why(
    tmp_path: Path, recorded: Path, analysis: Analysis, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the command's words, as text."""
    assert "no store there" in (packing.packed(tmp_path / "none", "feed").refusal or "")
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "none"))
        assert packing.packed(recorded, "feed").refusal == (
            "no room to make it in: No such file or directory; make it at a terminal"
        )
    monkeypatch.setattr(packing, "packed", lambda _, run_id: packing.Packed(run_id, refusal="<b>no\u202e"))
    page = open_page("run", recorded, run=analysis.runs["run_id"][0])
    next(each for each in page.button if each.label == "Make the packet").click().run()
    assert [each.value for each in page.warning] == ["No packet was made."]
    assert "<b>no\\u202e" in [each.value for each in page.code]


def test_what_a_page_was_judged_at_can_be_asked_for_again(edited: Path, open_page: OpenPage) -> None:
    """The time in the command that it quotes is read as the same time: people write no finer ones."""
    page = open_page("run", edited, run="last", tab="Record")
    command = next(each for each in said(drawn(page, "document")[-2]) if "--format json --as-of" in each)
    as_of = command.split()[-1]
    assert rfc3339(instant_ns(as_of, now_ns=0)) == as_of


def test_what_people_wrote_stands_below_all_that_was_found(tmp_path: Path, open_page: OpenPage) -> None:
    """As text, with who and what for; what was taken back is gone, and what was changed is not shown as theirs."""
    store = stores.edited(tmp_path / "data")
    layout = Layout(store)
    run_id = open_analysis(store).runs["run_id"][0]
    fields = {"time_ns": "1764072000000000000", "author": "Ana **Ruiz**", "account": "ana", "kind": "note"}

    def about(incident: str, **other: Any) -> Comment:
        return Comment(about=(Subject("incident", incident), Subject("run", run_id)), **{**fields, **other})

    assert "Nobody has written about this run: " in list(said(drawn(open_page("run", store), "document")[-1]))
    add(layout, about("INC-42", text="![x](http://attacker.example) Asked finance."))
    add(layout, about("INC-42", text="Wrong."))
    add(layout, about("INC-42", text="Not mine.", kind="retraction", replaces=2))
    told = list(said(drawn(open_page("run", store), "document")[-1]))
    assert {"![x](http://attacker.example) Asked finance.", "INC-42"} <= set(told)
    assert told[told.index("Ana **Ruiz**") + 1] == "2025-11-25 12:00:00 UTC"
    assert "Wrong." not in told
    comments = layout.commentary / "comments"
    comments.write_bytes(comments.read_bytes().replace(b"finance", b"nobody."))
    page = open_page("run", store)
    assert [each.value for each in page.warning] == ["Comments cannot be shown."]
    assert "other comments than the 3 that are signed" in page.code[-1].value


@pytest.mark.parametrize(
    "query", [{"call": "9" * 5000}, {"call": "²"}, {"from": "q=a"}, {"from": "saved=gone&order=no"}]
)
def test_an_address_that_somebody_wrote_by_hand_opens(
    query: dict[str, str], recorded: Path, open_page: OpenPage
) -> None:
    """What it names and is not there is passed over: numbers of any length, lists that nobody can ask for."""
    page = open_page("run", recorded, **query)
    assert [each.message for each in page.exception] == []
    assert drawn(page, "call_cards")
