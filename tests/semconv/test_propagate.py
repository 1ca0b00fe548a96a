"""The run id to systems of record and back: it survives, and hostile text yields nothing."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as contexts
from opentelemetry.baggage.propagation import W3CBaggagePropagator

from aftertrace.semconv import propagate

if TYPE_CHECKING:
    from collections.abc import Callable

RUN_IDS = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?\Z")
READERS = [propagate.from_commit_message, propagate.from_sql, propagate.from_body]
WORDS = (
    "Aftertrace-Run|: |run-1|run-2|\n|\n\n|\r\n|<!-- | -->|/*|*/|'|=|,|;|aftertrace.run.id|%|%2|%00|`| |> |baggage"
    "|\ud800|\x00|😀|a: b"
)
PIECES = st.lists(st.sampled_from(WORDS.split("|")) | st.text(max_size=5), max_size=30).map("".join)


@given(RUN_IDS, st.text(max_size=80))
def test_it_survives_a_commit_message(run_id: str, message: str) -> None:
    """Whatever the message says before, if it does not already name a run."""
    written = propagate.to_commit_message(message, run_id)
    if propagate.TRAILER.lower() not in message.lower():
        assert propagate.from_commit_message(written) == run_id


@given(RUN_IDS, st.text(max_size=80), st.booleans())
def test_it_survives_markdown(run_id: str, body: str, visible: bool) -> None:
    """As a comment that is not shown and as a line that is."""
    written = propagate.to_body(body, run_id, visible=visible)
    if propagate.TRAILER.lower() not in body.lower():
        assert propagate.from_body(written) == run_id
        assert propagate.from_body(written.replace("\n", "\r\n")) == run_id


@given(RUN_IDS, st.text(max_size=80))
def test_it_survives_an_sql_statement(run_id: str, statement: str) -> None:
    """With and without a semicolon, and a database log that trims white space."""
    assert propagate.from_sql(propagate.to_sql(statement, run_id)) == run_id
    assert propagate.from_sql(propagate.to_sql(f"{statement};", run_id).strip()) == run_id


@given(RUN_IDS)
def test_it_survives_baggage_as_opentelemetry_sends_it(run_id: str) -> None:
    """Context, official propagator, header, and back, in both directions."""
    carrier: dict[str, str] = {}
    W3CBaggagePropagator().inject(carrier, propagate.to_baggage(run_id, contexts.Context()))
    assert propagate.from_headers(carrier) == run_id
    headers = propagate.to_headers(run_id)
    assert propagate.from_baggage(W3CBaggagePropagator().extract(headers, contexts.Context())) == run_id


def test_headers_keep_what_they_hold() -> None:
    """Other headers and other baggage stay; another run id makes way; the name's spelling does not matter."""
    headers = {"Accept": "*/*", "Baggage": "tenant=acme;ttl=1, aftertrace.run.id=old"}
    written = propagate.to_headers("new", headers)
    assert written == {"Accept": "*/*", "baggage": "tenant=acme;ttl=1,aftertrace.run.id=new"}
    assert propagate.from_headers({"BAGGAGE": written["baggage"]}) == "new"
    assert headers["Baggage"].endswith("old")


def test_a_trailer_joins_the_trailers_that_are_there() -> None:
    """Git reads one block of trailers, the last."""
    message = "Fix it\n\nBecause.\n\nSigned-off-by: A <a@example.com>\n"
    assert propagate.to_commit_message(message, "run-1") == message + "Aftertrace-Run: run-1\n"
    assert propagate.to_commit_message("Fix: it", "run-1") == "Fix: it\n\nAftertrace-Run: run-1\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine: it did not read the trailer")
