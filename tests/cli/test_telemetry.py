"""Figures of a receiver that go to another one: the same as at `/metrics`, and never in a circle."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.receiver.station import REQUESTS, Station

from aftertrace.cli.telemetry import Endpoint, Telemetry
from aftertrace.store.errors import Invalid
from aftertrace.store.folder import open_folder
from aftertrace.store.sources import add_token


@pytest.fixture
def stations(tmp_path: Path) -> Iterator[tuple[Station, Station]]:
    """Two receivers."""
    with ExitStack() as opened:
        pair = tuple(Station(open_folder(tmp_path / name)) for name in ("one", "other"))
        for station in pair:
            opened.callback(station.close)
        yield pair[0], pair[1]


def reporting(of: Station, to: Station, headers: str = "") -> Telemetry:
    """What reports on one receiver to another, when it is told to."""
    ports = (of.receiver.http_port, of.receiver.grpc_port)
    endpoint = Endpoint.parse(f"http://127.0.0.1:{to.receiver.http_port}", headers)
    return Telemetry(endpoint, ports, of.receiver.metrics, "main", 60)


def test_another_receiver_gets_what_prometheus_would(stations: tuple[Station, Station]) -> None:
    """Counters as sums, sizes as gauges, labels as attributes; under the name of its source."""
    here, there = stations
    token = add_token(there.layout, "aftertrace/self", 1)
    assert here.post("traces", REQUESTS["traces"]).status == 200
    reporting(here, there, f"authorization=Bearer%20{token}").send()
    (frame,) = there.kept()
    assert (frame.signal, frame.source) == ("metrics", "aftertrace/self")
    (group,) = ExportMetricsServiceRequest.FromString(frame.payload).resource_metrics
    assert {each.key: each.value.string_value for each in group.resource.attributes} == {
        "service.name": "aftertrace",
        "service.instance.id": "main",
    }
    found = {metric.name: metric for metric in group.scope_metrics[0].metrics}
    requests = found["aftertrace_requests_total"].sum
    assert (requests.is_monotonic, requests.aggregation_temporality) == (True, 2)
    (point,) = requests.data_points
    assert {each.key: each.value.string_value for each in point.attributes} == {
        "signal": "traces",
        "source": "anonymous",
        "status": "200",
    }
    assert (point.as_double, 0 < point.start_time_unix_nano <= point.time_unix_nano) == (1.0, True)
    (connections,) = found["aftertrace_http_connections"].gauge.data_points
    assert connections.as_double == 1.0
    told = here.post("/metrics", None, None, method="GET").body.decode()
    assert sorted(found) == sorted(line.split()[2] for line in told.splitlines() if line.startswith("# TYPE"))


def test_two_that_report_to_each_other_do_not_make_more_of_it(stations: tuple[Station, Station]) -> None:
    """As many requests as there were intervals, however long it goes on."""
    here, there = stations
    pair = (reporting(here, there), reporting(there, here))
    for _ in range(5):
        for each in pair:
            each.send()
    assert [len(station.kept()) for station in stations] == [5, 5]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0", socket.gethostname()])  # noqa: S104
def test_it_does_not_report_to_itself(stations: tuple[Station, Station], host: str) -> None:
    """By whichever name or address of this machine; another port of it is another receiver."""
    here, there = stations
    own = (here.receiver.http_port, here.receiver.grpc_port)
    for port in own:
        with pytest.raises(Invalid, match="is this receiver itself, expected another one"):
            Telemetry(Endpoint.parse(f"http://{host}:{port}", ""), own, here.receiver.metrics, "main", 60)
    assert not Endpoint.parse(f"http://{host}:{there.receiver.http_port}", "").is_here(own)


def test_an_endpoint_that_comes_to_be_its_own_gets_nothing(
    stations: tuple[Station, Station], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A name may lead elsewhere tomorrow: it is looked up each time."""
    here, _ = stations
    own = (here.receiver.http_port,)
    look_up = socket.getaddrinfo
    leads_to = ["192.0.2.1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **named: look_up(leads_to[0], *rest, **named))
    telemetry = Telemetry(Endpoint.parse(f"http://elsewhere:{own[0]}", ""), own, here.receiver.metrics, "main", 60)
    leads_to[0] = "127.0.0.1"
    telemetry.send()
    telemetry.send()
    assert here.kept() == []
    assert caplog.messages == [f"send metrics to elsewhere:{own[0]}: the endpoint has come to be this receiver itself"]


def test_what_cannot_be_sent_is_said_once(stations: tuple[Station, Station], caplog: pytest.LogCaptureFixture) -> None:
    """And is not kept: the next figures say as much."""
    here, there = stations
    telemetry = reporting(here, there)
    there.receiver.stop(1)
    for _ in range(3):
        telemetry.send()
    said = [record.getMessage() for record in caplog.records if record.name == "aftertrace.telemetry"]
    assert [message.partition(": ")[2] for message in said] == ["Connection refused"]


def test_a_defect_is_said_once_and_does_not_end_it(
    stations: tuple[Station, Station], caplog: pytest.LogCaptureFixture
) -> None:
    """Its text may hold anything, so only its kind is told. The thread asks again at the next interval."""
    here, there = stations
    asked, enough = list[None](), threading.Event()

    def families() -> NoReturn:
        asked.append(None)
        if len(asked) == 3:
            enough.set()
        raise KeyError("hunter2")

    endpoint = Endpoint.parse(f"http://127.0.0.1:{there.receiver.http_port}", "")
    with Telemetry(endpoint, (here.receiver.http_port,), families, "main", 0.01):
        assert enough.wait(30)
    said = [record.getMessage() for record in caplog.records if record.name == "aftertrace.telemetry"]
    assert [message.partition(": ")[2] for message in said] == ["a defect, please report it: KeyError"]


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("collector:4318", ""),
        ("ftp://x", ""),
        ("http://", ""),
        ("http://x:99999", ""),
        ("http://x?a", ""),
        ("http://x", "a"),
        ("http://x", "a=secret%0A"),
        ("http://x", "a=secret%0Db"),
        ("http://x", "a=secret%E2%82%AC"),
        ("http://x", "a b=secret"),
    ],
)
def test_what_is_no_endpoint_is_refused(url: str, headers: str) -> None:
    """With what was expected, and without the value of a header: later it would be in the trace of an error."""
    with pytest.raises(Invalid, match=r"configure telemetry: .*expected") as refused:
        Endpoint.parse(url, headers)
    assert "secret" not in str(refused.value)


def test_an_endpoint_has_the_path_of_metrics() -> None:
    """Below whatever base it has."""
    found = Endpoint.parse("https://example.com/otlp/", "x-a=1, x-b=a%2Cb")
    assert found == Endpoint(True, "example.com", 443, "/otlp/v1/metrics", (("x-a", "1"), ("x-b", "a,b")))


def test_serve_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    """Before it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "aftertrace.toml").write_text(
        f'[receiver]\ngrpc = "127.0.0.1:0"\nhttp = "127.0.0.1:{port}"\n[telemetry]\nendpoint = "http://localhost:{port}"\n'
    )
    command = [sys.executable, "-m", "aftertrace.cli", "serve", "--no-dashboard", "--data", str(tmp_path / "data")]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is this receiver itself, expected another one" in ended.stderr
