"""Commentary: what was written stays as it was written, in its order, and nobody else's line counts as signed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from aftertrace.store.commentary.comments import KINDS, AsOf, Comment, Subject, checked, decoded, encoded
from aftertrace.store.commentary.log import Commentary, add, read
from aftertrace.store.errors import AftertraceError, Corrupt, Invalid
from aftertrace.store.layout import Layout
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey

RUN = Subject("run", "5ca1ab1e5ca1ab1e")


def note(text: str = "Asked finance: the refund was right.", **other: object) -> Comment:
    """A comment of this moment about a run."""
    fields = {"time_ns": "1764072000000000000", "author": "Ana Ruiz", "account": "ana", "kind": "note", "about": (RUN,)}
    return Comment(**{**fields, "text": text, **other})  # type: ignore[arg-type]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Three comments, of which the last takes the first back."""
    layout = Layout(tmp_path)
    taken_back = note("Not this run.", kind="retraction", replaces=1)
    said = [note(), note("high", kind="label", label="severity", as_of=AsOf(7, "root")), taken_back]
    assert [add(layout, each) for each in said] == [1, 2, 3]
    return layout


def test_what_was_written_is_read_in_its_order(layout: Layout) -> None:
    """Signed by a key whose secret nobody else may read; somebody who never wrote has no log."""
    found = read(layout)
    assert [(each.kind, each.text, each.replaces) for each in found.comments] == [
        ("note", "Asked finance: the refund was right.", 0),
        ("label", "high", 0),
        ("retraction", "Not this run.", 1),
    ]
    assert found.key is not None
    assert found.key.name.startswith("aftertrace-commentary/")
    assert found.unsigned == b""
    assert (layout.commentary / "signer").stat().st_mode & 0o777 == 0o600
    assert read(Layout(layout.data / "elsewhere")) == Commentary()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (note(about=()), "about nothing"),
        (note(" "), "an empty text"),
        (note("x" * 16_385), "16385 characters, expected 16384 at most"),
        (note(author=""), "a name that is empty"),
        (note(kind="label"), "the label ''"),
        (note(label="severity"), "the label 'severity'"),
        (note(kind="label", label="Not A Name"), "the label 'Not A Name'"),
        (note(kind="event"), "an event without its time"),
        (note(kind="retraction"), "a retraction of nothing"),
        (note(at_ns="1"), "a time without an event"),
        (note(kind="event", at_ns="١"), "a time or size that is no number"),
        (note(kind="event", at_ns=str(1 << 63)), "a time or size that is no number"),
        (note(replaces=4), "it replaces comment 4, expected one of the 3"),
        (note(replaces=1), "comment 1 was replaced by 3"),
        (note(replaces=3), "comment 3 took another one back"),
    ],
)
def test_what_cannot_be_said_is_refused(layout: Layout, wrong: Comment, message: str) -> None:
    """And nothing is added."""
    before = (layout.commentary / "comments").read_bytes()
    with pytest.raises(Invalid, match=message):
        add(layout, wrong)
    assert (layout.commentary / "comments").read_bytes() == before


def test_every_change_of_a_byte_is_found(layout: Layout) -> None:
    """Of each file that is read, at each place; and as the control, the same bytes put back are read again."""
    sound = read(layout)
    for name in ("comments", "checkpoint", "key"):
        path = layout.commentary / name
        content = path.read_bytes()
        for at in range(len(content)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(Corrupt, match="put commentary/ back from a backup"):
                read(layout)
        path.write_bytes(content)
    assert read(layout) == sound


def test_what_is_gone_moved_or_put_in_between_is_found(layout: Layout) -> None:
    """Lines are signed in their order."""
    path = layout.commentary / "comments"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    for forged in (first + second, second + first + third, first + first + second + third, b""):
        path.write_bytes(forged)
        with pytest.raises(Corrupt):
            read(layout)
        with pytest.raises(Corrupt):
            add(layout, note("More."))
        assert path.read_bytes() == forged, "what is damaged is kept"
    for name in ("comments", "checkpoint", "signer"):
        path.write_bytes(first + second + third)
        missing = layout.commentary / name
        kept = missing.read_bytes()
        missing.unlink()
        with pytest.raises(Corrupt):
            add(layout, note("More."))
        missing.write_bytes(kept)


def test_a_line_that_was_not_signed_is_no_comment(layout: Layout) -> None:
    """Whether a crash left it or somebody put it there: it is not read, and set aside when the next one is added."""
    path = layout.commentary / "comments"
    strange = encoded(note("I approve.", author="The CISO")) + b"\n" + b'{"torn'
    path.write_bytes(path.read_bytes() + strange)
    assert [each.text for each in read(layout).comments][2:] == ["Not this run."]
    assert read(layout).unsigned == strange
    assert add(layout, note("More.")) == 4
    assert [each.text for each in read(layout).comments][2:] == ["Not this run.", "More."]
    (aside,) = layout.commentary.glob("unsigned.*")
    assert (aside.read_bytes(), read(layout).unsigned) == (strange, b"")


def test_a_checkpoint_by_another_key_counts_for_nothing(layout: Layout) -> None:
    """Whoever can write here can make a log of their own: then it is another key, which whoever kept the first sees."""
    other = SignerKey("aftertrace-commentary/other", bytes(32))
    ours = read(layout)
    (layout.commentary / "checkpoint").write_bytes(bytes(Checkpoint(other.name, 3, ours.root(3)).signed(other)))
    with pytest.raises(Corrupt, match="no checkpoint by its key"):
        read(layout)
    (layout.commentary / "key").write_text(f"{other.verifier}\n")
    assert read(layout).key == other.verifier != ours.key


def test_a_first_comment_that_a_crash_cut_off_can_be_written_again(tmp_path: Path) -> None:
    """After the key, before anything was signed."""
    layout = Layout(tmp_path)
    add(layout, note())
    for name in ("comments", "checkpoint", "key"):
        (layout.commentary / name).unlink()
    assert (add(layout, note()), len(read(layout).comments)) == (1, 1)


texts = some.text(max_size=40)
numbers = some.integers(0, 2**62).map(str)


@given(
    some.builds(
        Comment,
        time_ns=numbers,
        author=texts,
        account=texts,
        kind=some.sampled_from(KINDS),
        about=some.lists(some.builds(Subject, some.sampled_from(("run", "call", "incident")), texts)).map(tuple),
        text=texts,
        label=some.sampled_from(("", "severity", "A B")),
        at_ns=some.one_of(some.just(""), numbers),
        replaces=some.integers(-1, 5),
        as_of=some.none() | some.builds(AsOf, some.integers(-1, 2**62), texts),
    )
)
def test_what_may_be_added_is_read_as_it_was_written(comment: Comment) -> None:
    """And what may not is no comment either where it stands in a log."""
    before = [note()] * 5
    try:
        checked(comment, before)
    except Invalid:
        try:
            found = decoded(encoded(comment))
        except (Corrupt, UnicodeEncodeError):
            return
        # Alone it could stand there; it replaces what it must not.
        assert found == comment
        assert comment.replaces
    else:
        assert decoded(encoded(comment)) == comment


@given(some.binary(max_size=200) | some.recursive(some.none() | texts, some.lists).map(msgspec.json.encode))
def test_any_bytes_are_a_comment_or_refused(content: bytes) -> None:
    """With the error of a store, never another."""
    with pytest.raises(AftertraceError):
        decoded(content)
