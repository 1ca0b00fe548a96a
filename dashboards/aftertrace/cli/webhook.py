"""A result, posted to somebody else's program: once or a few times, signed, and to no other place than was named.

Signatures are those of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import click

from aftertrace.cli.posting import post
from aftertrace.dashboards.launch import is_loopback
from aftertrace.store.errors import Invalid, Unavailable

SECRET_VARIABLE: Final = "AFTERTRACE_WEBHOOK_SECRET"  # noqa: S105  # the name of it
ATTEMPTS: Final = 3
TIMEOUT_S: Final = 10.0
"""Of silence, until an attempt is given up."""
_WAITS_S: Final = (1.0, 4.0)
_AGAIN: Final = (408, 425, 429)
"""Answers below 500 that may be others later."""
_PREFIX: Final = b"whsec_"
_Function = TypeVar("_Function", bound=Callable[..., Any])
_OPTIONS: Final = ("webhook", "webhook_plain", "webhook_secret")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where results go."""

    secure: bool
    host: str
    port: int
    path: str
    secret: bytes | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, secret: bytes | None, *, plain_http: bool) -> Self:
        """Read a URL.

        Args:
            url: `https`, or `http` to this machine.
            secret: what the signature is made with; None signs nothing.
            plain_http: whether `http` to another machine is taken, too.

        Raises:
            Invalid: it is something else. The URL is not quoted: its path may be a secret.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise Invalid("--webhook: it is no URL, expected one such as https://example.com/hook") from None
        sendable = url.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or not sendable or parts.username is not None:
            raise Invalid("--webhook: expected a URL such as https://example.com/hook, without a user in it")
        if parts.scheme == "http" and not plain_http and not is_loopback(parts.hostname):
            raise Invalid(
                f"--webhook: http to {parts.hostname}, expected https, since anybody on the way could read it; "
                "--webhook-plain sends it all the same"
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme == "https", parts.hostname, port, path, secret)

    @property
    def origin(self) -> str:
        """What messages call it: without its path, which may be a secret."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"

    def post(self, body: bytes, now_s: int, wait: Callable[[float], None] = time.sleep) -> None:
        """Post JSON until it is taken: again where that can help, at most `ATTEMPTS` times, under one id.

        Raises:
            Invalid: it is refused, or leads elsewhere: redirects are not followed.
            Unavailable: no answer, or one that may be another later.
        """
        headers = self._headers(body, now_s)
        for nth in range(ATTEMPTS):
            try:
                status = post(self.host, self.port, self.path, body, headers, secure=self.secure, timeout_s=TIMEOUT_S)
            except (OSError, http.client.HTTPException) as error:
                found = f"no answer ({type(error).__name__})"
            else:
                if 200 <= status < 300:
                    return
                found = f"answer {status}"
                if 300 <= status < 400:
                    raise Invalid(f"post to {self.origin}: {found}, expected 2xx; redirects are not followed")
                if status < 500 and status not in _AGAIN:
                    raise Invalid(f"post to {self.origin}: {found}, expected 2xx; the result was not taken")
            if nth + 1 < ATTEMPTS:
                wait(_WAITS_S[nth])
        raise Unavailable(
            f"post to {self.origin}: {found} in {ATTEMPTS} attempts, expected 2xx; nobody was told, so try again"
        )

    def _headers(self, body: bytes, now_s: int) -> dict[str, str]:
        ident = "msg_" + hashlib.sha256(f"{now_s}.".encode() + body).hexdigest()[:24]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "aftertrace",
            "webhook-id": ident,
            "webhook-timestamp": str(now_s),
        }
        if self.secret is not None:
            mac = hmac.new(self.secret, f"{ident}.{now_s}.".encode() + body, hashlib.sha256).digest()
            headers["webhook-signature"] = "v1," + base64.b64encode(mac).decode()
        return headers


def webhook_options(command: _Function) -> _Function:
    """Add ``--webhook URL`` and what goes with it; the command gets them by name, for `named`."""
    options = (
        click.option("--webhook", metavar="URL", help="Post the result there as JSON: https, or http to this machine."),
        click.option("--webhook-plain", is_flag=True, help="Post it over http to another machine, too."),
        click.option(
            "--webhook-secret",
            metavar="FILE",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help=f"Secret that signs what is posted, as Standard Webhooks has it.  [default: ${SECRET_VARIABLE}]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def named(options: dict[str, Any]) -> Webhook | None:
    """Where the result goes by the options of a command, which are taken out; None: nowhere. Raises `Invalid`."""
    url, plain_http, secret = (options.pop(name) for name in _OPTIONS)
    if url is None:
        return None
    return Webhook.parse(url, secret_of(secret, os.environ.get(SECRET_VARIABLE)), plain_http=plain_http)


def secret_of(file: Path | None, variable: str | None) -> bytes | None:
    """The secret of a file, else of the environment; `whsec_` and base64, or the bytes themselves. None: there is none.

    Raises:
        Invalid: it is empty, or nothing or no base64 follows its prefix. It is not quoted.
    """
    if file is None and variable is None:
        return None
    secret = (file.read_bytes() if file is not None else os.fsencode(variable or "")).strip()
    where = str(file) if file is not None else SECRET_VARIABLE
    if not secret:
        raise Invalid(f"read {where}: it is empty, expected the webhook's secret")
    if not secret.startswith(_PREFIX):
        return secret
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise Invalid(f"read {where}: what follows whsec_ is no base64, expected the secret as it was given") from None
    if not key:
        raise Invalid(f"read {where}: nothing follows whsec_, expected the secret as it was given")
    return key
