"""`aftertrace.toml`: one file, a frozen dataclass per section, a docstring per key.

A value is looked for in this order, and the first place that has it wins:

1. the flag on the command line, such as ``--data``;
2. the environment: ``AFTERTRACE_<SECTION>_<KEY>``, such as ``AFTERTRACE_STORE_DATA``; lists as TOML, ``["a", "b"]``;
3. the file: ``--config FILE``, else ``AFTERTRACE_CONFIG``, else ``aftertrace.toml`` in the working directory;
4. the default below.

Unknown sections and keys are errors: a misspelt key that is ignored is a setting that is not in force.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast, get_type_hints

from aftertrace.cli.access import AccessSection
from aftertrace.store.errors import Invalid

FILE_NAME: Final = "aftertrace.toml"
_ENVIRONMENT_PREFIX: Final = "AFTERTRACE_"
Texts: TypeAlias = tuple[str, ...]
"""A list of texts."""
Table: TypeAlias = tuple[tuple[str, str], ...]
"""Texts by name, in the order of the file."""
_FORMS: Final[Mapping[Any, str]] = {Texts: "a list of texts", Table: "a table of texts"}
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class StoreSection:
    """Where everything is kept."""

    data: str = "aftertrace-data"
    """Folder of the store. A relative path in the file counts from the file's folder."""
    tables: str = ""
    """Where the tables are, which receivers with data folders of their own may share: a lake, in a folder, or in a
    bucket as `s3://bucket/prefix` (`pip install 'aftertrace[s3]'`; endpoint, region and credentials are those of the
    environment: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`). Empty: inside `data`.
    A data folder keeps to the one that it was made with. Receivers of a lake need names of their own (`receiver.name`)
    and one key: copy `keys/store.key` from the first one's data folder before the others start."""
    metrics: bool = False
    """Whether metrics are stored. Otherwise they are accepted, validated and counted."""
    agents_user: str = ""
    """The account that agents run under, by name or number: `aftertrace status` warns of what of the store it may
    write, and of keys that it may read. Empty: it warns of what groups and others may."""
    readers: str = ""
    """The group whose members may read the store and write nothing of it, by name or number; `aftertrace serve` sees to
    that when it starts, `aftertrace readers` by hand. Empty: nobody but the account that `serve` runs as."""


@dataclass(frozen=True, slots=True)
class ReceiverSection:
    """How agents reach `aftertrace serve`."""

    grpc: str = "127.0.0.1:4317"
    """Address for OTLP/gRPC; port 0 takes any free one."""
    http: str = "127.0.0.1:4318"
    """Address for OTLP/HTTP, protobuf and JSON; port 0 takes any free one."""
    max_request_bytes: int = 16 * 2**20
    """Largest request, as sent and as inflated; at most 67108864. A larger one is refused with 413."""
    max_backlog_bytes: int = 4 * 2**30
    """How much may be accepted and not be in the tables yet; at least 134217728. Over it, senders
    are told to try again."""
    disk_reserve_bytes: int = 512 * 2**20
    """How much of the disk is left free for the tables, a tenth of it at most. Below it, senders are told to try
    again."""
    require_token: bool = False
    """Whether every request must show the token of a source (`aftertrace source add`). Without it a request with no
    token is `anonymous`, and one with a wrong token is refused as soon as there is a source."""
    tls_certificate: str = ""
    """PEM file of the server's certificate and its chain: both ports then speak TLS. Needed beyond loopback, with
    `tls_key` and `require_token`."""
    tls_key: str = ""
    """PEM file of the certificate's key, without a password."""
    tls_client_ca: str = ""
    """PEM file of roots: clients must then show a certificate that leads to one of them, beside their token."""
    cors_origins: str = ""
    """Origins of web pages that may send from a browser, such as `https://app.example.com`, separated by commas. Any
    other page is refused."""
    requests_per_s: int = 0
    """How many requests per second each source may send; 0: any number. `aftertrace source limit` sets another number
    for one."""
    bytes_per_s: int = 0
    """How many bytes of OTLP per second, inflated, each source may send; 0: any number."""
    name: str = "receiver"
    """Name of this receiver in `evidence.receiver`; receivers that share tables need names of their own."""


