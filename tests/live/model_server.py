"""A model on loopback that plays a script, over the wires of four providers, streaming or not.

It also answers what programs ask beside their model calls: token counts, lists of models, titles. Nothing that it is
asked leaves the machine. What it was asked is kept, so that a test can tell what a model was told of a call.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final

from . import wires
from .script import Script

_GEMINI: Final = re.compile(r"/models/([^/:]+):(\w+)")
_DEFAULT_MODEL: Final = "scripted-1"
_WIRES: Final = {
    "/messages": (wires.messages_whole, wires.messages_stream),
    "/responses": (wires.responses_whole, wires.responses_stream),
    "/chat/completions": (wires.chat_whole, wires.chat_stream),
}
"""By how a path ends."""
_GEMINI_WIRE: Final = (wires.gemini_whole, wires.gemini_stream)


@dataclass(slots=True)
class Played:
    """What a server was asked so far, in order: path and body of each request."""

    script: Script
    base_url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, path: str, body: dict[str, Any]) -> int:
        """Keep a request; its number."""
        with self._lock:
            self.requests.append((path, body))
            return len(self.requests)


@contextmanager
def serve(script: Script) -> Iterator[Played]:
    """Play a script at `base_url` for as long as the context is open."""
    played = Played(script)

    class Handler(_Handler):
        """Answers from this script."""

        asked = played

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    played.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, name="model", daemon=True)
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    asked: Played
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing: the requests are kept."""

    def do_HEAD(self) -> None:
        """Say that somebody is here."""
        self._answer({})

    def do_GET(self) -> None:
        """List the one model, in every provider's words."""
        listed = [{"id": _DEFAULT_MODEL, "object": "model", "type": "model", "display_name": _DEFAULT_MODEL}]
        self._answer({"object": "list", "data": listed, "models": [], "has_more": False})

    def do_POST(self) -> None:
        """Answer a model call with the script's next turn, and anything else harmlessly."""
        told = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        try:
            body = json.loads(told)
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        path = self.path.partition("?")[0].rstrip("/")
        number = self.asked.take(path, body)
        gemini = _GEMINI.search(path)
        wire = next((each for ending, each in _WIRES.items() if path.endswith(ending)), None)
        if gemini is not None and gemini[2].lower().endswith("generatecontent"):
            self._play(_GEMINI_WIRE, body, gemini[1], number, is_streamed=gemini[2].startswith("stream"))
        elif wire is not None:
            model = str(body.get("model") or _DEFAULT_MODEL)
            self._play(wire, body, model, number, is_streamed=body.get("stream") is True)
        elif path.endswith(("count_tokens", "countTokens")):
            self._answer({"input_tokens": wires.INPUT_TOKENS, "totalTokens": wires.INPUT_TOKENS})
        else:
            self._answer({})

    def _play(self, wire: Any, body: dict[str, Any], model: str, number: int, *, is_streamed: bool) -> None:
        script = self.asked.script
        is_aside = script.lists_tools and not body.get("tools")
        turn = script.aside if is_aside else script.next_turn(json.dumps(body, ensure_ascii=False))
        time.sleep(turn.delay_s)
        whole, stream = wire
        if not is_streamed:
            self._answer(whole(turn, model, number))
            return
        lines = [_line(name, data) for name, data in stream(turn, model, number)]
        if stream is wires.chat_stream:
            lines.append("data: [DONE]\n\n")
        self._send("text/event-stream", "".join(lines).encode())

    def _answer(self, value: dict[str, Any]) -> None:
        self._send("application/json", json.dumps(value).encode())

    def _send(self, content_type: str, payload: bytes) -> None:
        try:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(payload)
        except ConnectionError:
            # The client was interrupted while the model thought.
            self.close_connection = True


def _line(name: str, data: dict[str, Any]) -> str:
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"
