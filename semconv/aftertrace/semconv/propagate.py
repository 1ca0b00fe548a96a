"""The run id on its way to systems of record and back: baggage, HTTP headers, git, SQL, issues and pull requests.

=====================  ===========================================================  =========================
where                  form                                                         read back by
=====================  ===========================================================  =========================
W3C baggage, HTTP      ``baggage: aftertrace.run.id=9f0c5b1e``                      `from_headers`
environment            ``BAGGAGE=aftertrace.run.id=9f0c5b1e``                       `from_environment`
git commit message     ``Aftertrace-Run: 9f0c5b1e``, a trailer                      `from_commit_message`
SQL statement          ``/*aftertrace.run.id='9f0c5b1e'*/`` (sqlcommenter)          `from_sql`
issue, pull request    ``<!-- Aftertrace-Run: 9f0c5b1e -->``, or the visible line   `from_body`
=====================  ===========================================================  =========================

What is read back is text that anybody may have written. The readers take any text, answer None unless it holds
exactly one well-formed run id in the right place, and never raise. An id that comes back is a claim, not a proof.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from opentelemetry import baggage

from aftertrace.semconv.attributes import AFTERTRACE_RUN_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.context.context import Context

TRAILER: Final = "Aftertrace-Run"
"""Key of the git trailer and of the footer."""
CONVERSATION_TRAILER: Final = "Aftertrace-Conversation"
"""Key of the git trailer that names a conversation, where the run is not told: an agent's session or thread."""

_ID: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?"
_RUN_ID: Final = re.compile(_ID)
_TRAILER_LINE: Final = re.compile(rf"{TRAILER}: ?({_ID})[ \t]*", re.IGNORECASE)
_FOOTER_LINE: Final = re.compile(rf"(?:<!-- ?{TRAILER}: ?({_ID}) ?-->|{TRAILER}: ?(`?)({_ID})\2)[ \t]*", re.IGNORECASE)
_CONVERSATION_LINE: Final = re.compile(rf"{CONVERSATION_TRAILER}: ?({_ID})[ \t]*", re.IGNORECASE)
_PARAGRAPHS: Final = re.compile(r"\n[ \t]*\n")


class NotARunId(ValueError):
    """The text cannot be a run id: it would not pass unchanged through everything that carries it."""


def is_run_id(text: str) -> bool:
    """Whether the text can be a run id: 1 to 128 of ``A-Z a-z 0-9 . _ : -``, a letter or digit first and last."""
    return _RUN_ID.fullmatch(text) is not None


def checked_run_id(text: str) -> str:
    """Answer the text if it can be a run id. Raises `NotARunId` otherwise."""
    if not is_run_id(text):
        raise NotARunId(
            "run id: found a text of another form, expected 1 to 128 of A-Z a-z 0-9 . _ : - with a letter or digit "
            "first and last"
        )
    return text


def to_baggage(run_id: str, context: Context | None = None) -> Context:
    """Put the run id into the baggage of a context; the current one, if none is given."""
    return baggage.set_baggage(AFTERTRACE_RUN_ID, checked_run_id(run_id), context)


def from_baggage(context: Context | None = None) -> str | None:
    """Read the run id from the baggage of a context; the current one, if none is given."""
    found = baggage.get_baggage(AFTERTRACE_RUN_ID, context)
    return found if isinstance(found, str) and is_run_id(found) else None


