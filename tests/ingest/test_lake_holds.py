"""Holds in a lake: what is set at one receiver keeps what another stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftertrace.store import durable
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Hold, Release, Withdrawn
from aftertrace.store.ledger.sealer import seal

from .drain_samples import drain, send, stored, traces
from .retaining import AT_ONCE, asked, checked, codes, plan

EAST, WEST = "east", "west"


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, Layout]:
    """Two data folders with one lake; each has stored a request of a day that is over."""
    layouts = {name: open_folder(tmp_path / name, str(tmp_path / "lake")) for name in (EAST, WEST)}
    for number, (name, layout) in enumerate(layouts.items(), 1):
        durable.make_folder(layout.store_key.parent)
        durable.write_file(layout.store_key, bytes(32), mode=0o600)
        send(layout, traces(number), receiver=name)
        drain(layout)
        seal(layout)
    return layouts


def order(layout: Layout) -> str:
    """What is over of the receiver of a data folder, without a look at what is held."""
    return acts.ask_to_destroy(layout, asked(plan(layout)))


def turn(layout: Layout) -> None:
    """A drain, and the sealer."""
    drain(layout, AT_ONCE)
    seal(layout)


def left(layout: Layout) -> list[str]:
    """Of which receivers there are requests."""
    return sorted(stored(layout)["evidence"]["receiver"].unique())


def held(layout: Layout) -> list[tuple[str, str, str]]:
    """What holds, as a ledger has it."""
    return [(hold.id, hold.of, hold.by) for hold in acts.holds(acts.recorded(layout))]


def test_a_hold_at_one_keeps_what_another_stored(shared: dict[str, Layout]) -> None:
    """Its drain takes it over before it compares an order, and lets go when the one that set it does."""
    east, west = shared.values()
    hold = acts.ask_hold(west, "source", "anonymous", "bob", "case 7")
    turn(west)
    assert (held(west), held(east)) == ([(hold, "source", "bob")], [])
    ident = order(east)
    turn(east)
    assert "plan it again" in (acts.refusal(east, ident) or "")
    assert held(east) == held(west)
    ident = order(east)
    turn(east)
    assert f"hold {hold} of source anonymous keeps some of it" in (acts.refusal(east, ident) or "")
    acts.ask_release(west, hold, "bob", "closed")
    turn(west)
    for _ in range(2):
        order(east)
        turn(east)
        turn(east)
    assert (held(east), left(east)) == ([], [WEST])
    assert {each.act.hold for each in acts.recorded(east) if isinstance(each.act, Release)} == {hold}
    for layout in shared.values():
        assert codes(checked(layout)).keys() <= {"destroyed", "receiver_uncovered", "commits_uncovered"}


def test_a_hold_at_one_catches_an_order_of_another(shared: dict[str, Layout]) -> None:
    """That was entered before it and has not begun; and whoever shares may release it."""
    east, west = shared.values()
    order(east)
    turn(east)
    hold = acts.ask_hold(west, "days", "2025-11-25/2025-11-25", "bob", "case 7")
    turn(west)
    turn(east)
    assert [each.act.hold for each in acts.recorded(east) if isinstance(each.act, Withdrawn)] == [hold]
    acts.ask_release(east, hold, "ann", "closed")
    turn(east)
    turn(west)
    assert (held(east), held(west)) == ([], [])


def test_the_control_a_hold_of_something_else_keeps_nothing(shared: dict[str, Layout]) -> None:
    """It is taken over, and what is not of it goes; what the other stored stays in any case."""
    east, west = shared.values()
    acts.ask_hold(west, "tenant", "acme", "bob", "case 7")
    turn(west)
    turn(east)
    order(east)
    turn(east)
    turn(east)
    assert [each.act.of for each in acts.recorded(east) if isinstance(each.act, Hold)] == ["tenant"]
    assert left(east) == [WEST]


@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_where_a_hold_of_the_lake_cannot_be_read_nothing_goes(shared: dict[str, Layout], content: bytes | None) -> None:
    """Damaged, or of another id: the order is refused, and one that was entered waits until it is mended."""
    east, west = shared.values()
    order(east)
    turn(east)
    hold = acts.ask_hold(west, "tenant", "acme", "bob", "case 7")
    turn(west)
    path = west.tables_folder / "_holds" / hold
    whole = path.read_bytes()
    path.write_bytes(whole.replace(hold.encode(), b"0" * 32) if content is None else content)
    turn(east)
    ident = order(east)
    turn(east)
    assert "what is held could not be told" in (acts.refusal(east, ident) or "")
    assert left(east) == [EAST, WEST]
    path.write_bytes(whole)
    turn(east)
    turn(east)
    assert [each.act.of for each in acts.recorded(east) if isinstance(each.act, Hold)] == ["tenant"]
    assert left(east) == [WEST]


def test_a_store_of_its_own_has_no_such_folder(layout: Layout) -> None:
    """Nothing is shared."""
    acts.ask_hold(layout, "tenant", "acme", "bob", "case 7")
    turn(layout)
    assert not (layout.tables_folder / "_holds").exists()
