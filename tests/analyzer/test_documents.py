"""Documents: what they say is the same in Markdown and in HTML, and no text in them is ever more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aftertrace.analyzer.documents import html, markdown
from aftertrace.analyzer.documents.document import (
    Bar,
    Card,
    Cards,
    Code,
    Document,
    Excerpt,
    Fact,
    Facts,
    Interval,
    Lanes,
    Mark,
    Paragraph,
    Part,
    Points,
    Rows,
    Stay,
    Step,
    Steps,
    Strong,
    Table,
    Trend,
)
from aftertrace.analyzer.documents.visible import visible, visible_lines

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "[click](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "https://evil.example/?q=1 www.evil.example a@evil.example",
    "# heading",
    "- item",
    "1. item",
    "a | b | c",
    "``` `code` ```",
    "**bold** _it_ ~~no~~ $x$ &lt; &#60;",
    "</style></title><script>x</script>",
    "line\nline\r\n\tline",
    "rm\u202e txt\u200b\u2066\x1b[2J\ufe0f\U000e0041",
    "\\",
)
SHARE = Interval(0.25, 0.1, 0.5)


def told(text: str) -> Document:
    """One document with a text in every place where one can stand."""
    rows = Rows(f"aftertrace calls --tool {text}")
    return Document(
        text,
        (
            Part("", (Facts((Fact(text, text, (text, rows)),)), Paragraph((Strong(text), " and ", Code(text))))),
            Part(
                text,
                (
                    Points((text, (Mark(text, "high"),)), ordered=True),
                    Table(("name", "count:"), ((text, (text, SHARE, rows)),), text),
                    Trend("near misses", "calls", (Bar(text, 1, 4, SHARE, rows),)),
                ),
            ),
            Part(
                "",
                (
                    Cards((Card(text, (Mark(text, "high"),), (Steps((Step(text, (Excerpt(text),)),)),), "high"),)),
                    Excerpt(text, frozenset((0,))),
                    Lanes(("agent",), (Stay("agent", 0, 1, text), Stay("agent", 2, 0, text))),
                ),
            ),
        ),
        lead=text,
    )


class Elements(HTMLParser):
    """The elements of a page, its attributes and its text."""

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data


QUIET = Elements(html.written(told("quiet")))
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(text: str) -> list[str]:
    """What a reader of Markdown makes of a text, without the words."""
    flat = [(token, *(token.children or ())) for token in MARKDOWN.parse(text)]
    return [token.type for group in flat for token in group if token.type != "text"]


def words(text: str) -> str:
    """The words that a reader of Markdown shows."""
    flat = [(token, *(token.children or ())) for token in MARKDOWN.parse(text)]
    return "".join(token.content for group in flat for token in group if token.type in ("text", "code_inline"))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_adds_an_element_or_an_attribute(text: str) -> None:
    """The page has what it has with a harmless text of that length, and shows the hostile one as it is."""
    page, quiet = Elements(html.written(told(text))), Elements(html.written(told("q" * len(text))))
    assert page.elements == quiet.elements
    assert [name for name, _ in page.attributes] == [name for name, _ in quiet.attributes]
    assert visible(text) in page.text


@given(st.text(min_size=1, max_size=80))
def test_whatever_the_text_the_elements_stay(text: str) -> None:
    """For any text at all."""
    assert Elements(html.written(told(f"x{text}"))).elements == QUIET.elements


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_markup_in_markdown(text: str) -> None:
    """No link, image, heading, list, cell or HTML comes of a text."""
    assert tokens(markdown.plain(text)) == ["paragraph_open", "inline", "paragraph_close"]
    row = markdown.table("a | b", [f"{markdown.plain(text)} | {markdown.code(text)}"])
    assert tokens(row).count("td_open") == 2
    assert [token for token in tokens(row) if token.startswith(("link", "image", "html", "strong", "em", "s_"))] == []


@given(st.text(max_size=60) | st.text("-+#1.)>|*`=~_ \\<&;a@:/[]()!$", max_size=12) | st.sampled_from(HOSTILE))
def test_whatever_the_text_markdown_shows_it_and_nothing_else(text: str) -> None:
    """What is read is what was meant, in a paragraph of its own."""
    shown = visible(text)
    assert tokens(markdown.plain(text)) == (["paragraph_open", "inline", "paragraph_close"] if shown else [])
    assert words(markdown.plain(text)) == shown


@given(st.text(st.characters() | st.sampled_from("`~ \n\t|<"), max_size=60) | st.sampled_from(HOSTILE), st.booleans())
def test_a_text_in_lines_of_its_own_is_one_block_of_code(text: str, is_changed: bool) -> None:
    """Whatever it holds, fences of its own included; a changed line has its sign before it."""
    changed = frozenset((0,)) if is_changed else frozenset[int]()
    written = markdown.written(Document("T", (Part("", (Excerpt(text, changed, "-"),)),)))
    blocks = [
        token for token in MARKDOWN.parse(written) if token.type not in ("heading_open", "inline", "heading_close")
    ]
    assert [block.type for block in blocks] == ["fence"]
    lines = visible_lines(text, 100)
    signed = ["- " + line if at == 0 else "  " + line for at, line in enumerate(lines)] if is_changed else lines
    assert blocks[0].content == "".join(f"{line}\n" for line in signed)
    page = html.written(Document("T", (Part("", (Excerpt(text, changed, "-"),)),)))
    assert Elements(page).elements.count("del") == len(changed)
    assert "\n".join(lines) in Elements(page).text


def test_a_long_text_in_lines_is_cut_and_what_is_left_is_counted() -> None:
    """In both formats."""
    document = Document("T", (Part("", (Excerpt("x" * 5_000),)),))
    assert "1,000 more characters" in markdown.written(document)
    assert "1,000 more characters" in html.written(document)
    assert "more characters" not in html.written(Document("T", (Part("", (Excerpt("x" * 4_000),)),)))


def test_cards_and_steps_are_told_in_order_and_lanes_are_drawn() -> None:
    """In Markdown, what is drawn is left out: a table beside it says the same."""
    step = Step("Proposed", (Excerpt("{}"),))
    card = Card("1 · pay", (Mark("denied", "critical"),), (Steps((step,)), Paragraph("over the limit")), "critical")
    lanes = Lanes(("agent", "human"), (Stay("agent", 0, 4, "run"), Stay("human", 1, 2, "wait")))
    document = Document("T", (Part("Calls", (Cards((card,)), lanes)),))
    assert markdown.written(document) == (
        "# T\n\n## Calls\n\n### 1 · pay (denied)\n\n**Proposed**\n\n```text\n{}\n```\n\nover the limit\n"
    )
    page = html.written(document)
    bars = re.findall(r'<rect class="(.*?)" x="(.*?)" y="(.*?)" width="(.*?)"', page)
    assert bars == [("lane-0", "66.0", "6", "924.0"), ("lane-1", "297.0", "30", "462.0")]
    assert '<article class="card critical">' in page
    assert "<rect" not in html.written(Document("T", (Part("", (Lanes(("agent",), lanes.stays[:1]),)),)))


def test_addresses_are_no_links_where_readers_make_some_of_them() -> None:
    """Sites link bare addresses: a backslash parts them, and nobody sees it."""
    shown = markdown.plain("see https://evil.example or www.evil.example, mail a@evil.example")
    assert shown == "see https\\://evil.example or www\\.evil.example, mail a\\@evil.example"
    assert words(shown) == "see https://evil.example or www.evil.example, mail a@evil.example"


def test_the_control_sees_markup() -> None:
    """Negative control: the same text unescaped does add elements, links and cells."""
    assert "script" in Elements(html.page("x", HOSTILE[0])).elements
    assert "link_open" in tokens("[click](https://evil.example)")
    assert tokens(markdown.table("a | b", ["a | b | c | d"])).count("td_open") == 2
    assert tokens("# heading")[0] == "heading_open"


def test_a_page_asks_for_nothing() -> None:
    """No address but those within it, no script, no form, and a policy that forbids all of them."""
    page = Elements(html.written(told("https://evil.example/")))
    assert {"script", "link", "img", "iframe", "form", "object"} & set(page.elements) == set()
    linked = [value for name, value in page.attributes if name in ("href", "src", "action", "style")]
    assert [value for value in linked if value and not value.startswith(("#rows-", "margin:"))] == []
    assert "default-src 'none'" in dict(page.attributes).get("content", "") or "default-src 'none'" in str(
        page.attributes
    )
    assert "url(" not in html.SHEET
    assert "@import" not in html.SHEET


def test_every_number_leads_to_its_rows() -> None:
    """The same command has one number, and stands at the end in both formats."""
    calls, runs = Rows("aftertrace calls --tool pay"), Rows("aftertrace runs")
    document = Document("T", (Part("", (Paragraph(("3", calls, " and ", "2", runs, " of ", "3", calls)),)),))
    assert document.commands == ("aftertrace calls --tool pay", "aftertrace runs")
    assert markdown.written(document) == (
        "# T\n\n3\\[1\\] and 2\\[2\\] of 3\\[1\\]\n\n## Where the numbers come from\n\n"
        "1. `aftertrace calls --tool pay`\n2. `aftertrace runs`\n"
    )
    page = html.written(document)
    assert page.count('href="#rows-1"') == 2
    assert '<li id="rows-2"><code>aftertrace runs</code></li>' in page


def test_what_cannot_be_seen_is_written_out_and_what_is_long_is_cut() -> None:
    """A megabyte is not looked at whole."""
    assert visible("rm\u202etxt\u200b\ufe0f\x1b") == "rm‹U+202E›txt‹U+200B›‹U+FE0F›‹U+001B›"
    assert visible("a" * 10**7, 5) == "aaaa…"
    assert visible(" " * 10**6 + "late", 5) == "…"
    assert visible(None) == ""
    assert visible("a\n b") == "a b"


def test_nothing_to_take_a_share_of_is_said() -> None:
    """And not 0 %."""
    assert Interval(None, None, None).text == "none to take a share of"
    assert Interval(0.04, 0.011, 0.135).text == "4.0 % (1.1 to 13.5 %)"
