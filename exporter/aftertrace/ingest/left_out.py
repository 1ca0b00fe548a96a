"""Content that is left out where the configuration wants none: prompts, arguments and results.

Who did what is kept: roles, types, names of tools, ids of calls, counts. What was said is replaced, value by value,
so that calls can still be told from each other: by a keyed digest of it (`digest-only`), which is equal for equal
values of one store, or by nothing that tells of it (`metadata-only`).

Content is told by the keys of attributes, and by its form: also text under any other key goes that is long or has
several lines. What an emitter calls by a short name of its own and fits in a line stays; name it in `drop_keys`.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from aftertrace.ingest.patterns import compile_pattern
from aftertrace.ingest.redact_tokens import is_token
from aftertrace.semconv.canonical import NotCanonical, canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from aftertrace.ingest.redaction_policy import Capture

CONTENT_WORDS: Final = (
    *("answer", "args", "arguments", "body", "completion", "content", "contents", "context", "documents"),
    *("events", "goal", "input", "inputs", "instruction", "instructions", "kwargs", "llm_request", "llm_response"),
    *("message", "messages", "object", "output", "outputs", "parameters", "params", "prompt", "prompts", "query"),
    *("question", "reasoning", "request_data", "response", "response_data", "result", "results", "stacktrace"),
    *("text", "thinking", "toolcalls", "value", "values"),
)
"""How the keys of attributes end that hold content."""

SHORT_CHARACTERS: Final = 256
"""Text under any other key that is no longer, and of one line, is no content."""

_NAME_CHARACTERS: Final = 128
_EVENT_NAME: Final = compile_pattern(r"[a-z][a-z0-9_-]{0,63}(?:\.[a-z][a-z0-9_-]{0,63}){1,4}", capture=False)
_TRACE_STATE_CHARACTERS: Final = 512
_MEMBER: Final = r"[a-z0-9][a-z0-9_*/@-]*=[!-+\--<>-~]+"
_TRACE_STATE: Final = compile_pattern(rf"{_MEMBER}(?:[ \t]*,[ \t]*{_MEMBER})*", capture=False)

_ENDS: Final = compile_pattern(rf"(?i:(?:.*[._-])?(?:{'|'.join(CONTENT_WORDS)})(?:[._][0-9]+)?)", capture=False)
# `toolInput`, `functionResponse`: words within a name begin with a capital.
_ENDS_IN_CAMEL: Final = compile_pattern(
    rf".*[a-z](?:{'|'.join(word.capitalize() for word in CONTENT_WORDS)})", capture=False
)
_NO_CONTENT: Final = compile_pattern(
    r"(?i:.*(?:tool|function)s?[._-]?definitions?"
    r"|.*[._]tools(?:[._][0-9]+)?(?:[._]tool)?(?:[._](?:json_schema|name|description|type))?"
    r"|(?:.*[._-])?(?:tokens?|count|usage|cost|digest)(?:[._].*)?"
    r"|(?:service|telemetry|host|os|process|deployment|cloud|k8s|container|log|aftertrace)\..*)",
    capture=False,
)

_CONTENT_ALL_THE_SAME: Final = (
    *(b".content", b".text", b".arguments", b"log.record.original", b"process.command", b"process.command_line"),
    *(b"process.command_args", b"full_command", b"bash_command", b"parameters.command"),
)
"""How keys end that hold content though they begin as others do that hold none; and those of commands."""

_ARGUMENTS: Final = compile_pattern(
    r"(?i:.*(?:arg(?:ument)?s|params|parameters|results?|tool.*input|tool.*output|tool.*response|document.*))",
    capture=False,
)
"""Keys whose content is that of one call, and no message."""

_ROLES: Final = frozenset(
    ("user", "assistant", "system", "developer", "tool", "function", "model", "human", "ai", "tool_responder")
)
_CALL_TYPES: Final = frozenset(
    (
        *("tool_call", "tool_use", "tool_result", "tool_call_response", "function", "function_call"),
        *("function_call_output", "tool-call", "tool-result", "tool_request", "approval_request", "approval_response"),
    )
)
_PART_TYPES: Final = frozenset(("text", "message", "reasoning", "thinking", "image"))
"""Types of what is also found in other content: it says what a part is, and not what its other members are."""
_STRUCTURE: Final = frozenset(
    (
        *("role", "type", "id", "tool_call_id", "toolCallId", "tool_use_id", "call_id", "callId"),
        *("finish_reason", "stop_reason", "status", "is_error", "isError", "approved"),
    )
)
"""Members of a message, or of a call in one, that say what it is."""
_TYPE: Final = frozenset(("type",))
_CALL_STRUCTURE: Final = frozenset(("name", "tool_name", "toolName", *_STRUCTURE))
"""Members of a call in a message."""
_OPAQUE: Final = frozenset(
    ("arguments", "args", "input", "parameters", "kwargs", "result", "output", "response", "data", "document")
)
"""Members of a part of a message that are an argument or a result, whatever form they have."""
_NOTHING: Final = ("", "None", "null", "undefined", '""', "{}", "[]")
"""Texts that say that there is nothing: they are no content, and what stands for one would read like a result."""
_STRUCTURE_CHARACTERS: Final = 128
_MOST_DEPTH: Final = 64
_MEMBER_NAME: Final = compile_pattern(r"[A-Za-z0-9_.$:/-]{1,64}", capture=False)
"""What a program calls a member; other names are content too: of a map by persons, by sentences."""


class LeavingOut:
    """Puts marks where content was, in one of the modes that keep none of it."""

    def __init__(self, mode: Capture, mark: Callable[[str, bytes], str]) -> None:
        """`mark` makes what stands for a content, from the mode and its bytes."""
        self.mode: Final = mode
        self._mark = mark

    @property
    def tells_equal(self) -> bool:
        """Whether equal contents have equal marks, and others have not."""
        return self.mode == "digest-only"

    def whole(self, value: Any) -> Any:
        """What is kept of a value that is content, whatever its form: nothing of it, unless there is nothing in it."""
        return self._marked(value, Counter())

    def of_attribute(self, key: str, value: Any, hits: Counter[str]) -> Any:
        """What is kept of an attribute's value; the same object where that is all of it."""
        match (_known_key if len(key) <= _NAME_CHARACTERS else _told_by)(key):
            case "nothing":
                return value
            case "arguments":
                return self._marked(value, hits)
            case "content":
                return self._content(value, hits)
        return self._by_form(value, hits)

    def _by_form(self, value: Any, hits: Counter[str]) -> Any:
        """What is kept of a value whose key does not tell; members of maps have keys of their own."""
        if isinstance(value, list):
            return [self._by_form(item, hits) for item in value]
        if isinstance(value, bytes):
            return self._marked(value, hits) if len(value) > SHORT_CHARACTERS or b"\n" in value.strip() else value
        return self.of_text(value, hits) if isinstance(value, str) else value

    def of_plain(self, field: str, text: str, hits: Counter[str]) -> str:
        """What is kept of a text that has a field of its own, and no key."""
        return text if can_be(field, text) else str(self._marked(text, hits))

    def of_body(self, value: Any, hits: Counter[str]) -> Any:
        """What is kept of a log record's body, which may be the name of an event: `claude_code.user_prompt`."""
        if isinstance(value, str) and _EVENT_NAME.fullmatch(value.encode("utf-8", "surrogatepass")):
            return value
        return self._content(value, hits)

    def of_text(self, text: str, hits: Counter[str]) -> str:
        """What is kept of a text that may be content by its form alone."""
        if len(text) <= SHORT_CHARACTERS and "\n" not in text.strip():
            return text
        kept = self._content(text, hits)
        return kept if isinstance(kept, str) else text

    def _content(self, value: Any, hits: Counter[str]) -> Any:
        if isinstance(value, str) and value[:1] in "[{":
            try:
                parsed = json.loads(value, object_pairs_hook=_members)
            except (ValueError, RecursionError):
                return self._marked(value, hits)
            before = hits.total()
            kept = self._walked(parsed, hits)
            return value if hits.total() == before else json.dumps(kept, ensure_ascii=False)
        if isinstance(value, (list, dict)):
            return self._walked(value, hits)
        return self._marked(value, hits)

    def _walked(self, value: Any, hits: Counter[str], kept: frozenset[str] = frozenset(), depth: int = 0) -> Any:
        """A value without what was said in it; of itself it keeps what says what it is, and the members `kept`."""
        if depth > _MOST_DEPTH:
            return self._marked(value, hits)
        if isinstance(value, list):
            return [self._walked(item, hits, kept, depth + 1) for item in value]
        if isinstance(value, dict):
            if not all(_MEMBER_NAME.fullmatch(name.encode("utf-8", "surrogatepass")) for name in value):
                return self._marked(value, hits)
            kept |= _structure(value)
            return {name: self._member(name, item, hits, kept, depth) for name, item in value.items()}
        return self._content(value, hits) if isinstance(value, str) and value[:1] in "[{" else self._marked(value, hits)

    def _member(self, name: str, value: Any, hits: Counter[str], kept: frozenset[str], depth: int) -> Any:
        if kept and name in _OPAQUE:
            return self._marked(value, hits)
        if name in kept and _is_short(value):
            return value
        of_function = name == "function" and kept >= _STRUCTURE
        return self._walked(value, hits, _CALL_STRUCTURE if of_function else frozenset(), depth + 1)

    def _marked(self, value: Any, hits: Counter[str]) -> Any:
        if value is None or value == [] or value == {} or (isinstance(value, str) and value in _NOTHING):
            return value
        if isinstance(value, str) and is_token(value.encode("utf-8", "surrogatepass")):
            return value
        hits[self.mode] += 1
        return self._mark(self.mode, _spelled(value))


