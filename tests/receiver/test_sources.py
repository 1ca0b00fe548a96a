"""Who sent is what the server knows, over both transports; who they say they are is kept as a claim."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import grpc
import pytest
import trustme
from google.rpc import status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.analyzer import open_analysis
from aftertrace.ingest.drain import Drain
from aftertrace.receiver.config import ReceiverConfig, Tls
from aftertrace.receiver.tally import Refused
from aftertrace.store.errors import Invalid
from aftertrace.store.fsck import fsck
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.sources import add_certificate, add_token, credentials, remove_credentials

from .authority import Authority
from .station import METHODS, REQUESTS, Station

EVERYWHERE = "0.0.0.0"  # noqa: S104 - to be refused, or allowed with all that it needs


def shown(token: str) -> dict[str, str]:
    """The header, as `Station.post` takes it."""
    return {"Authorization": f"Bearer {token}"}


def metadata(token: str) -> list[tuple[str, str]]:
    """The header, as gRPC takes it."""
    return [("authorization", f"Bearer {token}")]


def refused(station: Station, **options: object) -> grpc.StatusCode:
    """The code that a gRPC request is refused with."""
    with pytest.raises(grpc.RpcError) as raised:
        station.call("traces", REQUESTS["traces"], **options)
    code: grpc.StatusCode = raised.value.code()  # type: ignore[attr-defined]
    return code


def twice(station: Station, token: str) -> int:
    """The status of a request that shows a token in each of two headers."""
    connection = http.client.HTTPConnection("127.0.0.1", station.receiver.http_port, timeout=20)
    connection.putrequest("POST", "/v1/traces")
    for name, value in (
        ("Authorization", "Bearer other"),
        ("Authorization", f"Bearer {token}"),
        ("Content-Type", "application/x-protobuf"),
        ("Content-Length", str(len(REQUESTS["traces"]))),
    ):
        connection.putheader(name, value)
    connection.endheaders(REQUESTS["traces"])
    with closing(connection):
        return connection.getresponse().status


def test_what_is_stored_tells_who_sent_it_and_for_which_tenant(open_station: Callable[..., Station]) -> None:
    """Both claim to be the same service; the tables keep them apart."""
    station = open_station(require_token=True)
    ours, theirs = add_token(station.layout, "acme/refunds", 1), add_token(station.layout, "ci", 2)
    assert station.post("traces", REQUESTS["traces"], **shown(ours)).status == 200
    station.call("logs", REQUESTS["logs"], metadata=metadata(theirs))
    assert [(frame.signal, frame.source) for frame in station.kept()] == [("traces", "acme/refunds"), ("logs", "ci")]
    with Drain(station.layout) as drain:
        drain.once()
    tables = Snapshot.of(station.layout.data)
    columns = ("source", "tenant", "service_name")
    assert tables.scan("spans").select(columns).collect().rows() == [("acme/refunds", "acme", None)]
    assert tables.scan("evidence").select("signal", "source").collect().rows() == [
        ("traces", "acme/refunds"),
        ("logs", "ci"),
    ]


def test_what_was_shown_is_evidence(open_station: Callable[..., Station]) -> None:
    """Which of two tokens of a source, by its id: in the frame, in the table, and in the run record."""
    station = open_station()
    first, second = add_token(station.layout, "ci", 1), add_token(station.layout, "ci", 2)
    for token in (first, second):
        assert station.post("traces", of_agent("a"), **shown(token)).status == 200
    station.call("logs", REQUESTS["logs"])
    told = [f"token {each.id}" for each in credentials(station.layout)]
    assert [(frame.source, frame.credential) for frame in station.kept()] == [
        ("ci", told[0]),
        ("ci", told[1]),
        ("anonymous", ""),
    ]
    with Drain(station.layout) as drain:
        drain.once()
    rows = Snapshot.of(station.layout.data).scan("evidence").sort("seq").select("source", "credential")
    assert rows.collect().rows() == [("ci", told[0]), ("ci", told[1]), ("anonymous", None)]
    analysis = open_analysis(station.layout.data)
    (run,) = analysis.runs.filter(source="ci")["run_id"]
    assert analysis.record(run).credentials == (told[0],)
    assert not [finding for finding in fsck(station.layout) if finding.severity == "error"]


def test_nothing_is_taken_from_somebody_unknown(open_station: Callable[..., Station]) -> None:
    """401 and UNAUTHENTICATED, which no sender tries again; nothing of the token is in the answer."""
    station = open_station(require_token=True)
    token = add_token(station.layout, "ci", 1)
    answer = station.post("traces", REQUESTS["traces"], **shown(token + "x"))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.told() == status_pb2.Status(
        code=16, message="identify source: unknown token; make one with `aftertrace source add NAME`"
    )
    assert station.post("traces", REQUESTS["traces"]).status == 401
    assert twice(station, token) == 401
    assert refused(station) == grpc.StatusCode.UNAUTHENTICATED
    assert refused(station, metadata=metadata("x")) == grpc.StatusCode.UNAUTHENTICATED
    assert refused(station, metadata=metadata(token) * 2) == grpc.StatusCode.UNAUTHENTICATED
    assert station.kept() == []
    assert station.receiver.tally.refused() == (Refused("traces", "unknown", 401, 6),)
    assert station.post("traces", REQUESTS["traces"], **shown(token)).status == 200


def test_a_token_that_is_taken_back_no_longer_holds(open_station: Callable[..., Station]) -> None:
    """From the next request on, over a connection that is open already."""
    station = open_station()
    token = add_token(station.layout, "ci", 1)
    assert station.post("traces", REQUESTS["traces"], **shown(token)).status == 200
    remove_credentials(station.layout, "ci")
    add_token(station.layout, "other", 2)
    assert station.post("traces", REQUESTS["traces"], **shown(token)).status == 401
    assert station.post("traces", REQUESTS["traces"]).status == 200
    assert [frame.source for frame in station.kept()] == ["ci", "anonymous"]


def test_a_damaged_file_of_sources_makes_senders_wait(open_station: Callable[..., Station]) -> None:
    """Who they are can be told again when somebody has mended it; they keep what they have until then."""
    station = open_station()
    add_token(station.layout, "ci", 1)
    station.layout.sources.write_text("{}")
    assert station.post("traces", REQUESTS["traces"]).status == 503
    assert refused(station) == grpc.StatusCode.UNAVAILABLE


def https(station: Station, context: ssl.SSLContext, token: str | None) -> int:
    """The status of a request over TLS."""
    connection = http.client.HTTPSConnection("127.0.0.1", station.receiver.http_port, timeout=20, context=context)
    try:
        headers = {"Content-Type": "application/x-protobuf", **({} if token is None else shown(token))}
        connection.request("POST", "/v1/traces", REQUESTS["traces"], headers)
        return connection.getresponse().status
    finally:
        connection.close()


def grpcs(station: Station, credentials: grpc.ChannelCredentials, token: str | None) -> bytes:
    """The answer to a gRPC request over TLS; raises `grpc.RpcError`."""
    with grpc.secure_channel(f"127.0.0.1:{station.receiver.grpc_port}", credentials) as channel:
        given = None if token is None else metadata(token)
        answer: bytes = channel.unary_unary(METHODS["traces"])(REQUESTS["traces"], timeout=20, metadata=given)
        return answer


def test_both_ports_speak_tls(open_station: Callable[..., Station], authority: Authority) -> None:
    """A client that trusts another root does not, and nor does one in the clear."""
    station = open_station(tls=Tls(authority.certificate, authority.key), require_token=True)
    token = add_token(station.layout, "ci", 1)
    assert https(station, ssl.create_default_context(cafile=authority.roots), token) == 200
    assert grpcs(station, grpc.ssl_channel_credentials(authority.roots.read_bytes()), token) == b""
    with pytest.raises(ssl.SSLCertVerificationError):
        https(station, ssl.create_default_context(), token)
    with pytest.raises(grpc.RpcError):
        grpcs(station, grpc.ssl_channel_credentials(trustme.CA().cert_pem.bytes()), token)
    with pytest.raises(OSError):  # noqa: PT011 - reset or closed, as the system likes
        station.post("traces", REQUESTS["traces"], **shown(token))
    assert [frame.source for frame in station.kept()] == ["ci", "ci"]


def test_clients_may_need_a_certificate_too(open_station: Callable[..., Station], authority: Authority) -> None:
    """Beside their token."""
    tls = Tls(authority.certificate, authority.key, client_ca=authority.roots)
    station = open_station(tls=tls, require_token=True)
    token = add_token(station.layout, "ci", 1)
    certificate, key = authority.issue("client.example")
    context = ssl.create_default_context(cafile=authority.roots)
    with pytest.raises((ssl.SSLError, OSError)):
        https(station, context, token)
    context.load_cert_chain(certificate, key)
    assert https(station, context, token) == 200
    roots = authority.roots.read_bytes()
    with pytest.raises(grpc.RpcError):
        grpcs(station, grpc.ssl_channel_credentials(roots), token)
    own = grpc.ssl_channel_credentials(roots, key.read_bytes(), certificate.read_bytes())
    assert grpcs(station, own, token) == b""


def test_beyond_loopback_it_listens_with_tls_and_tokens_only(authority: Authority) -> None:
    """Either alone leaves the data, or who sent it, to whoever is on the network."""
    tls = Tls(authority.certificate, authority.key)
    for settings in ({}, {"tls": tls}, {"require_token": True}):
        with pytest.raises(Invalid, match=r"to receive from afar set receiver\.tls_certificate, receiver\.tls_key and"):
            ReceiverConfig(http_host=EVERYWHERE, **settings)  # type: ignore[arg-type]
    config = ReceiverConfig(http_host=EVERYWHERE, grpc_host=EVERYWHERE, tls=tls, require_token=True)
    assert (config.http_host, config.grpc_host) == (EVERYWHERE, EVERYWHERE)


def test_files_that_do_not_go_together_are_told_at_the_start(authority: Authority, tmp_path: Path) -> None:
    """Not by every client's handshake."""
    _, other_key = authority.issue("other.example")
    for certificate, key in (
        (authority.certificate, other_key),
        (authority.certificate, tmp_path / "missing.key"),
        (authority.key, authority.key),
    ):
        with pytest.raises(Invalid, match=r"configure receiver: .*; expected a PEM certificate and its key without"):
            Tls(certificate, key)


