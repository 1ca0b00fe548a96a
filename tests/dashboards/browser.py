"""A headless Chromium that opens pages of the dashboard, spoken to over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from websockets.sync.client import ClientConnection, connect

_START_S = 40.0
_SETTLE_S = 0.8
"""How long a page must look the same before it counts as drawn."""
_ANSWER_S = 30.0


def chromium() -> str | None:
    """Path of a Chromium, if there is one on this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        """Take over a connection to the tab."""
        self._connection = connection
        self._sent = 0
        self.requests: list[str] = []
        """Address of everything the page has asked for."""
        self.dialogs = 0
        """How many `alert`s and the like were opened."""
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and note the events that come meanwhile."""
        self._sent += 1
        self._connection.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=30))
            if message.get("id") == self._sent:
                return dict(message.get("result", {}))
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("method") == "Page.javascriptDialogOpening":
                self.dialogs += 1
                self._sent_aside("Page.handleJavaScriptDialog", accept=True)

    def _sent_aside(self, method: str, **parameters: Any) -> None:
        """Call a method while another call waits for its answer: an open dialog holds every other answer back."""
        self._connection.send(json.dumps({"id": -1, "method": method, "params": parameters}))

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression on the page."""
        deadline = time.monotonic() + _ANSWER_S
        # A page that is just being left for another one answers nothing.
        while "result" not in (told := self.call("Runtime.evaluate", expression=expression, returnByValue=True)):
            assert time.monotonic() < deadline, f"no page answered {expression}"
            time.sleep(0.05)
        return told["result"].get("value")

    def open(self, address: str, *, width: int, height: int, scheme: Literal["light", "dark"] = "light") -> None:
        """Open an address at a size and in a colour scheme, and return when the page stands still."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=address)
        self.settle()

    def settle(self) -> None:
        """Return when the page stands still."""
        deadline, still_since, before = time.monotonic() + _START_S, time.monotonic(), None
        while time.monotonic() < deadline and time.monotonic() - still_since < _SETTLE_S:
            time.sleep(0.1)
            running = self.evaluate(
                "document.querySelector('[data-test-script-state=running], [data-testid=stSpinner], "
                "[data-testid=stAppSkeleton], .stBidiComponent:not(:has(.at-root))') !== null"
            )
            now = self.evaluate(
                "document.querySelector('[data-testid=stMain]')?.innerText + document.querySelectorAll('canvas').length"
            )
            if now != before or running or not now:
                before, still_since = now, time.monotonic()

    def text(self) -> str:
        """What the page says."""
        return str(self.evaluate("document.body.innerText"))

    def picture(self, path: Path) -> None:
        """Store what the page looks like as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


def until(tab: Browser, holds: Callable[[], object]) -> bool:
    """Wait until something holds: on a busy machine a page stands still for a moment before it answers."""
    deadline = time.monotonic() + _ANSWER_S
    while not holds() and time.monotonic() < deadline:
        tab.settle()
    return bool(holds())


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with an empty profile in `folder`; ended with the block."""
    program = chromium()
    assert program is not None, "no Chromium: ask `chromium()` first"
    arguments = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0")
    process = subprocess.Popen(
        [program, *arguments, f"--user-data-dir={folder}", "about:blank"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        port_file = folder / "DevToolsActivePort"
        deadline = time.monotonic() + _START_S
        while not (port_file.exists() and port_file.read_text().count("\n")):
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        port = port_file.read_text().splitlines()[0]
        with connect(f"ws://127.0.0.1:{port}{_target(port)}", max_size=None) as connection:
            yield Browser(connection)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _target(port: str) -> str:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
        page = next(each for each in json.load(answer) if each["type"] == "page")
    return str(page["webSocketDebuggerUrl"].split(port, 1)[1])