@dataclass(frozen=True, slots=True)
class RedactionSection:
    """What is kept out of the store, beside what is looked for in any case: see
    [exporter/README.md](../exporter/README.md#what-is-kept-out).
    """

    redact_keys: Texts = ()
    """Keys of attributes whose values become tokens. `*` stands for any characters and `?` for one, in any case;
    members of maps have their own key and its path, as in `customer.email`."""
    drop_keys: Texts = ()
    """Keys of attributes that are removed."""
    keep_keys: Texts = ()
    """Keys of the only attributes that keep their values: all others become tokens. The text of a log record is `body`,
    that of a status `status.message`, and that of a severity `severity_text`. Names of spans, events, scopes and
    metrics have no key, and stay if they are of one line and 128 characters at most. Empty: all keep their values."""
    secret_fields: Texts = ()
    """How names of further fields end whose values are secret, in attributes, JSON, command lines and XML alike; `~`
    stands for `-`, `_`, `.` or nothing, as in `customer~pin`."""
    secret_patterns: Table = ()
    """Further secrets: a name for each and its RE2 pattern, as in `employee = 'EMP-[0-9]{6}'`. All that it finds is
    replaced; of a pattern with a group only the group, where it holds something: write `(?:EMP|PER)-[0-9]{6}`, since of
    `(EMP|PER)-[0-9]{6}` the number stays."""
    rules_on: Texts = ()
    """Names of rules that are off unless they stand here: classes of personal data (`card`, `email`, `iban`, `ipv4`,
    `ipv6`, `phone`, `us-ssn`), and what finds much that is no secret (`generic-api-key`, `hashicorp-tf-password`,
    `kubernetes-secret-yaml`)."""
    rules_off: Texts = ()
    """Names of rules that do not count."""
    capture: str = "full"
    """What is kept of content (prompts, arguments, results): `full`; `by-reference`, all, but large results of
    tools, answers of models and documents encrypted and apart; `digest-only`, a keyed digest of each value;
    `metadata-only`, nothing of it. Roles, tools, ids, counts and what was read of each call's fate are kept."""
    capture_of: Table = ()
    """The same for some sources, by their names, in which `*` stands for any characters, as in
    `"acme/*" = 'digest-only'`. The first that fits counts."""
    reference_bytes: int = 4096
    """The length from which on such a content is kept apart; at least 256."""


@dataclass(frozen=True, slots=True)
class DrainSection:
    """How what was accepted gets into the tables."""

    processes: int = 0
    """How many processes read records when there is much to read, the drain's own among them; 0: as many as there are
    cores, at most 4."""


@dataclass(frozen=True, slots=True)
class DeriveSection:
    """What is kept of runs that are over, so that questions about months are answered in seconds."""

    enabled: bool = True
    """Whether `aftertrace serve` keeps it up to date, half a minute after its start; `aftertrace derive` does it by
    hand."""


@dataclass(frozen=True, slots=True)
class DashboardSection:
    """The page that `aftertrace serve` opens."""

    enabled: bool = True
    """Whether `aftertrace serve` starts it."""
    address: str = "127.0.0.1:8501"
    """Address of the page; port 0 takes any free one. Beyond loopback people sign in (`access`), and it speaks TLS."""
    tls_certificate: str = ""
    """PEM file of the page's certificate and its chain."""
    tls_key: str = ""
    """PEM file of the certificate's key, without a password."""


@dataclass(frozen=True, slots=True)
class InventorySection:
    """Which agents there should be."""

    file: str = ""
    """The declared inventory, a TOML file that `aftertrace inventory init` writes from what was seen: `agents` and the
    page join it with what is seen, and its risk classes of tools count in every analysis. Empty: there is none. A
    relative path in the file counts from the file's folder."""


@dataclass(frozen=True, slots=True)
class LedgerSection:
    """Where what is signed of the ledger is kept, so that a store that was put back to an older state is found."""

    anchor: str = ""
    """Folder, elsewhere than the store, to which `aftertrace serve` copies the checkpoint, once a minute at most and
    never over another; `aftertrace verify` compares with all that is there. Empty: none. A relative path in the file
    counts from the file's folder."""
    witnesses: str = ""
    """Witnesses (C2SP tlog-witness) to which `aftertrace serve` shows the checkpoint, once a minute at most, for a
    signature that the ledger only ever grew: `URL KEY, URL KEY`, each with its key as its operator hands it on. What
    they sign is in `ledger/witnessed`, and in the anchor. Empty: none."""


