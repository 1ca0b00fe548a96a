"""Pages as `launch` starts them, asked by whoever reaches them and has signed in to nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from dashboards.test_browser import serve
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

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


@pytest.fixture(scope="module")
def two_weeks(weeks: Path) -> Iterator[str]:
    """Address of the pages over two weeks of an agent."""
    yield from serve(weeks)


def told(page: ClientConnection, asked: BackMsg) -> list[ForwardMsg]:
    """What is told of one run of a page, or of a part of it."""
    page.send(asked.SerializeToString())
    messages = [ForwardMsg()]
    while messages[-1].WhichOneof("type") != "script_finished":
        messages.append(ForwardMsg.FromString(page.recv(timeout=30, decode=False)))
    return messages


@pytest.mark.slow
@pytest.mark.parametrize("part_comes_first", [True, False])
def test_what_is_chosen_while_a_part_is_drawn_again_is_chosen(two_weeks: str, part_comes_first: bool) -> None:
    """Its timer went off as the row was clicked: both runs have the row, and an address without what it stands for."""
    of_page, of_part = BackMsg(), BackMsg()
    of_page.rerun_script.page_name = "near_misses"
    with connect(f"{two_weeks.replace('http', 'ws', 1)}/_stcore/stream", max_size=None) as page:
        drawn = told(page, of_page)
        (timer,) = (each.auto_rerun for each in drawn if each.HasField("auto_rerun"))
        (script,) = (each.navigation.page_script_hash for each in drawn if each.HasField("navigation"))
        (table,) = set(re.findall(r"[$]{2}ID-[0-9a-f]+-kind_[0-9a-f]+", "".join(map(str, drawn))))
        chosen = json.dumps({"selection": {"rows": [1], "columns": [], "cells": []}})
        for each in (of_page, of_part):
            each.rerun_script.page_script_hash = script
            each.rerun_script.widget_states.widgets.add(id=table, string_value=chosen)
        of_part.rerun_script.fragment_id, of_part.rerun_script.is_auto_rerun = timer.fragment_id, True
        if part_comes_first:
            told(page, of_part)
        messages = told(page, of_page)
    written = [each.page_info_changed.query_string for each in messages if each.HasField("page_info_changed")]
    assert written == ["kind=d1df6dfc"]
    assert "22 near misses of this kind" in "".join(map(str, messages))


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