def of_agent(name: str) -> bytes:
    """A request with a span of an agent."""
    told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    pairs = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in told.items()]
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="invoke_agent", attributes=pairs)
    group = ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])
    return ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()


def test_a_token_that_is_bound_speaks_of_its_agents_alone(open_station: Callable[..., Station]) -> None:
    """What is of another one is refused as a whole, before it is written, and counted; an unbound token may send it."""
    station = open_station(require_token=True)
    bound = add_token(station.layout, "acme/refunds", 1, ["refunds*"])
    unbound = add_token(station.layout, "acme/gateway", 2)
    assert station.post("traces", of_agent("refunds-eu"), **shown(bound)).status == 200
    answer = station.post("traces", of_agent("payroll"), **shown(bound))
    assert (answer.status, answer.told().code, answer.told().message[:57]) == (
        403,
        7,
        "take traces request: a record is of another agent or serv",
    )
    with pytest.raises(grpc.RpcError) as raised:
        station.call("traces", of_agent("payroll"), metadata=metadata(bound))
    assert raised.value.code() == grpc.StatusCode.PERMISSION_DENIED  # type: ignore[attr-defined]
    assert [frame.source for frame in station.kept()] == ["acme/refunds"]
    assert station.receiver.tally.refused() == (Refused("traces", "acme/refunds", 403, 2),)
    assert station.post("traces", of_agent("payroll"), **shown(unbound)).status == 200


