"""Documents as data for drawings: the same words, each harmless, and none too long."""

from __future__ import annotations

from aftertrace.analyzer.documents.document import (
    Card,
    Cards,
    Code,
    Excerpt,
    Fact,
    Facts,
    Lanes,
    Mark,
    Paragraph,
    Points,
    Step,
    Steps,
    Strong,
    Table,
)
from aftertrace.dashboards.blocks import drawn


def test_every_block_is_data_with_its_words() -> None:
    """Whole, in their order; drawings of a document have drawings of their own."""
    blocks = [
        Paragraph(("a ", Strong("b"), Code("c"), Mark("d", "good"))),
        Points(("one", ("two", Code("x")))),
        Facts((Fact("name", "value"),)),
        Table(("what", "calls:"), (("a", "1"),), "2 more", frozenset(("what",))),
        Steps((Step("Proposed", (Excerpt("{\n  1\n}", frozenset({1}), "-"),)),)),
        Cards((Card("title", (Mark("odd", "high"),), (), "high"),), small=True),
        Lanes((), ()),
    ]
    assert drawn(blocks) == [
        {
            "is": "paragraph",
            "line": [
                {"text": "a "},
                {"text": "b", "strong": True},
                {"text": "c", "code": True},
                {"text": "d", "tone": "good"},
            ],
        },
        {"is": "points", "lines": [[{"text": "one"}], [{"text": "two"}, {"text": "x", "code": True}]]},
        {"is": "facts", "facts": [{"name": "name", "value": [{"text": "value"}]}]},
        {
            "is": "table",
            "columns": [
                {"name": "what", "number": False, "unbroken": True},
                {"name": "calls", "number": True, "unbroken": False},
            ],
            "rows": [[[{"text": "a"}], [{"text": "1"}]]],
            "more": [{"text": "2 more"}],
        },
        {
            "is": "steps",
            "steps": [
                {
                    "title": "Proposed",
                    "blocks": [{"is": "excerpt", "lines": ["{", "  1", "}"], "changed": [1], "sign": "-", "more": ""}],
                }
            ],
        },
        {
            "is": "cards",
            "cards": [
                {
                    "title": "title",
                    "at": None,
                    "marks": [{"word": "odd", "tone": "high"}],
                    "blocks": [],
                    "tone": "high",
                }
            ],
            "small": True,
        },
    ]


def test_a_code_leads_where_it_is_said_to_and_nowhere_else() -> None:
    """An address is never made of what a text says."""
    (block,) = drawn(
        [Paragraph((Code("r-1"), Code("/run?run=r-1"), Code("http://attacker.example")))], {"r-1": "/run?run=r-1"}
    )
    assert [piece.get("to") for piece in block["line"]] == ["/run?run=r-1", None, None]


def test_texts_are_cut_and_what_cannot_be_seen_is_written_out() -> None:
    """A megabyte stays a page; what was cut is counted."""
    long, turned = "x" * 10**6, "rm \u202e\x00"
    line, excerpt, cards = drawn([Paragraph(long), Excerpt(long), Cards((Card(long, (), (Excerpt(turned),)),))])
    assert len(line["line"][0]["text"]) < 1_100
    assert line["line"][0]["text"].endswith("… (+999,000 characters)")
    assert (len(excerpt["lines"][0]), excerpt["more"]) == (4_000, "… 996,000 more characters")
    assert len(cards["cards"][0]["title"]) < 1_100
    assert cards["cards"][0]["blocks"][0]["lines"] == ["rm \\u202e\\x00"]
