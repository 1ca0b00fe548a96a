"""Hostile senders against a real `serve`: it lives, its memory is bounded, and an honest sender is served as well."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from tests.cli.served import Served, serving
from tests.receiver.attacks import ATTACKS, Target
from tests.receiver.station import METHODS, PROTOBUF, REQUESTS

pytestmark = pytest.mark.slow

ATTACK_S = 1.5
GROWTH_BYTES = 300 * 2**20
"""What the receiver may take more than before it was attacked; without limits, any of the bombs takes more at once."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all attacks: what one of them leaves behind, the next one meets."""
    with serving(tmp_path_factory.mktemp("abuse") / "data", "--no-dashboard") as running:
        yield running


def ports(served: Served) -> tuple[int, int]:
    """Of OTLP over HTTP and gRPC."""
    return int(served.ready["http"].rpartition(":")[2]), int(served.ready["grpc"].rpartition(":")[2])


@dataclass(slots=True)
class Honest:
    """A sender that sends small requests in turn over both ports, on connections that it keeps."""

    http_port: int
    grpc_port: int
    answers: list[str] = field(default_factory=list)

    def send_until(self, ended: threading.Event) -> None:
        """Go on until there is an end; a request that is refused or cut off is sent again, as SDKs do, and noted."""
        with (
            closing(http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)) as connection,
            grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}", [("grpc.use_local_subchannel_pool", 1)]) as channel,
        ):
            while not ended.is_set():
                self.answers.append(self._post(connection))
                self.answers.append(self._call(channel))
                time.sleep(0.02)

    def _post(self, connection: http.client.HTTPConnection) -> str:
        try:
            connection.request("POST", "/v1/traces", REQUESTS["traces"], {"Content-Type": PROTOBUF})
            response = connection.getresponse()
            response.read()
        except OSError as error:
            connection.close()
            return f"http {type(error).__name__}"
        return f"http {response.status}"

    def _call(self, channel: grpc.Channel) -> str:
        try:
            channel.unary_unary(METHODS["traces"])(REQUESTS["traces"], timeout=30)
        except grpc.RpcError as error:
            return f"grpc {error.code().name}"
        return "grpc OK"


def resident_bytes(served: Served) -> int:
    """Memory of the receiver's process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{served.process.pid}/status").read_text())
    assert found is not None, "the receiver is gone"
    return int(found[1]) * 1024


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_costs_little_and_keeps_nobody_out(served: Served, name: str) -> None:
    """All that the honest sender sends is taken, at the second try at the latest where the port was full."""
    honest, ended = Honest(*ports(served)), threading.Event()
    before = peak = resident_bytes(served)
    sender = threading.Thread(target=honest.send_until, args=(ended,))
    sender.start()
    target = Target(*ports(served), time.monotonic() + ATTACK_S)
    attacker = threading.Thread(target=ATTACKS[name], args=(target,))
    attacker.start()
    while attacker.is_alive():
        peak = max(peak, resident_bytes(served))
        time.sleep(0.02)
    attacker.join()
    time.sleep(0.1)
    ended.set()
    sender.join()
    assert served.process.poll() is None
    assert peak - before < GROWTH_BYTES
    taken = [answer for answer in honest.answers if answer in ("http 200", "grpc OK")]
    assert {"http 200", "grpc OK"} <= set(taken)
    assert len(honest.answers) - len(taken) <= 2, honest.answers
    assert honest.answers[-2:] == ["http 200", "grpc OK"]