def test_a_certificate_tells_its_source(open_station: Callable[..., Station], authority: Authority) -> None:
    """Without a token, over both transports; one that no source has is no source's, whoever signed it."""
    tls = Tls(authority.certificate, authority.key, client_ca=authority.roots)
    station = open_station(tls=tls, require_token=True)
    certificate, key = authority.issue("agent.example")
    other, other_key = authority.issue("other.example")
    add_certificate(station.layout, "acme/refunds", certificate.read_text(), 1)
    token = add_token(station.layout, "ci", 2)
    ours = ssl.create_default_context(cafile=authority.roots)
    ours.load_cert_chain(certificate, key)
    theirs = ssl.create_default_context(cafile=authority.roots)
    theirs.load_cert_chain(other, other_key)
    assert [https(station, context, None) for context in (ours, ours, theirs)] == [200, 200, 401]
    roots = authority.roots.read_bytes()
    assert grpcs(station, grpc.ssl_channel_credentials(roots, key.read_bytes(), certificate.read_bytes()), None) == b""
    with pytest.raises(grpc.RpcError):
        grpcs(station, grpc.ssl_channel_credentials(roots, other_key.read_bytes(), other.read_bytes()), None)
    # A token of another source than the certificate's was taken from somebody.
    assert [https(station, context, token) for context in (ours, theirs)] == [401, 200]
    assert [frame.source for frame in station.kept()] == ["acme/refunds"] * 3 + ["ci"]
    remove_credentials(station.layout, "acme/refunds")
    assert https(station, ours, None) == 401
