"""What a receiver tells of itself at `/metrics`: counts and sizes in the Prometheus text format, never a value.

https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from aftertrace.receiver.tally import Tally

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its samples."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: tuple[tuple[tuple[tuple[str, str], ...], float], ...]
    """Labels and value of each."""


def families(tally: Tally, gauges: Mapping[str, tuple[str, float]]) -> Iterable[Family]:
    """Everything that there is to tell.

    Args:
        tally: what was taken and refused since the start.
        gauges: by name: what it is, and its value now; a counter where the name ends in `_total`.
    """
    accepted, refused = tally.accepted(), tally.refused()
    taken = tuple(
        ((("signal", each.signal), ("source", each.source), ("status", "200")), float(each.requests))
        for each in accepted
    )
    turned_away = tuple(
        ((("signal", each.signal), ("source", each.source), ("status", str(each.http_status))), float(each.requests))
        for each in refused
    )
    yield Family(
        "aftertrace_requests_total",
        "counter",
        "Export requests since the start, by HTTP status; gRPC counts under the status that means the same.",
        taken + turned_away,
    )
    for name, about, of in (
        ("aftertrace_records_total", "Spans, log records and metrics that were answered OK.", "records"),
        ("aftertrace_payload_bytes_total", "Protobuf bytes of them, after redaction.", "payload_bytes"),
    ):
        yield Family(
            name,
            "counter",
            about,
            tuple(((("signal", each.signal), ("source", each.source)), float(getattr(each, of))) for each in accepted),
        )
    yield Family(
        "aftertrace_redactions_total",
        "counter",
        "How often a redaction rule fired in what was answered OK.",
        tuple(((("rule", rule),), float(times)) for rule, times in tally.redactions()),
    )
    yield Family(
        "aftertrace_quota_refusals_total",
        "counter",
        "Requests that were refused since their source had sent what it may; also among the requests above.",
        tuple(((("source", source),), float(requests)) for source, requests in tally.over_quota()),
    )
    for name, (about, value) in gauges.items():
        yield Family(name, "counter" if name.endswith("_total") else "gauge", about, (((), value),))


def exposition(shown: Iterable[Family]) -> bytes:
    """The text that a Prometheus server reads."""
    lines: list[str] = []
    for family in shown:
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        for labels, value in family.samples:
            named = ",".join(f'{name}="{text.translate(_ESCAPED)}"' for name, text in labels)
            number = int(value) if value.is_integer() else value
            lines.append(f"{family.name}{{{named}}} {number}" if named else f"{family.name} {number}")
    return ("\n".join(lines) + "\n").encode()
