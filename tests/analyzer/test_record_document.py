"""A run record to read: what it shows in HTML and in Markdown, and that it stays small whatever an agent writes."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from aftertrace.analyzer.documents import html, markdown
from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.records.record_cards import SHOWN_CARDS, cards
from aftertrace.analyzer.records.record_document import document
from aftertrace.analyzer.records.record_json import document as json_of
from aftertrace.analyzer.records.record_words import clock
from aftertrace.analyzer.records.run_record import RunRecord

from .stories import COMPLETED, ENDED, PROPOSED, event
from .test_documents import Elements
from .test_run_record import ASKED_WITH, RAN, STORY, record_of

HOSTILE: Final = "</pre><script>alert(1)</script>\u202e<img src=x onerror=alert(1)>'\"&\x1b[31m=1+1 `x` [a](http://e)"


def hostile(text: str) -> RunRecord:
    """A run in which every text that a sender chooses is this one."""
    told = dict.fromkeys(("agent_name", "user_id", "model", "environment", "service_version", "tool_name"), text)
    events: list[dict[str, Any]] = [
        event("action.proposed", "proposed", **told, call_id=text, arguments=text),
        event("input.resolved", "user_prompt", content=text, content_digest=text, **told),
        event("approval.requested", s=1, content=text, **told, call_id=text),
        event("approval.rejected", s=2, decided_by="human", decider=text, reason=text, **told, call_id=text),
    ]
    return record_of(*events)


def test_the_page_tells_the_story_and_marks_what_was_changed() -> None:
    """From the headline to the receipt."""
    page = html.written(document(record_of(*STORY)))
    text = Elements(page).text
    for words in (
        "1 call: 1 modified. 1 near miss, 1 of them consequential. 1 receipt of a change. 3 of 6 answers known.",
        "webhook issue 12 by run r-1",
        "modified by human (bob), authenticated after 4.0 s",
        "/amount: 900 → 60",
        "ask by policy (limit): over the limit",
        "Pay 900?",
        "pay of ledger 1042 applied",
        "receipt re_1",
        "payments 3",
    ):
        assert words in text
    assert re.findall(r"<(ins|del)>(.*?)</", page) == [
        ("del", "  &quot;amount&quot;: 900"),
        ("ins", "  &quot;amount&quot;: 60"),
    ]


def test_nothing_is_marked_where_nothing_was_changed() -> None:
    """The control of the marks."""
    assert not {"ins", "del"} & set(Elements(html.written(document(record_of(PROPOSED, COMPLETED)))).elements)


def test_a_control_that_failed_stands_above_all_else() -> None:
    """Before the answers, in words."""
    refused = event("approval.rejected", s=2, decided_by="human", decider="bob")
    text = Elements(html.written(document(record_of(PROPOSED, ASKED_WITH, refused, RAN)))).text
    assert text.index("ran refused (call 1, certain): it ran although it was refused") < text.index("Six answers")
    assert "Where a control failed" not in Elements(html.written(document(record_of(*STORY)))).text


def test_what_a_hostile_agent_wrote_is_text_in_a_record_too() -> None:
    """The page has the elements that it has with a harmless text of its length."""
    page, harmless = (Elements(html.written(document(hostile(text)))) for text in (HOSTILE, "q" * len(HOSTILE)))
    assert page.elements == harmless.elements
    assert [name for name, _ in page.attributes] == [name for name, _ in harmless.attributes]
    assert "‹U+202E›" in page.text
    assert not re.search(r"[\u202e\x1b]", html.written(document(hostile(HOSTILE))))
    assert not re.search(r"[\u202e\x1b]|^<script", markdown.written(document(hostile(HOSTILE))), re.MULTILINE)


def test_the_page_names_the_digest_of_the_record_that_it_tells() -> None:
    """Whoever has the store can make the record again, and compare."""
    record = record_of(*STORY)
    digest = hashlib.sha256(json_of(record).encode()).hexdigest()
    page = Elements(html.written(document(record))).text
    command = f"aftertrace run {record.run_id} --format json --as-of {record.as_of}"
    assert f"{command}, whose SHA-256 is {digest}." in page


def test_of_many_calls_those_that_a_control_had_to_do_with_are_shown() -> None:
    """And how to see the others."""
    ran = [
        event("tool.called", "completed", s=at / 100, end_ns=None, call_id=f"c-{at}", tool_name="read")
        for at in range(SHOWN_CARDS + 5)
    ]
    refused = event("policy.evaluated", "deny", s=9, call_id="c-last", tool_name="drop", decided_by="policy")
    record = record_of(*ran, refused)
    shown = cards(record).cards
    assert (len(shown), shown[-1].title) == (SHOWN_CARDS, f"{SHOWN_CARDS + 6} · drop")
    assert f"6 more calls: aftertrace calls --run {record.run_id}" in Elements(html.written(document(record))).text


def test_a_page_stays_small_whatever_an_agent_writes() -> None:
    """Two hundred thousand characters of arguments."""
    record = record_of(event("action.proposed", "proposed", arguments='"' + "x" * 200_000 + '"'))
    page = html.written(document(record))
    assert len(page) < 40_000
    assert "196,002 more characters" in page


def test_times_of_another_day_have_their_date() -> None:
    """An approval may come days later."""
    began = "2026-11-21T23:59:59.000000000Z"
    told = [clock(at, began) for at in ("2026-11-21T23:59:59.120000000Z", "2026-11-22T00:00:01.120000000Z", None)]
    assert [at and at.text for at in told] == ["23:59:59.120", "2026-11-22 00:00:01.120", None]


def test_lengths_are_told_in_the_units_that_matter() -> None:
    """Two at most."""
    assert [length(s) for s in (0.32, 4.74, 125, 3700, 97_200, -0.5)] == [
        "320 ms", "4.7 s", "2 min 05 s", "1 h 01 min", "1 d 03 h", "-500 ms",
    ]  # fmt: skip


def test_a_run_without_calls_inputs_or_receipts_says_so() -> None:
    """And makes no table of nothing."""
    told = markdown.written(document(record_of({**ENDED, "event": "run.created"})))
    assert "No tool call is on record." in told
    assert "No receipt is on record, and no result tells of a change. That does not say that nothing changed." in told
    assert "## Approvals" not in told
