"""A client of Codex's app server: it begins one turn and answers what it is asked, three seconds after it is asked."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final

from . import child
from .scene import PROMPT

THINKS_S: Final = 3.0
_LIMIT_S: Final = 45.0
"""Of a whole conversation: its server's end lies within the limit of a case, too."""
_CLOSES_S: Final = 10.0
_FLUSHES_S: Final = 5.5
"""An interrupted turn's last records leave with the next batch."""


class Client:
    """One connection: JSON-RPC, a message a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._messages: Queue[dict[str, Any]] = Queue()
        self._asked = 0
        self._end_s = time.monotonic() + _LIMIT_S
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._messages.put(json.loads(line))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message as it is."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Ask and wait for the result; what comes in between is dropped.

        Raises:
            RuntimeError: the server answers with an error.
        """
        self._asked += 1
        self.send({"id": self._asked, "method": method, "params": params})
        for message in self.messages():
            if message.get("id") == self._asked and "method" not in message:
                if "result" not in message:
                    break
                return dict(message["result"])
        raise RuntimeError(f"{method} was not answered")

    def messages(self) -> Iterator[dict[str, Any]]:
        """What comes, until the time is up."""
        while (left_s := self._end_s - time.monotonic()) > 0:
            try:
                yield self._messages.get(timeout=left_s)
            except Empty:
                return


def play(program: str, environment: Mapping[str, str], answers: Sequence[str]) -> None:
    """Let a turn run to its end under the policy that asks, and answer in this order; `interrupt` ends the turn."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = child.started((program, "app-server"), environment, **pipes)
    try:
        client = Client(process)
        client.ask("initialize", {"clientInfo": {"name": "scripted", "title": "Scripted", "version": "1"}})
        client.send({"method": "initialized", "params": {}})
        thread = client.ask("thread/start", {"approvalPolicy": "on-request", "sandbox": "workspace-write"})["thread"]
        said = [{"type": "text", "text": PROMPT}]
        turn = client.ask("turn/start", {"threadId": thread["id"], "input": said})["turn"]
        _converse(client, {"threadId": thread["id"], "turnId": turn["id"]}, list(answers))
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_CLOSES_S)
        except subprocess.TimeoutExpired:
            print("the app server does not end by itself", flush=True)
        finally:
            child.end(process)


def _converse(client: Client, turn: Mapping[str, str], answers: list[str]) -> None:
    for message in client.messages():
        if message.get("method") == "turn/completed":
            break
        if "method" in message and "id" in message:
            answer = answers.pop(0) if answers else "decline"
            print(f"{message['method']}: {answer}", flush=True)
            time.sleep(THINKS_S)
            if answer == "interrupt":
                client.send({"id": "interrupt", "method": "turn/interrupt", "params": turn})
                time.sleep(_FLUSHES_S)
            elif "elicitation" in message["method"]:
                content: dict[str, str] | None = {} if answer == "accept" else None
                client.send({"id": message["id"], "result": {"action": answer, "content": content}})
            else:
                client.send({"id": message["id"], "result": {"decision": answer}})