@dataclass(frozen=True, slots=True)
class RetentionSection:
    """How long records are kept, and whether what is over goes by itself."""

    evidence_days: int = 400
    """Days that records are kept, with all that is read from them, counted from the day of receipt; 0: for ever."""
    evidence_days_of: Table = ()
    """The same for some records, by `tag:KEY=VALUE`, `agent:NAME`, `source:NAME` or `tenant:NAME`, as in
    `"agent:refunds*" = '730'`, where `*` in NAME and VALUE stands for any characters. A tag counts before an agent,
    that before a source, that before a tenant; of one name the first that fits. docs/EVIDENCE.md has the table."""
    every_hours: int = 0
    """How often `aftertrace serve` does what `aftertrace retention run` does, such as 24; 0: never."""
    floor_days: int = 183
    """The shortest that any term may be: a configuration with a shorter one is refused. Half a year is what the EU AI
    Act asks for at least."""
    content_days: int = 30
    """Days that large contents are kept which records refer to (`redaction.capture = "by-reference"`), whatever the
    floor; 0: as long as their records."""
    keep_configurations: bool = True
    """Whether the first run of each configuration of an agent stays for ever, so that what was changed can be told."""


@dataclass(frozen=True, slots=True)
class ReadsSection:
    """Which reads of the store are recorded: who, what and when (`aftertrace reads`)."""

    record: str = "evidence"
    """`evidence`: what takes stored records out (`records`, `sql`, and on pages SQL and packets; each packet is
    entered in the ledger in any case); `all`: runs that are opened too (`run`, and each page); or `nothing`."""


@dataclass(frozen=True, slots=True)
class LogSection:
    """What `aftertrace serve` and `aftertrace drain` write on standard error."""

    format: str = "text"
    """`text`, or `json` for one JSON object per line: time, level, logger, message."""


@dataclass(frozen=True, slots=True)
class TelemetrySection:
    """Figures of `aftertrace serve` as OTLP metrics, beside `/metrics`."""

    endpoint: str = ""
    """Base URL of an OTLP/HTTP receiver, such as `http://collector:4318`; never this one. Empty: they are not sent."""
    headers: str = ""
    """Headers for it, as `name=value,name=value` with values percent-encoded."""
    interval_s: int = 60
    """Seconds from one request to the next; at least 1."""


@dataclass(frozen=True, slots=True)
class Config:
    """All of `aftertrace.toml`."""

    store: StoreSection = field(default_factory=StoreSection)
    receiver: ReceiverSection = field(default_factory=ReceiverSection)
    redaction: RedactionSection = field(default_factory=RedactionSection)
    drain: DrainSection = field(default_factory=DrainSection)
    derive: DeriveSection = field(default_factory=DeriveSection)
    dashboard: DashboardSection = field(default_factory=DashboardSection)
    access: AccessSection = field(default_factory=AccessSection)
    inventory: InventorySection = field(default_factory=InventorySection)
    ledger: LedgerSection = field(default_factory=LedgerSection)
    retention: RetentionSection = field(default_factory=RetentionSection)
    reads: ReadsSection = field(default_factory=ReadsSection)
    log: LogSection = field(default_factory=LogSection)
    telemetry: TelemetrySection = field(default_factory=TelemetrySection)


SECTIONS: Final[Mapping[str, type[Any]]] = get_type_hints(Config)

_Section = TypeVar("_Section")


def load(path: Path | None, environment: Mapping[str, str]) -> Config:
    """Read the configuration.

    Args:
        path: the file that was asked for; None looks at ``AFTERTRACE_CONFIG`` and then for `FILE_NAME`.
        environment: usually `os.environ`.

    Raises:
        Invalid: the file cannot be read, is not TOML, or holds an unknown key or a value of another type.
    """
    asked_for = path or (Path(environment["AFTERTRACE_CONFIG"]) if environment.get("AFTERTRACE_CONFIG") else None)
    file = asked_for or Path(FILE_NAME)
    config = Config()
    if asked_for is not None or file.is_file():
        config = parse(_read(file), where=str(file))
        config = _from_folder(config, file.parent)
    return _with_environment(config, environment)


