"""An OpenID Connect provider on loopback: whoever comes is signed in at once, as the test says, with tokens as real."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jwt

CLIENT = "pages"
SECRET = "only the provider and the pages know this"


@dataclass
class Provider:
    """What it tells of whoever signs in next, and what it was asked."""

    claims: dict[str, Any] = field(default_factory=dict)
    """Of the next token; `iss`, `aud`, `iat` and `exp` are as they should be unless they stand here."""
    key: jwk.RSAKey = field(default_factory=lambda: jwk.RSAKey.generate_key(2048, parameters={"kid": "1"}))
    signs_with: jwk.RSAKey | None = None
    """None: the key that it tells of."""
    issuer: str = ""
    asked: list[str] = field(default_factory=list)
    """Paths, in order."""
    nonces: dict[str, str] = field(default_factory=dict)
    """By the code that was given for it."""

    def metadata(self) -> dict[str, Any]:
        """What stands at its well-known address."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorized(self, query: dict[str, list[str]]) -> str:
        """Where the browser is sent, with a code."""
        code = secrets.token_hex(8)
        self.nonces[code] = query["nonce"][0]
        return f"{query['redirect_uri'][0]}?{urlencode({'code': code, 'state': query['state'][0]})}"

    def token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        """What is given for a code."""
        now_s = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT, "iat": now_s, "exp": now_s + 600}
        claims = {**usual, "nonce": self.nonces.pop(form["code"][0]), **self.claims}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.signs_with or self.key)
        return {"access_token": secrets.token_hex(8), "token_type": "Bearer", "expires_in": 600, "id_token": signed}


@contextmanager
def provider() -> Iterator[Provider]:
    """It listens for as long as the block lasts."""
    told = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            told.asked.append(parts.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", told.authorized(parse_qs(parts.query)))
                self.end_headers()
            elif parts.path == "/keys":
                self._answer({"keys": [told.key.as_dict(private=False)]})
            else:
                self._answer(told.metadata())

        def do_POST(self) -> None:
            told.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(told.token(parse_qs(body)))

        def _answer(self, value: dict[str, Any]) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
