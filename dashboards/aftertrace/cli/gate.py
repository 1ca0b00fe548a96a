"""The one way into a store, put together: redaction by the store's key, limits, and the write-ahead log."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from aftertrace.cli.draining import wait_for_lock
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.cli.addresses import Address
    from aftertrace.cli.config import Config
    from aftertrace.ingest.redaction_policy import RedactionPolicy
    from aftertrace.receiver.config import ReceiverConfig, Tls
    from aftertrace.receiver.server import Receiver
    from aftertrace.store.layout import Layout
    from aftertrace.store.quotas import Quota
    from aftertrace.store.request import Identify, Prepare
    from aftertrace.store.wal import WalWriter


def open_store(data: Path, config: Config) -> Layout:
    """Open a data folder to write to it, with its tables where the configuration says; make it where there is none.

    Raises:
        Invalid: it is no such folder, or cannot have these tables.
        Unavailable: the tables cannot be made there, or not be reached.
        Corrupt: the store's key is damaged.
    """
    from aftertrace.store.folder import open_folder, store_key

    layout = open_folder(data.absolute(), config.store.tables or None)
    # Before anything is received that others could not tell apart.
    store_key(layout)
    return layout


def policy_for(config: Config) -> RedactionPolicy:
    """What is kept out of the store. Raises `Invalid` for rules that cannot hold."""
    from aftertrace.ingest.redaction_policy import Keys, make_policy

    section = config.redaction
    return make_policy(
        keys=Keys(section.redact_keys, section.drop_keys, section.keep_keys),
        secret_fields=section.secret_fields,
        secret_patterns=section.secret_patterns,
        rules_on=section.rules_on,
        rules_off=section.rules_off,
        capture=section.capture,
        capture_of=section.capture_of,
        reference_bytes=section.reference_bytes,
    )


def prepare_for(layout: Layout, config: Config) -> Prepare:
    """What is done to every request before it is written. Raises `Invalid` for a configuration that cannot hold."""
    from aftertrace.ingest.prepare import Limits, make_prepare
    from aftertrace.store.folder import store_key

    return make_prepare(
        policy_for(config),
        limits=Limits(),
        store_metrics=config.store.metrics,
        key=store_key(layout),
    )


def identify_for(layout: Layout, config: Config) -> Identify:
    """Who sends, told by the tokens of the store."""
    from aftertrace.store.sources import Sources

    return Sources(layout, required=config.receiver.require_token).identify


def quota_for(config: Config) -> Quota:
    """What a source may send that has no quota of its own. Raises `Invalid`."""
    from aftertrace.store.quotas import Quota

    return Quota(requests_per_s=config.receiver.requests_per_s, bytes_per_s=config.receiver.bytes_per_s)


def receiver_for(config: Config, http: Address, grpc: Address) -> ReceiverConfig:
    """What a receiver is told.

    Raises:
        Invalid: it cannot hold, or would expose the receiver.
    """
    from aftertrace.receiver.config import ReceiverConfig
    from aftertrace.receiver.cors import origins

    return ReceiverConfig(
        http_host=http.host,
        http_port=http.port,
        grpc_host=grpc.host,
        grpc_port=grpc.port,
        tls=tls_for(config),
        require_token=config.receiver.require_token,
        max_request_bytes=config.receiver.max_request_bytes,
        cors_origins=origins(config.receiver.cors_origins),
    )


def tls_for(config: Config) -> Tls | None:
    """The certificates that the configuration names; None if it names none.

    Raises:
        Invalid: it names some and not the others, or files that do not go together.
    """
    from aftertrace.receiver.config import Tls

    receiver = config.receiver
    if not (receiver.tls_certificate or receiver.tls_key or receiver.tls_client_ca):
        return None
    if not (receiver.tls_certificate and receiver.tls_key):
        raise Invalid("configure receiver: TLS needs both receiver.tls_certificate and receiver.tls_key; set both")
    client_ca = Path(receiver.tls_client_ca) if receiver.tls_client_ca else None
    return Tls(Path(receiver.tls_certificate), Path(receiver.tls_key), client_ca)


def telemetry_for(config: Config, receiver: Receiver) -> AbstractContextManager[object]:
    """What sends the figures of a started receiver, while it is open; nothing without an endpoint to send them to.

    Raises:
        Invalid: the endpoint cannot be one, or is the receiver itself.
    """
    if not config.telemetry.endpoint:
        return nullcontext()
    from aftertrace.cli.telemetry import Endpoint, Telemetry

    if config.telemetry.interval_s < 1:
        raise Invalid(f"configure telemetry: interval_s is {config.telemetry.interval_s}, expected at least 1")
    endpoint = Endpoint.parse(config.telemetry.endpoint, config.telemetry.headers)
    ports = (receiver.http_port, receiver.grpc_port)
    return Telemetry(endpoint, ports, receiver.metrics, config.receiver.name, config.telemetry.interval_s)


def open_log(layout: Layout, receiver: str, config: Config) -> WalWriter:
    """The write-ahead log of a receiver, once whoever held it a moment ago has let go of it.

    Raises:
        Unavailable: another process goes on writing it, or the disk takes nothing.
        Invalid: for a configuration that cannot hold.
    """
    from aftertrace.store.wal import WalOptions, WalWriter

    wait_for_lock(layout.wal_lock(receiver))
    limits = WalOptions(
        backlog_bytes=config.receiver.max_backlog_bytes, reserve_bytes=config.receiver.disk_reserve_bytes
    )
    return WalWriter(layout, receiver, limits)