@pytest.mark.parametrize("message", ["Fix it", "Fix: it", "Fix it\n\nBecause.\n\nSigned-off-by: A <a@example.com>\n"])
def test_git_itself_finds_the_trailer(message: str) -> None:
    """`git interpret-trailers --parse` lists it, after those that were there."""
    written = propagate.to_commit_message(message, "run-1")
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=written, capture_output=True, text=True, check=True, timeout=30
    )
    assert parsed.stdout.splitlines()[-1] == "Aftertrace-Run: run-1"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (propagate.from_commit_message, "Quote:\n\nAftertrace-Run: run-1\n\nThis is prose."),
        (propagate.from_commit_message, "Fix\n\nAftertrace-Run: run-1\nAftertrace-Run: run-2\n"),
        (propagate.from_commit_message, "Fix\n\nAftertrace-Run: run-1\nand more prose\n"),
        (propagate.from_commit_message, "Fix\n\nAftertrace-Run: -run\n"),
        (propagate.from_commit_message, "Fix\n\nNot-Aftertrace-Run: run-1\n"),
        (propagate.from_sql, "SELECT '/*aftertrace.run.id=''run-1''*/'"),
        (propagate.from_sql, "SELECT 1 /*aftertrace.run.id='run-1'*/ FROM t"),
        (propagate.from_sql, "SELECT 1 /*aftertrace.run.id=run-1*/"),
        (propagate.from_sql, "SELECT 1 /*aftertrace.run.id='a',aftertrace.run.id='b'*/"),
        (propagate.from_sql, "SELECT 1 /*aftertrace.run.id='run%0a1'*/"),
        (propagate.from_sql, "/*/"),
        (propagate.from_body, "> Aftertrace-Run: run-1"),
        (propagate.from_body, "as Aftertrace-Run: run-1 says"),
        (propagate.from_body, "<!-- Aftertrace-Run: run-1 -->\n<!-- Aftertrace-Run: run-2 -->"),
        (propagate.from_body, f"<!-- Aftertrace-Run: {'a' * 129} -->"),
        (propagate.from_body, "<!-- Aftertrace-Run: run-1 --><script>"),
    ],
)
def test_what_is_out_of_place_or_ambiguous_is_no_answer(read: Callable[[str], str | None], text: str) -> None:
    """Quoted, in a literal, twice, or of another form."""
    assert read(text) is None


@given(PIECES)
def test_the_readers_never_raise(text: str) -> None:
    """Any text: None or a well-formed id, and what is found stands in the text."""
    found = [*(read(text) for read in READERS), propagate.from_headers({"baggage": text, text: "aftertrace.run.id=x"})]
    assert all(run_id is None or propagate.is_run_id(run_id) for run_id in found)


@pytest.mark.parametrize(
    "piece", ["/*", "Aftertrace-Run: ", "<!-- ", "\n\n", "\n \n", "a: b\n", "Aftertrace-Run: a" * 3, ",", "'"]
)
def test_a_long_hostile_text_takes_no_long_time(piece: str) -> None:
    """A megabyte of each beginning: every reader is linear."""
    text = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    for read in READERS:
        read(text)
    propagate.from_headers({"baggage": text})
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("text", ["", "-a", "a-", "a b", "a\n", "é", "a" * 129, "a/b", "a'b"])
def test_a_run_id_that_would_not_survive_is_refused(text: str) -> None:
    """At the door, and not in a commit message later."""
    for write in (
        propagate.to_baggage,
        propagate.to_headers,
        lambda run_id: propagate.to_sql("", run_id),
        lambda run_id: propagate.to_body("", run_id),
        lambda run_id: propagate.to_commit_message("", run_id),
    ):
        with pytest.raises(propagate.NotARunId):
            write(text)


@given(RUN_IDS)
def test_it_survives_an_environment(run_id: str) -> None:
    """Beside what is in the baggage, in place of another run."""
    written = propagate.to_environment(run_id, {"BAGGAGE": "tenant=shop,aftertrace.run.id=old", "HOME": "/root"})
    assert written == {"BAGGAGE": f"tenant=shop,aftertrace.run.id={run_id}", "HOME": "/root"}
    assert propagate.from_environment(written) == run_id
    assert propagate.from_environment({"HOME": "/root"}) is None


def test_every_run_that_lines_of_their_own_name_is_found() -> None:
    """Of a commit that was squashed or amended; the control: not what is quoted, indented or of another form."""
    text = (
        "Fix (#3)\r\n\r\n* One\n\nAftertrace-Run: run-7\n\n<!-- Aftertrace-Run: run-8 -->\naftertrace-run: `run-7`\n"
        "> Aftertrace-Run: quoted\n  Aftertrace-Run: indented\nAftertrace-Run: no id\nsee Aftertrace-Run: inline\n"
        "Aftertrace-Conversation: s-1\nAftertrace-Conversation: s-2\nAftertrace-Conversation: s-1"
    )
    assert propagate.named_runs(text) == ("run-7", "run-8")
    assert propagate.named_conversations(text) == ("s-1", "s-2")


@given(PIECES)
def test_what_is_named_is_an_id(text: str) -> None:
    """Whatever the text, and a reader of one id finds none that is not among all."""
    named = propagate.named_runs(text)
    assert all(map(propagate.is_run_id, (*named, *propagate.named_conversations(text))))
    assert propagate.from_body(text) in {*named, None}
