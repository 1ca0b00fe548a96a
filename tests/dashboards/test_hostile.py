"""Telemetry is hostile: no page may take a word of it for markup, a link, or an instruction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from dashboards import stores
from dashboards.conftest import PAGES, OpenPage, drawn, said
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.inventory import checks
from aftertrace.analyzer.inventory.declared import NOTHING
from aftertrace.dashboards import agent_cards, drawings

AS_TEXT = frozenset(
    {
        "text.body",
        "code.code_text",
        "selectbox.options",
        "multiselect.options",
        "text_input.value",
        "text_input.default",
        "vega_lite_chart.spec",
        "bidi_component.json",
        "page_link.query_string",
    }
)
"""The only fields in which a text of a sender may stand: the browser shows them as they are. Cells are Arrow bytes and
looked at below; where in a chart such a text may stand is in `test_charts`. What a drawing is given is data: its script
puts it into the page as text. A query is of a link to a page of ours, and encoded."""


def words(element: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of an element of a page, with the name of its field."""
    for field, value in element.ListFields():
        inner = f"{path}.{field.name}".lstrip(".")
        values = value if field.is_repeated else [value]
        if field.type == FieldDescriptor.TYPE_STRING:
            yield from ((inner, text) for text in values)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for each in values:
                yield from words(each, inner)


def leaks(page: AppTest) -> set[str]:
    """Fields that hold a text of the attacks, or a part of one, outside those that show text as it is."""
    fragments = ("attacker", "alert(1)", "**bold**", "7*7", "\u202e", "\u200b", "\x1b", "gnihtyna", "HYPERLINK")
    found = set()
    for element in page._tree:
        proto: Any = getattr(element, "proto", None)
        if not isinstance(proto, Message):
            continue
        for field, text in _unpacked(words(proto, element.type)):
            unseen = any(mark in text for mark in ("\u202e", "\u200b", "\x1b"))
            if unseen or (field not in AS_TEXT and any(fragment in text for fragment in fragments)):
                found.add(field)
    return found


