"""The honest sender of the tests of abuse does as it is told: it waits, and then sends the same again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from aftertrace.store.errors import Invalid, Unavailable
from aftertrace.store.request import Prepared, Request

from .honest import Honest
from .station import Station

FULL = Unavailable("append: full", retry_after_s=2.25)


@pytest.mark.parametrize(
    ("answers", "said", "waits_s", "given_up"),
    [
        ([FULL, FULL, None, None], ["http 503", "http 503", "http 200", "grpc OK"], [3.0, 3.0], []),
        ([None, FULL, None], ["http 200", "grpc UNAVAILABLE", "grpc OK"], [2.25], []),
        ([FULL, FULL, FULL], ["http 503", "http 503", "grpc UNAVAILABLE"], [3.0], ["http 503", "grpc UNAVAILABLE"]),
        ([Invalid("no"), FULL, None], ["http 400", "grpc UNAVAILABLE", "grpc OK"], [2.25], ["http 400"]),
    ],
    ids=["over HTTP", "over gRPC", "for longer than it goes on", "for good"],
)
def test_what_is_refused_is_sent_again_after_the_wait_that_was_told(
    open_station: Callable[..., Station],
    answers: list[Exception | None],
    said: list[str],
    waits_s: list[float],
    given_up: list[str],
) -> None:
    """In whole seconds over HTTP. The end comes as it waits for the last time: what waits then is tried once more."""
    left, ended, waited_s = list(answers), threading.Event(), list[float]()

    def append(request: Request, prepared: Prepared) -> Future[int]:
        error = left.pop(0)
        if error is None:
            return station.append(request, prepared)
        future: Future[int] = Future()
        future.set_exception(error)
        return future

    def wait(wait_s: float) -> None:
        waited_s.append(wait_s)
        if waited_s == waits_s:
            ended.set()

    station = open_station(append=append)
    honest = Honest(station.receiver.http_port, station.receiver.grpc_port, wait)
    honest.send_until(ended)
    assert (honest.answers, waited_s, honest.given_up, left) == (said, waits_s, given_up, [])
    assert honest.waits_s == waits_s


@pytest.mark.parametrize(
    ("waits_s", "refusing_s", "at_most"),
    [([], 1.6, 2), ([2.0], 1.6, 1), ([2.0, 1.0], 1.6, 2), ([0.1] * 16, 1.6, 2), ([2.0] * 3, 4.1, 3)],
    ids=["not at all", "once", "untold too", "told to come at once", "for longer"],
)
def test_no_more_refusals_fit_into_an_attack_than_waits(waits_s: list[float], refusing_s: float, at_most: int) -> None:
    """Two at the most where it lasts as long as it is let; more only where it went on for longer."""
    assert Honest(0, 0, waits_s=waits_s).refused_at_most(refusing_s) == at_most
