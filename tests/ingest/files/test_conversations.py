"""Which conversation a list of messages is of, however many there are."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.files import conversations
from aftertrace.ingest.files.conversations import Conversations, Place

ALIKE: Final = 600
SAID: Final = [{"role": role, "content": text} for role in ("user", "assistant") for text in "ab"]


@given(st.lists(st.lists(st.sampled_from(SAID), min_size=1, max_size=5), max_size=12))
def test_a_list_goes_on_with_the_first_conversation_that_it_begins_as(lists: list[list[dict[str, Any]]]) -> None:
    """Or that begins as it: as a search through all of them in turn would find."""
    log = Conversations("a")
    seen: list[tuple[str, list[dict[str, Any]]]] = []
    for messages in lists:
        place = log.place(messages, named=None)
        opening = conversations.opening(messages)
        same = [each for each in seen if conversations.opening(each[1]) == opening]
        found = next((each for each in same if all(a == b for a, b in zip(each[1], messages, strict=False))), None)
        if found is None:
            assert (place.known, place.id not in {own for own, _ in seen}) == (0, True)
            seen.append((place.id, messages))
        else:
            assert place == Place(found[0], min(len(found[1]), len(messages)))
            seen[seen.index(found)] = (found[0], max(found[1], messages, key=len))


def test_conversations_that_open_alike_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs what its own messages do, so that a file of thousands is read in seconds."""
    compared: list[int] = []

    def common(first: list[bytes], second: list[bytes]) -> int:
        compared.append(len(first))
        return min(len(first), len(second))

    monkeypatch.setattr(conversations, "_common", common)
    log = Conversations("a")
    opening = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]
    places = [log.place([*opening, {"role": "user", "content": str(n)}], named=None) for n in range(ALIKE)]
    assert (len({place.id for place in places}), compared) == (ALIKE, [])
    again = log.place([*opening, {"role": "user", "content": "7"}], named=None)
    assert (again.id, len(compared)) == (places[7].id, 1)
