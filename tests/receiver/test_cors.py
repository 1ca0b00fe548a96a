"""Web pages: shut out unless their origin is named, and then asked no more than browsers ask."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aftertrace.receiver.cors import origins
from aftertrace.receiver.tally import Refused
from aftertrace.store.errors import Invalid

from .station import JSON, SPAN_JSON, Station

PAGE = "https://app.example.com"
ASKED = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}


def test_no_page_may_send_by_default(station: Station) -> None:
    """Whoever looks at a page must not write into the store of this machine by it; senders have no origin."""
    assert station.post("traces", None, None, method="OPTIONS", Origin=PAGE, **ASKED).status == 403
    assert station.post("traces", SPAN_JSON, JSON, Origin=PAGE).status == 403
    assert station.post("traces", SPAN_JSON, JSON, Origin="null").status == 403
    assert station.kept() == []
    assert station.receiver.tally.refused() == (Refused("traces", "unknown", 403, 3),)
    answer = station.post("traces", SPAN_JSON, JSON)
    assert (answer.status, [name for name in answer.headers if name.startswith("access-control")]) == (200, [])


def test_a_page_whose_origin_is_named_may(open_station: Callable[..., Station]) -> None:
    """It asks first; both answers name the origin, and a cache keeps them apart."""
    station = open_station(cors_origins=origins(f"http://localhost:3000,{PAGE}"))
    asked = station.post("traces", None, None, method="OPTIONS", Origin=PAGE, **ASKED)
    assert asked.status == 200
    assert {
        name: value for name, value in asked.headers.items() if name not in ("date", "content-type", "content-length")
    } == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "authorization, content-encoding, content-type",
        "access-control-max-age": "7200",
        "vary": "origin, access-control-request-method, access-control-request-headers",
    }
    answer = station.post("traces", SPAN_JSON, JSON, Origin=PAGE)
    assert (answer.status, answer.headers["access-control-allow-origin"], answer.headers["vary"]) == (
        200,
        PAGE,
        "origin",
    )
    refused = station.post("traces", b"{", JSON, Origin=PAGE)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (400, PAGE)
    assert refused.headers["access-control-expose-headers"] == "retry-after"
    assert station.post("traces", SPAN_JSON, JSON, Origin="https://evil.example.com").status == 403
    assert station.post("traces", None, None, method="OPTIONS").status == 405


@pytest.mark.parametrize("text", ["*", "app.example.com", "https://app.example.com/", "https://A.example.com", "null"])
def test_what_is_no_origin_is_told_at_the_start(text: str) -> None:
    """`*` would let in every page of the web."""
    with pytest.raises(Invalid, match=r"configure receiver: cors_origins has .*, expected origins such as"):
        origins(f"{PAGE}, {text}")


def test_origins_are_a_list_with_commas() -> None:
    """Nothing is an empty list."""
    assert (origins(""), origins(f" {PAGE} ,http://[::1]:80,")) == (frozenset(), {PAGE, "http://[::1]:80"})
