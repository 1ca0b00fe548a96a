"""What is logged of refusals: once, then counted; and nothing of what was sent."""

from __future__ import annotations

import pytest

from aftertrace.receiver.journal import Journal
from aftertrace.receiver.status import refusal
from aftertrace.store.errors import Invalid, Unavailable


class Clock:
    """A clock that the test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def refuse(journal: Journal, error: Exception, source: str = "ci") -> None:
    """Log one refusal."""
    journal.refused("traces", source, refusal(error), error)


def test_a_flood_of_refusals_is_a_line_and_a_number(caplog: pytest.LogCaptureFixture) -> None:
    """By source and status; what a sender cannot mend by waiting is counted elsewhere."""
    clock = Clock()
    journal = Journal(clock)
    for _ in range(1_000):
        refuse(journal, Unavailable("append: full"))
    refuse(journal, Unavailable("append: full"), "other")
    refuse(journal, Invalid("read: no"))
    clock.now_s = 5.0
    refuse(journal, Unavailable("append: full"))
    assert caplog.messages == [
        "take traces request of ci: refused with 503: append: full",
        "take traces request of other: refused with 503: append: full",
        "take traces request of ci: refused with 503: append: full (999 more like it since the last such line)",
    ]


def test_a_defect_is_told_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    """The text of an exception may quote a payload."""
    try:
        int("hunter2")
    except ValueError as error:
        refuse(Journal(), error)
    (told,) = caplog.messages
    assert told.startswith("take traces request of ci: a defect, please report it: ValueError at test_journal.py:")
    assert "hunter2" not in told