def _told_by(key: str) -> Literal["nothing", "arguments", "content"] | None:
    """What an attribute holds, by its key; None where the key does not tell."""
    name = key.encode()
    is_content = name.lower().endswith(_CONTENT_ALL_THE_SAME)
    if not is_content and _NO_CONTENT.fullmatch(name):
        return "nothing"
    if _ARGUMENTS.fullmatch(name):
        return "arguments"
    return "content" if is_content or _ENDS.fullmatch(name) or _ENDS_IN_CAMEL.fullmatch(name) else None


_known_key = lru_cache(maxsize=4096)(_told_by)


def can_be(field: str, text: str) -> bool:
    """Whether a text can be what a field of this name is for: W3C's `trace_state` without blanks, else a name."""
    if field == "trace_state":
        return len(text) <= _TRACE_STATE_CHARACTERS and (not text or _TRACE_STATE.fullmatch(text.encode()) is not None)
    return len(text) <= _NAME_CHARACTERS and len(text.splitlines()) <= 1


def _structure(value: dict[str, Any]) -> frozenset[str]:
    """Members that say what a message or a part of one is; none of what is neither."""
    kind, role = value.get("type"), value.get("role")
    if (isinstance(kind, str) and kind in _CALL_TYPES) or role == "tool":
        return _CALL_STRUCTURE
    if any(isinstance(told, str) and told in _ROLES for told in (kind, role)):
        return _STRUCTURE
    return _TYPE if isinstance(kind, str) and kind in _PART_TYPES else frozenset()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. One that has a name twice is none: of such a one a dictionary would hide a value."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return members


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _STRUCTURE_CHARACTERS and "\n" not in value
    return value is None or isinstance(value, (bool, int, float))


def _spelled(value: Any) -> bytes:
    """The bytes of a value: equal for arguments that are equal, whether they come as JSON or as a map."""
    if isinstance(value, bytes):
        return value
    content = value
    if isinstance(value, str) and value[:1] in "[{":
        try:
            content = json.loads(value, object_pairs_hook=_members)
        except (ValueError, RecursionError):
            return value.encode("utf-8", "surrogatepass")
    try:
        return canonical_json(content)
    except (NotCanonical, RecursionError):
        return repr(value).encode("utf-8", "surrogatepass")
