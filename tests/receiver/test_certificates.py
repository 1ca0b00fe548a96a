"""Certificates that are renewed while the receiver serves: new handshakes see the new one, old connections go on."""

from __future__ import annotations

import http.client
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import FrameType

import grpc
import pytest

from aftertrace.receiver.certificates import Certificates
from aftertrace.receiver.config import ReceiverConfig, Tls
from aftertrace.store.errors import Invalid

from .authority import Authority
from .station import METHODS, PROTOBUF, REQUESTS, Station


def write(authority: Authority, other: Authority) -> None:
    """Replace what the files of one authority hold with the certificate of another."""
    authority.certificate.write_bytes(other.certificate.read_bytes())
    authority.key.write_bytes(other.key.read_bytes())


def post(connection: http.client.HTTPConnection) -> int:
    """The status of a request."""
    connection.request("POST", "/v1/traces", REQUESTS["traces"], {"Content-Type": PROTOBUF})
    response = connection.getresponse()
    response.read()
    return response.status


def https(station: Station, authority: Authority) -> http.client.HTTPSConnection:
    """A connection that trusts this authority alone."""
    context = ssl.create_default_context(cafile=authority.roots)
    return http.client.HTTPSConnection("127.0.0.1", station.receiver.http_port, timeout=20, context=context)


def grpcs(station: Station, authority: Authority) -> grpc.Channel:
    """A channel that trusts this authority alone."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    credentials = grpc.ssl_channel_credentials(authority.roots.read_bytes())
    return grpc.secure_channel(f"127.0.0.1:{station.receiver.grpc_port}", credentials, options)


def send(channel: grpc.Channel) -> bytes:
    """One request; raises `grpc.RpcError`."""
    answer: bytes = channel.unary_unary(METHODS["traces"])(REQUESTS["traces"], timeout=20)
    return answer


def both(station: Station, authority: Authority) -> tuple[int, bytes]:
    """The answers to a request on a new connection to each port."""
    with closing(https(station, authority)) as connection, grpcs(station, authority) as channel:
        return post(connection), send(channel)


@pytest.fixture
def successor(tmp_path: Path) -> Authority:
    """The authority of the certificate that comes next."""
    folder = tmp_path / "next"
    folder.mkdir()
    return Authority(folder)


def test_a_renewed_certificate_is_shown_and_no_connection_ends(
    open_station: Callable[..., Station], authority: Authority, successor: Authority
) -> None:
    """On both ports; whoever trusts only the old one no longer gets in."""
    station = open_station(tls=Tls(authority.certificate, authority.key))
    with closing(https(station, authority)) as old, grpcs(station, authority) as old_channel:
        assert (post(old), send(old_channel)) == (200, b"")
        sock = old.sock
        write(authority, successor)
        assert both(station, authority) == (200, b""), "not read yet"
        station.reload()
        assert both(station, successor) == (200, b"")
        with pytest.raises(ssl.SSLCertVerificationError), closing(https(station, authority)) as connection:
            post(connection)
        with pytest.raises(grpc.RpcError), grpcs(station, authority) as channel:
            send(channel)
        assert (post(old), send(old_channel)) == (200, b"")
        assert old.sock is sock


def test_files_that_do_not_go_together_change_nothing(
    open_station: Callable[..., Station], authority: Authority, successor: Authority
) -> None:
    """The key comes a moment after its certificate: until then the old pair holds."""
    station = open_station(tls=Tls(authority.certificate, authority.key))
    authority.certificate.write_bytes(successor.certificate.read_bytes())
    with pytest.raises(Invalid, match="expected a PEM certificate and its key"):
        station.reload()
    assert both(station, authority) == (200, b"")


def test_both_ports_show_one_certificate_though_it_is_replaced_as_it_is_read(
    open_station: Callable[..., Station],
    authority: Authority,
    successor: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Just after OpenSSL has read the files, and before anybody else has. Files that never rest change nothing."""
    station = open_station(tls=Tls(authority.certificate, authority.key))
    read, replacing = Tls.context, [successor]

    def context(tls: Tls) -> ssl.SSLContext:
        found = read(tls)
        if replacing:
            write(authority, replacing.pop())
        return found

    monkeypatch.setattr(Tls, "context", context)
    station.reload()
    assert both(station, successor) == (200, b"")
    restless = [authority.certificate.read_bytes() + b"\n" * number for number in range(1, 9)]
    monkeypatch.setattr(Tls, "context", lambda tls: (read(tls), tls.certificate.write_bytes(restless.pop()))[0])
    with pytest.raises(Invalid, match="they changed each time they were read"):
        station.reload()
    assert both(station, successor) == (200, b"")