def to_headers(run_id: str, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """Add the run id to the ``baggage`` header, beside what it holds, in place of another run id.

    With OpenTelemetry's propagators at work this happens by itself; it is for clients that are not instrumented.
    """
    member = f"{AFTERTRACE_RUN_ID}={checked_run_id(run_id)}"
    written: dict[str, str] = {}
    kept: list[str] = []
    for name, value in (headers or {}).items():
        if name.lower() == "baggage":
            kept += [
                item.strip() for item in value.split(",") if item.strip() and _member_key(item) != AFTERTRACE_RUN_ID
            ]
        else:
            written[name] = value
    return {**written, "baggage": ",".join([*kept, member])}


def from_headers(headers: Mapping[str, str]) -> str | None:
    """Read the run id from the ``baggage`` header, however its name is spelled."""
    members = [item for name, value in headers.items() if name.lower() == "baggage" for item in value.split(",")]
    return _only(
        unquote(item.partition(";")[0].partition("=")[2].strip())
        for item in members
        if _member_key(item) == AFTERTRACE_RUN_ID
    )


def to_environment(run_id: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Add the run id to ``BAGGAGE`` for a process that is started, beside what it holds, in place of another run id."""
    written = dict(environment or {})
    return {**written, "BAGGAGE": to_headers(run_id, {"baggage": written.get("BAGGAGE", "")})["baggage"]}


def from_environment(environment: Mapping[str, str]) -> str | None:
    """Read the run id from ``BAGGAGE``."""
    return from_headers({"baggage": environment.get("BAGGAGE", "")})


def to_commit_message(message: str, run_id: str) -> str:
    """Add the trailer to a commit message: to its trailers, or as a paragraph of its own."""
    line = f"{TRAILER}: {checked_run_id(run_id)}"
    body = message.rstrip()
    if not body:
        return f"{line}\n"
    last = _last_paragraph(body)
    # The first paragraph is the subject, even if it looks like a trailer ("Fix: the limit").
    gap = "\n" if last != body.replace("\r\n", "\n") and _is_trailers(last) else "\n\n"
    return f"{body}{gap}{line}\n"


def from_commit_message(message: str) -> str | None:
    """Read the run id from the trailers: the last paragraph, if each of its lines is a trailer."""
    last = _last_paragraph(message.rstrip())
    if not _is_trailers(last):
        return None
    matches = (_TRAILER_LINE.fullmatch(line) for line in last.split("\n"))
    return _only(match[1] for match in matches if match)


def to_sql(statement: str, run_id: str) -> str:
    """Append the run id to a statement as an SQL comment, in front of its last semicolon."""
    comment = f"/*{AFTERTRACE_RUN_ID}='{checked_run_id(run_id)}'*/"
    body = statement.rstrip()
    return f"{body[:-1].rstrip()} {comment};" if body.endswith(";") else f"{body} {comment}"


def from_sql(statement: str) -> str | None:
    """Read the run id from the comment that ends a statement."""
    body = statement.rstrip().removesuffix(";").rstrip()
    start = body.rfind("/*")
    if start < 0 or not body.endswith("*/") or len(body) - start < len("/**/"):
        return None
    members = (item.strip().partition("=") for item in body[start + 2 : -2].split(","))
    quoted = [value for key, _, value in members if unquote(key) == AFTERTRACE_RUN_ID]
    if not all(len(value) >= 2 and value[0] == value[-1] == "'" for value in quoted):
        return None
    return _only(unquote(value[1:-1]) for value in quoted)


def to_body(text: str, run_id: str, *, visible: bool = False) -> str:
    """Add the footer to the text of an issue, a pull request or a comment.

    It is an HTML comment, which Markdown keeps and does not show; `visible` writes a line of text instead, for trackers
    that strip HTML.
    """
    run_id = checked_run_id(run_id)
    footer = f"{TRAILER}: `{run_id}`" if visible else f"<!-- {TRAILER}: {run_id} -->"
    body = text.rstrip()
    return f"{body}\n\n{footer}\n" if body else f"{footer}\n"


def from_body(text: str) -> str | None:
    """Read the run id from a footer: a line of its own, quoted by nobody. Two ids in one text are no answer."""
    matches = (_FOOTER_LINE.fullmatch(line) for line in text.replace("\r", "\n").split("\n"))
    return _only(match[1] or match[3] for match in matches if match)


def named_runs(text: str) -> tuple[str, ...]:
    """Every run id that a line of its own names, as a trailer or as a footer, each once: several runs may have changed
    one commit, and a squashed one holds the messages of many.
    """
    matches = (_FOOTER_LINE.fullmatch(line) for line in text.replace("\r", "\n").split("\n"))
    return tuple(dict.fromkeys(match[1] or match[3] for match in matches if match))


def named_conversations(text: str) -> tuple[str, ...]:
    """Every conversation that a trailer names, each once; on any line of its own, as in `named_runs`."""
    matches = (_CONVERSATION_LINE.fullmatch(line) for line in text.replace("\r", "\n").split("\n"))
    return tuple(dict.fromkeys(match[1] for match in matches if match))


def _only(found: Iterable[str]) -> str | None:
    """The one run id that all of them are; None if there is none, or two, or one of another form."""
    ids = set(found)
    return ids.pop() if len(ids) == 1 and all(map(is_run_id, ids)) else None


def _member_key(item: str) -> str:
    return item.partition("=")[0].strip()


def _last_paragraph(text: str) -> str:
    text = text.replace("\r\n", "\n")
    last = 0
    for gap in _PARAGRAPHS.finditer(text):
        last = gap.end()
    return text[last:]


def _is_trailers(paragraph: str) -> bool:
    lines = paragraph.split("\n")
    return all(re.match(r"[A-Za-z0-9-]+: ?\S", line) or line[:1] in (" ", "\t") for line in lines if line)