def _unpacked(told: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Of what is given as JSON, each text: what cannot be seen is written out in JSON whatever a page does."""
    for field, text in told:
        if field == "bidi_component.json":
            yield from ((field, each) for each in said(json.loads(text)))
        else:
            yield field, text


@pytest.mark.parametrize("name", PAGES)
def test_no_page_takes_a_text_of_a_sender_for_markup(name: str, hostile: Path, open_page: OpenPage) -> None:
    """Whatever element it is: Markdown, caption, label, tooltip, metric, badge, link."""
    page = open_page(name, hostile)
    assert [each.message for each in page.exception] == []
    assert leaks(page) == set()


def test_every_run_of_an_attack_has_a_page_that_shows_it_as_text(hostile: Path, open_page: OpenPage) -> None:
    """Each attack in turn, on the page that shows most of a sender's words."""
    tabs = ("Calls", "Timeline", "Agents", "Effects", "Configuration", "Related", "Record")
    for number, (run_id, tab) in enumerate(product(open_analysis(hostile).runs["run_id"], tabs)):
        page = open_page("run", hostile, is_first=number == 0, run=run_id, tab=tab)
        assert ([each.message for each in page.exception], leaks(page)) == ([], set()), (run_id, tab)


@pytest.mark.parametrize(
    ("name", "query"), [("run", {"tab": "Related"}), ("run", {}), ("runs", {}), ("runs", {"q": "attacker"})]
)
def test_drawings_are_of_scripts_of_ours_and_lead_home(
    name: str, query: dict[str, str], hostile: Path, open_page: OpenPage
) -> None:
    """The script is the same whatever is drawn; addresses in the data are those of runs."""
    page = open_page(name, hostile, **query)
    folder = Path(drawings.__file__).parent / "drawn"
    for each in page.get("bidi_component"):
        script = (folder / f"{each.proto.component_name.removeprefix('aftertrace_')}.js").read_text()
        assert each.proto.js_content.endswith(script)
        assert each.proto.css_content == (folder / "sheet.css").read_text()
        assert (each.proto.html_content, each.proto.js_source_path) == ("", "")
        addresses = list(addresses_in(json.loads(each.proto.json)))
        assert all(address.startswith("/run?run=") and address.isascii() for address in addresses)
    if name == "runs":
        assert len(drawn(page, "runs")[0]["runs"]) == len(stores.HOSTILE) if not query else 1


def addresses_in(drawing: Any) -> Iterator[str]:
    """Every address that a drawing leads to."""
    if isinstance(drawing, dict):
        yield from (value for key, value in drawing.items() if key == "to")
        for value in drawing.values():
            yield from addresses_in(value)
    elif isinstance(drawing, list):
        for value in drawing:
            yield from addresses_in(value)


def test_scripts_put_no_text_where_markup_is_read() -> None:
    """What a script may not say, in all of them; the control is that each says what it does instead."""
    folder = Path(drawings.__file__).parent / "drawn"
    scripts = {path.name: path.read_text() for path in folder.glob("*.js")}
    readers = ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval", "Function(", "createContextual",
               "fetch", "XMLHttpRequest", "import(", "setAttribute(\"on", "srcdoc", ".src")  # fmt: skip
    assert {(name, reader) for name, text in scripts.items() for reader in readers if reader in text} == set()
    assert "textContent" in scripts["elements.js"]


def test_agents_that_nobody_declared_are_text_on_the_page(tmp_path: Path, hostile: Path, open_page: OpenPage) -> None:
    """Their names are what an attacker chose, and every one of them is off an empty inventory."""
    (tmp_path / "inventory.toml").touch()
    page = open_page("now", hostile, inventory=tmp_path / "inventory.toml", show="inventory")
    assert [each.message for each in page.exception] == []
    assert leaks(page) == set()
    assert [each.value.shape[0] > 0 for each in page.dataframe if "owner" in each.value.columns] == [True]


@pytest.mark.parametrize("about", ["agents", "off the inventory", "tools", "systems", "six questions"])
def test_whatever_is_asked_about_agents_is_told_as_text(
    about: str, tmp_path: Path, hostile: Path, open_page: OpenPage
) -> None:
    """Each of them in full, with links that lead home."""
    (tmp_path / "inventory.toml").touch()
    analysis = open_analysis(hostile)
    agents = agent_cards.with_agent_id(checks.of(analysis, NOTHING).agents)["agent_id"]
    for who in agents if about == "agents" else agents[:1]:
        page = open_page("agents", hostile, inventory=tmp_path / "inventory.toml", about=about, who=who)
        assert [each.message for each in page.exception] == []
        assert leaks(page) == set()
        addresses = [to for each in page.get("bidi_component") for to in addresses_in(json.loads(each.proto.json))]
        assert all(address.startswith("/run?run=") for address in addresses)


def test_two_attacks_side_by_side_are_text(hostile: Path, open_page: OpenPage) -> None:
    """What differs, and what is different about the calls of one of them."""
    runs = open_analysis(hostile).runs["run_id"].to_list()
    for a, b in pairwise(runs):
        page = open_page("compare", hostile, a=a, b=b)
        assert [each.message for each in page.exception] == []
        assert leaks(page) == set()
        assert list(drawn(page, "document"))
    for text in stores.HOSTILE:
        page = open_page("compare", hostile, two="populations")
        page.multiselect(key="where").select(f"agent={text}").run()
        assert [each.message for each in page.exception] == []
        assert "with agent=" in page.text[0].value
        assert leaks(page) == set()


@pytest.mark.parametrize("text", stores.HOSTILE)
def test_a_filter_can_be_set_to_an_attack(text: str, hostile: Path, open_page: OpenPage) -> None:
    """An agent with such a name can still be looked at."""
    page = open_page("near_misses", hostile)
    page.selectbox(key="agent").select(text).run()
    assert [each.message for each in page.exception] == []
    assert page.dataframe[0].value.shape[0] == 2
    assert leaks(page) == set()


@pytest.mark.parametrize("name", PAGES)
def test_cells_are_visible_text_and_links_lead_home(name: str, hostile: Path, open_page: OpenPage) -> None:
    """No table draws a cell as a link, an image or Markdown, but for the links to runs that are made here."""
    for table in open_page(name, hostile).dataframe:
        kinds = {
            column: each.get("type_config", {}).get("type") for column, each in json.loads(table.proto.columns).items()
        }
        assert set(kinds.values()) <= {"text", "number", "progress", "date", "datetime", "link", "multiselect", None}
        for column, values in table.value.items():
            texts = [value for value in values if isinstance(value, str)]
            if kinds.get(column) == "link":
                assert all(value.startswith("/run?run=") and value.isascii() for value in texts)
            assert not [text for text in texts if any(mark in text for mark in "\u202e\u200b\x1b\n")]


def test_the_check_sees_a_text_in_a_markdown_element() -> None:
    """A negative control: a page that does it wrong is found out."""

    def careless() -> None:
        import streamlit as st

        st.caption("agent <img src=x onerror=alert(1)>")
        st.metric("calls", 1, help="www.attacker.example")
        st.text("\u202eturned")
        st.text("<script>alert(1)</script>")

    page = AppTest.from_function(careless).run()
    assert {field.split(".")[1] for field in leaks(page)} == {"body", "help"}
    assert "text.body" in leaks(page)


def test_streamlit_shows_a_text_element_as_text() -> None:
    """What the list of safe fields rests on: `st.text` and `st.code` say so themselves."""
    assert "without Markdown or HTML parsing" in str(st.text.__doc__)
