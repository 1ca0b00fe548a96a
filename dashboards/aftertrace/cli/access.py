"""Who may look at the pages: what the configuration says of it, held against where they listen."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aftertrace.dashboards.access import Access
from aftertrace.dashboards.launch import Tls, is_loopback
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.cli.addresses import Address
    from aftertrace.cli.config import Config, DashboardSection

CALLBACK: Final = "/oauth2callback"
"""Where the provider sends people back to, below `access.url`."""
METADATA: Final = "/.well-known/openid-configuration"
"""Where a provider tells of itself, below its issuer."""
_COOKIES: Final = b"cookies of the dashboard\0"


@dataclass(frozen=True, slots=True)
class AccessSection:
    """Who may look at the pages, and at what: [dashboards/README.md](../dashboards/README.md#signing-in) has the roles.
    Needed beyond loopback.
    """

    issuer: str = ""
    """Issuer of an OpenID Connect provider, by which people sign in, such as `https://login.example.com/realms/it`.
    Empty: nobody signs in, and the pages are for whoever reaches them on loopback."""
    client_id: str = ""
    """Id of these pages at the provider."""
    client_secret_file: str = ""
    """File with the secret that belongs to it, on one line. A relative path in the file counts from the file's
    folder."""
    url: str = ""
    """Where browsers reach the pages, such as `https://audit.example.com`. The provider has to send people back to
    `/oauth2callback` below it."""
    scope: str = "openid email profile"
    """What the provider is asked to tell; some tell groups only where `groups` is asked for."""
    session_hours: int = 8
    """How long a sign-in counts: roles, groups and tenants are told anew by the next one."""
    viewers: tuple[str, ...] = ()
    """Who may look at the pages about runs, each as `CLAIM=VALUE` of the token, in which `*` stands for any characters:
    `groups=it-*`, `sub=248289`, or `email=ana@example.com`, which the provider has to have verified."""
    reviewers: tuple[str, ...] = ()
    """Who may take away what they see as well."""
    auditors: tuple[str, ...] = ()
    """Who may do everything: evidence, packets and SQL too."""
    tenants: tuple[tuple[str, str], ...] = ()
    """Who sees which tenants, with commas between, or `*` for all, as in `"groups=acme" = 'acme'`: others see nothing.
    Empty: everybody sees all."""


def access_for(config: Config, pages: Address) -> Access | None:
    """Who may look at pages that listen somewhere; None: whoever reaches them on loopback.

    Raises:
        Invalid: it cannot hold, or would show the pages to everybody.
    """
    section, dashboard = config.access, config.dashboard
    if bool(dashboard.tls_certificate) != bool(dashboard.tls_key):
        raise Invalid("configure dashboard: TLS needs both dashboard.tls_certificate and dashboard.tls_key; set both")
    if not is_loopback(pages.host) and not (section.issuer and dashboard.tls_certificate):
        raise Invalid(
            f"configure dashboard: {pages.host!r} is not a loopback address, expected 127.0.0.1, ::1 or localhost; to "
            "show the pages to others set access.issuer, so that they sign in, and dashboard.tls_certificate and "
            "dashboard.tls_key; or leave them out with --no-dashboard"
        )
    if not section.issuer:
        _refuse_what_is_not_in_force(section)
        return None
    for name in ("client_id", "client_secret_file", "url"):
        if not getattr(section, name):
            raise Invalid(f"configure access: {name} is empty, expected it with access.issuer; set access.{name}")
    for name in ("issuer", "url"):
        _check_address(name, getattr(section, name))
    if section.session_hours < 1:
        raise Invalid(f"configure access: session_hours is {section.session_hours}, expected at least 1")
    if not (section.viewers or section.reviewers or section.auditors):
        raise Invalid("configure access: nobody may look; set access.viewers, access.reviewers or access.auditors")
    if "openid" not in section.scope.split():
        raise Invalid(f"configure access: scope is {section.scope!r}, expected openid in it")
    for who in (*section.viewers, *section.reviewers, *section.auditors, *(who for who, _ in section.tenants)):
        claim, is_told, value = who.partition("=")
        if not (claim and is_told and value):
            raise Invalid(f"configure access: {who!r}, expected CLAIM=VALUE such as groups=it or email=ana@example.com")
    _secret(section)
    return Access(
        issuer=section.issuer,
        client_id=section.client_id,
        url=section.url.rstrip("/"),
        scope=section.scope,
        session_hours=section.session_hours,
        viewers=section.viewers,
        reviewers=section.reviewers,
        auditors=section.auditors,
        tenants=section.tenants,
    )


def tls_for(section: DashboardSection) -> Tls | None:
    """What the pages show to browsers, once `access_for` has let it through; None: they speak in the clear."""
    if not section.tls_key:
        return None
    return Tls(Path(section.tls_certificate).absolute(), Path(section.tls_key).absolute())


def provider(access: Access, section: AccessSection, store_key: bytes) -> dict[str, Any]:
    """What Streamlit is told of the provider; it holds secrets.

    Args:
        access: who may look.
        section: where the client's secret is.
        store_key: of the store. From it and the client's secret the key of the cookies is made: pages that share a lake
            share them, and another secret ends all sign-ins.

    Raises:
        Invalid: the client's secret cannot be read.
    """
    secret = _secret(section)
    return {
        "redirect_uri": access.url + CALLBACK,
        "cookie_secret": hmac.digest(store_key, _COOKIES + secret.encode(), "sha256").hex(),
        "client_id": access.client_id,
        "client_secret": secret,
        "server_metadata_url": access.issuer.rstrip("/") + METADATA,
        "client_kwargs": {"scope": access.scope, "prompt": "select_account"},
    }


def _refuse_what_is_not_in_force(section: AccessSection) -> None:
    told = [name for name in ("client_id", "viewers", "reviewers", "auditors", "tenants") if getattr(section, name)]
    if told:
        raise Invalid(f"configure access: {told[0]} counts for nobody without a provider; set access.issuer")


def _check_address(name: str, address: str) -> None:
    parts = urlsplit(address)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not (is_safe and parts.hostname) or parts.query or parts.fragment or parts.username:
        raise Invalid(
            f"configure access: {name} is {address!r}, expected https:// and a host; http:// on loopback alone"
        )


def _secret(section: AccessSection) -> str:
    path = Path(section.client_secret_file)
    try:
        secret = path.read_text(encoding="utf-8").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise Invalid(f"read {path}: {reason}, expected the client's secret; see access.client_secret_file") from None
    if not secret or "\n" in secret:
        raise Invalid(f"read {path}: expected the client's secret on one line; see access.client_secret_file")
    if mode & 0o007:
        raise Invalid(f"read {path}: others may read or write it, expected its owner and group alone; chmod o= it")
    return secret