def _from_folder(config: Config, folder: Path) -> Config:
    """Relative paths in the file count from its folder."""
    receiver, dashboard, access = config.receiver, config.dashboard, config.access
    return replace(
        config,
        store=replace(config.store, data=str(folder / config.store.data), tables=_located(config.store.tables, folder)),
        receiver=replace(
            receiver,
            tls_certificate=receiver.tls_certificate and str(folder / receiver.tls_certificate),
            tls_key=receiver.tls_key and str(folder / receiver.tls_key),
            tls_client_ca=receiver.tls_client_ca and str(folder / receiver.tls_client_ca),
        ),
        dashboard=replace(
            dashboard,
            tls_certificate=dashboard.tls_certificate and str(folder / dashboard.tls_certificate),
            tls_key=dashboard.tls_key and str(folder / dashboard.tls_key),
        ),
        access=replace(
            access, client_secret_file=access.client_secret_file and str(folder / access.client_secret_file)
        ),
        inventory=replace(config.inventory, file=config.inventory.file and str(folder / config.inventory.file)),
        ledger=replace(config.ledger, anchor=config.ledger.anchor and str(folder / config.ledger.anchor)),
    )


def _located(place: str, folder: Path) -> str:
    return place if not place or "://" in place else str(folder / place)


def parse(text: str, *, where: str) -> Config:
    """The configuration in TOML text; `where` names its origin in messages. Raises `Invalid`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"read {where}: not TOML: {error}") from error
    sections: dict[str, Any] = {}
    for name, table in document.items():
        if name not in SECTIONS:
            raise Invalid(f"read {where}: unknown section [{name}]; {_meant(name, SECTIONS)}")
        if not isinstance(table, dict):
            raise Invalid(f"read {where}: {name!r} is a value, expected a section [{name}]")
        sections[name] = _section(SECTIONS[name], table, where=f"{where} [{name}]")
    return Config(**sections)


def _section(kind: type[_Section], table: Mapping[str, Any], *, where: str) -> _Section:
    known = {item.name: item for item in fields(cast("Any", kind))}
    forms = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise Invalid(f"read {where}: unknown key {key!r}; {_meant(key, known)}")
        form = forms[key]
        if form in _FORMS:
            values[key] = _listed(value, form, where=f"read {where}: {key}")
        elif type(value) is form:
            values[key] = value
        else:
            raise Invalid(
                f"read {where}: {key} is of type {type(value).__name__}, expected {form.__name__} "
                f"such as {known[key].default!r}"
            )
    return kind(**values)


def _listed(value: Any, form: Any, *, where: str) -> Texts | Table:
    """A list or a table of TOML as a value that cannot change."""
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict if form == Table else list) and all(isinstance(item, str) for item in items):
        return tuple(value.items()) if isinstance(value, dict) else tuple(value)
    raise Invalid(f"{where} is of type {type(value).__name__} or holds other values, expected {_FORMS[form]}")


def _with_environment(config: Config, environment: Mapping[str, str]) -> Config:
    sections: dict[str, Any] = {name: getattr(config, name) for name in SECTIONS}
    for variable, text in sorted(environment.items()):
        name, _, key = variable.removeprefix(_ENVIRONMENT_PREFIX).lower().partition("_")
        if not variable.startswith(_ENVIRONMENT_PREFIX) or name not in SECTIONS:
            continue
        section = sections[name]
        known = [item.name for item in fields(section)]
        if key not in known:
            raise Invalid(f"read {variable}: no such setting; {_meant(key, known)}")
        sections[name] = replace(section, **{key: _value(text, get_type_hints(type(section))[key], variable)})
    return Config(**sections)


def _value(text: str, kind: Any, variable: str) -> str | int | bool | Texts | Table:
    if kind in _FORMS:
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise Invalid(
                f"read {variable}: expected {_FORMS[kind]}, as TOML writes it in one line: {error}"
            ) from error
        return _listed(value, kind, where=f"read {variable}: it")
    if kind is bool:
        if text.lower() not in _TRUTHS:
            raise Invalid(f"read {variable}: {text!r}, expected one of {', '.join(_TRUTHS)}")
        return _TRUTHS[text.lower()]
    if kind is int:
        if not (text.isascii() and text.isdecimal()):
            raise Invalid(f"read {variable}: {text!r}, expected a whole number")
        return int(text)
    return text


def _meant(word: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"read {file}: {error}; give --config FILE or remove it") from error