def test_roots_of_clients_are_renewed_too(
    open_station: Callable[..., Station], authority: Authority, successor: Authority
) -> None:
    """A client of the authority that is gone no longer gets in."""
    station = open_station(tls=Tls(authority.certificate, authority.key, client_ca=authority.roots))
    context = ssl.create_default_context(cafile=authority.roots)
    context.load_cert_chain(*authority.issue("client.example"))

    def status() -> int:
        connection = http.client.HTTPSConnection("127.0.0.1", station.receiver.http_port, timeout=20, context=context)
        with closing(connection):
            return post(connection)

    assert status() == 200
    roots = authority.roots.read_bytes()
    authority.roots.write_bytes(successor.roots.read_bytes())
    station.reload()
    with pytest.raises((ssl.SSLError, OSError)):
        status()
    authority.roots.write_bytes(roots)
    station.reload()
    assert status() == 200


def test_a_handshake_that_does_not_come_is_given_up(open_station: Callable[..., Station], authority: Authority) -> None:
    """On both ports, after the time that it may take; it would hold a connection that nobody counts."""
    station = open_station(tls=Tls(authority.certificate, authority.key), header_timeout_s=0.5)
    for port in (station.receiver.http_port, station.receiver.grpc_port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"\x16\x03\x01")
            assert client.recv(1000) == b""
    assert both(station, authority) == (200, b"")


def test_tls_does_not_begin_or_end_on_the_way(open_station: Callable[..., Station], authority: Authority) -> None:
    """Senders would be cut off, or sent in the clear."""
    tls = Tls(authority.certificate, authority.key)
    with_tls, without = open_station(tls=tls), open_station()
    with pytest.raises(Invalid, match="TLS begins or ends with a restart only"):
        without.receiver.reload(ReceiverConfig(tls=tls))
    with pytest.raises(Invalid, match="TLS begins or ends with a restart only"):
        with_tls.receiver.reload(ReceiverConfig())
    with pytest.raises(Invalid, match="tls_client_ca comes or goes with a restart only"):
        with_tls.receiver.reload(ReceiverConfig(tls=replace(tls, client_ca=authority.roots)))
    assert both(with_tls, authority) == (200, b"")


def given_during(certificates: Certificates, tls: Tls, step: int) -> tuple[object, bool]:
    """What gRPC is given when they are renewed before one step of the answer; and whether it had so many."""
    asked, steps = Certificates._changed.__code__, 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        nonlocal steps
        if frame.f_code is not asked:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            steps += 1
            if steps == step:
                certificates.renew(tls)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return certificates._changed(), steps >= step
    finally:
        sys.settrace(before)


def test_a_renewal_is_not_lost_wherever_a_handshake_is(authority: Authority) -> None:
    """While they are renewed, gRPC asks for the newest: at this handshake or the next it has them."""
    tls = Tls(authority.certificate, authority.key)
    renewed, step = True, 0
    while renewed:
        step += 1
        certificates = Certificates(tls)
        certificates._changed()  # as at the first handshake
        given, renewed = given_during(certificates, tls, step)
        assert not renewed or certificates._configuration in (given, certificates._changed()), step
    assert step > 5
