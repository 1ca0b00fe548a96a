"""Pages as `launch` starts them, asked by whoever reaches them and has signed in to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from dashboards.test_browser import serve
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from aftertrace.dashboards import launch


@pytest.fixture(scope="module")
def served(empty: Path) -> Iterator[str]:
    """Address of the pages over a store of nothing."""
    yield from serve(empty)


@pytest.mark.slow
def test_nobody_puts_a_file_into_the_memory_of_the_pages(served: str) -> None:
    """Whoever opens a page has a session, also before they sign in: its id is told, and lets no byte in."""
    with httpx2.Client(base_url=served, timeout=20) as client:
        token = client.get("/_stcore/health").cookies["_streamlit_xsrf"]
        headers = {"X-Xsrftoken": token}
        begin = BackMsg()
        begin.rerun_script.SetInParent()
        with connect(f"{served.replace('http', 'ws', 1)}/_stcore/stream") as page:
            page.send(begin.SerializeToString())
            session = ""
            while not session:
                told = ForwardMsg.FromString(page.recv(timeout=20, decode=False))
                session = told.new_session.initialize.session_id
            address = f"/_stcore/upload_file/{session}/1"
            for size in (1, 1 << 20):
                assert client.put(address, headers=headers, files={"file": bytes(size)}).status_code == 413
            assert client.put(address, files={"file": b"1"}).status_code == 403


def test_a_file_of_the_working_directory_weakens_no_check(tmp_path: Path) -> None:
    """Nor does it let a header say who looks: what the pages are started with counts."""
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("""
[server]
enableXsrfProtection = false
maxUploadSize = 500
trustedUserHeaders = { X-Groups = "groups" }
""")
    code = """
import sys
from streamlit import config
from streamlit.web import bootstrap, cli
names = ("enableXsrfProtection", "maxUploadSize", "trustedUserHeaders")
bootstrap.run = lambda *_: print([config.get_option(f"server.{name}") for name in names])
cli.main(prog_name="streamlit")
"""
    told = []
    for options in (launch.arguments(tmp_path / "data"), ["run", launch.arguments(tmp_path)[1]]):
        run = [sys.executable, "-c", code, *options]
        done = subprocess.run(run, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, timeout=60)
        told.append(done.stdout.splitlines()[-1])
    assert told == ["[True, 0, {}]", "[False, 500, {'X-Groups': 'groups'}]"]
