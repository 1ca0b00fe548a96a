"""Pages as `launch` starts them, asked by whoever reaches them and has signed in to nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


def told(page: ClientConnection, asked: BackMsg) -> list[ForwardMsg]:
    """What is told of one run of a page, or of a part of it."""
    page.send(asked.SerializeToString())
    messages = [ForwardMsg()]
    while messages[-1].WhichOneof("type") != "script_finished":
        messages.append(ForwardMsg.FromString(page.recv(timeout=30, decode=False)))
    return messages


@contextmanager
def near_misses(address: str) -> Iterator[tuple[ClientConnection, BackMsg, BackMsg]]:
    """The open page, and what a browser asks for as its second kind is chosen: the page, and the part with a timer."""
    of_page, of_part = BackMsg(), BackMsg()
    of_page.rerun_script.page_name = "near_misses"
    with connect(f"{address.replace('http', 'ws', 1)}/_stcore/stream", max_size=None) as page:
        drawn = told(page, of_page)
        (timer,) = (each.auto_rerun for each in drawn if each.HasField("auto_rerun"))
        (script,) = (each.navigation.page_script_hash for each in drawn if each.HasField("navigation"))
        (table,) = set(re.findall(r"[$]{2}ID-[0-9a-f]+-kind_[0-9a-f]+", "".join(map(str, drawn))))
        chosen = json.dumps({"selection": {"rows": [1], "columns": [], "cells": []}})
        for each in (of_page, of_part):
            each.rerun_script.page_script_hash = script
            each.rerun_script.widget_states.widgets.add(id=table, string_value=chosen)
        of_part.rerun_script.fragment_id, of_part.rerun_script.is_auto_rerun = timer.fragment_id, True
        yield page, of_page, of_part


def written(messages: list[ForwardMsg]) -> list[str]:
    """What is put behind the page's name in the browser."""
    return [each.page_info_changed.query_string for each in messages if each.HasField("page_info_changed")]


@pytest.mark.slow
@pytest.mark.parametrize("part_comes_first", [True, False])
def test_what_is_chosen_while_a_part_is_drawn_again_is_chosen(weeks: Path, part_comes_first: bool) -> None:
    """Its timer went off as the row was clicked: both runs have the row, and an address without what it stands for."""
    with contextmanager(serve)(weeks) as address, near_misses(address) as (page, of_page, of_part):
        if part_comes_first:
            told(page, of_part)
        messages = told(page, of_page)
    assert written(messages) == ["kind=d1df6dfc"]
    assert "22 near misses of this kind" in "".join(map(str, messages))


@pytest.mark.slow
def test_news_do_not_undo_what_was_chosen_just_now(weeks: Path, tmp_path: Path) -> None:
    """A browser that had yet to hear of the choice asked whether there are any; the next time they are drawn."""
    inventory = tmp_path / "inventory.toml"
    inventory.touch()
    with (
        contextmanager(serve)(weeks, inventory) as address,
        near_misses(address) as (page, of_page, of_part),
        near_misses(address) as (other, _, of_other),
    ):
        assert written(told(page, of_page)) == ["kind=d1df6dfc"]
        os.utime(inventory, (1, 1))
        deadline_s = time.monotonic() + 30
        while told(other, of_other)[-1].script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            assert time.monotonic() < deadline_s, "nobody was told the news"
            time.sleep(0.1)
        assert told(page, of_part)[-1].script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
        of_part.rerun_script.query_string = "kind=d1df6dfc"
        assert told(page, of_part)[-1].script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN


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
