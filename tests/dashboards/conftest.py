"""Pages run in this process, on stores that went the whole way in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import streamlit as st
from dashboards import stores
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import Analysis, open_analysis
from aftertrace.dashboards import launch
from aftertrace.store.folder import open_folder

APP = Path(launch.__file__).with_name("app.py")
PAGES = ("now", "near_misses", "runs", "run", "approvals", "changes", "agents", "compare", "evidence", "sql")

OpenPage: TypeAlias = Callable[..., AppTest]


def drawn(page: AppTest, name: str) -> list[dict[str, Any]]:
    """What the drawings of this kind on a page are given, from top to bottom."""
    protos = [each.proto for each in page.get("bidi_component")]
    return [json.loads(proto.json) for proto in protos if proto.component_name == f"aftertrace_{name}"]


def said(drawing: Any) -> Iterator[str]:
    """Every text of a drawing."""
    if isinstance(drawing, dict):
        for value in drawing.values():
            yield from said(value)
    elif isinstance(drawing, list):
        for value in drawing:
            yield from said(value)
    elif isinstance(drawing, str):
        yield drawing


@pytest.fixture(scope="session", autouse=True)
def pages_are_on_loopback() -> None:
    """As those that `launch` starts are unless somebody wants it otherwise."""
    st.config.set_option("server.address", launch.LOOPBACK)


@pytest.fixture(scope="session", autouse=True)
def components_are_looked_for_once() -> Iterator[None]:
    """Streamlit reads the metadata of every installed package for each page that is opened in a test; in a server it
    does so once.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of recordings of real agents."""
    return stores.recorded(tmp_path_factory.mktemp("recorded") / "data")


@pytest.fixture(scope="session")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two weeks of an agent that was changed."""
    return stores.weeks(tmp_path_factory.mktemp("weeks") / "data")


@pytest.fixture
def after_weeks(monkeypatch: pytest.MonkeyPatch) -> int:
    """The clock stands at the end of these weeks."""
    monkeypatch.setattr("time.time_ns", lambda: stores.WEEKS_NS)
    return stores.WEEKS_NS


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every text attacks the reader."""
    return stores.hostile(tmp_path_factory.mktemp("hostile") / "data")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which nothing has arrived."""
    return open_folder(tmp_path_factory.mktemp("empty") / "data").data


@pytest.fixture(scope="session")
def analysis(recorded: Path) -> Analysis:
    """The analyzer's own view of the recordings, to hold the pages against."""
    return open_analysis(recorded)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Opens a page of a store at an address, as a browser would: as the first since the start of the server, or with
    what that has read for others.
    """

    def opened(
        page: str,
        data: Path,
        /,
        *,
        inventory: Path | None = None,
        is_first: bool = True,
        zone: str | None = None,
        **query: str,
    ) -> AppTest:
        told = [] if inventory is None else ["--inventory", str(inventory)]
        monkeypatch.setattr("sys.argv", ["app.py", "--data", str(data), *told])
        if is_first:
            st.cache_data.clear()
            st.cache_resource.clear()
        test = AppTest.from_file(str(APP), default_timeout=30)
        test.context["timezone"] = zone
        for name, value in query.items():
            test.query_params[name] = value
        if page == "now":
            return test.run()
        test.switch_page(f"views/{page}.py")
        return test.run()

    return opened
