"""An export of GitHub's API, read as actions: pull requests, issues, commits and reviews, wherever they stand in it.

Read is what `gh api` writes (REST: arrays, pages one after the other, search results; GraphQL: nodes) and what
`gh pr list`, `gh issue list` and `gh search` write with `--json`. Reviews are read where a pull request holds them, and
from `gh api repos/OWNER/NAME/pulls/12/reviews` in another file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from aftertrace.analyzer.provenance.actions import Action, instant_ns, title_of
from aftertrace.analyzer.provenance.commits import co_authors
from aftertrace.semconv.propagate import named_conversations, named_runs
from aftertrace.store.errors import Invalid

_MOST_DEPTH: Final = 40
_ADDRESS: Final = re.compile(
    r"https?://(?P<host>[^/\s]+)/(?:api/v3/)?(?:repos/)?(?P<project>[\w.-]+/[\w.-]+)/"
    r"(?P<what>pull|pulls|issues|commit|commits)/(?P<id>[0-9a-f]+)\S*"
)
_APPROVED: Final = "APPROVED"
_OTHERS: Final = ("base", "head", "parents", "commit", "tree", "milestone", "pull_request")
"""Members that hold something else than what was done: the base of a pull request is another's commit."""


def values(text: str, name: str) -> Iterator[Any]:
    """The JSON values of a file: one, or several one after the other, as lines or pages.

    Raises:
        Invalid: it is not JSON.
    """
    decoder, at, length = json.JSONDecoder(), 0, len(text)
    while (at := _next(text, at)) < length:
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, at) + 1
            raise Invalid(
                f"read {name}: no JSON at line {line}, expected what `gh api` or `gh pr list --json` writes"
            ) from error
        yield value


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n\ufeff":
        at += 1
    return at


def actions(told: list[Any]) -> list[Action]:
    """The actions that some JSON values hold, each once, in their order."""
    found = [item for value in told for item in _items(value, 0)]
    approvals: dict[str, list[str]] = {}
    for kind, item in found:
        if kind == "review" and item.get("state") == _APPROVED and (of := _ident(item.get("pull_request_url"))):
            approvals.setdefault(of[1], []).append(_person(item.get("user")) or "")
    read = [action for kind, item in found if (action := _action(kind, item, approvals)) is not None]
    # A pull request is an issue too, and lists hold less of a thing than its own page.
    fullest: dict[str, Action] = {}
    for action in read:
        if action.id not in fullest or _fullness(action) > _fullness(fullest[action.id]):
            fullest[action.id] = action
    return list(fullest.values())


def tells_reviews(told: list[Any]) -> bool:
    """Whether an export holds any review, or says that there is none."""
    return any(
        kind == "review" or "reviews" in item or "latestReviews" in item
        for value in told
        for kind, item in _items(value, 0)
    )


def kinds(told: list[Any]) -> frozenset[str]:
    """Kinds of which an export may hold all: not commits, where it has but those of its pull requests."""
    found = {
        kind
        for value in told
        for kind, item in _items(value, 0)
        if kind != "review" and ("sha" in item or kind != "commit")
    }
    return frozenset(found)


def _fullness(action: Action) -> tuple[bool, int, int]:
    return action.kind == "pull_request", len(action.reviewers) + len(action.people), len(action.text)


def _items(value: Any, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is in a value, with its kind, and what is within that."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _items(each, depth + 1)
    elif isinstance(value, dict):
        kind = _kind(value)
        if kind is not None:
            yield kind, value
        for name, each in value.items():
            if isinstance(each, (list, dict)) and name not in _OTHERS:
                yield from _items(each, depth + 1)


def _kind(item: dict[str, Any]) -> str | None:
    if "pull_request_url" in item and "state" in item and "diff_hunk" not in item:
        return "review"
    address = _ident(item.get("html_url") or item.get("url"))
    if isinstance(item.get("sha"), str) and isinstance(item.get("commit"), dict):
        return "commit"
    if isinstance(item.get("oid"), str) and ("messageHeadline" in item or "message" in item):
        return "commit"
    if isinstance(item.get("number"), int) and "title" in item:
        is_pull = "pull_request" in item or "headRefName" in item or "merge_commit_sha" in item or "mergedAt" in item
        return "pull_request" if is_pull or (address is not None and address[0] == "pull_request") else "issue"
    return None


def _action(kind: str, item: dict[str, Any], approvals: dict[str, list[str]]) -> Action | None:
    if kind == "commit":
        return _commit(item)
    return None if kind == "review" else _thing(kind, item, approvals)


def _commit(item: dict[str, Any]) -> Action:
    inner = item["commit"] if isinstance(item.get("commit"), dict) else item
    message = _text(inner.get("message")) or "\n\n".join(
        part for part in (_text(inner.get("messageHeadline")), _text(inner.get("messageBody"))) if part
    )
    signatures = [inner.get("author"), inner.get("committer"), *_nodes(item.get("authors"))]
    named = [_signature(each) for each in signatures]
    logins = [_person(item.get("author")), _person(item.get("committer"))] if "sha" in item else []
    dated = inner.get("committer") if isinstance(inner.get("committer"), dict) else {}
    at = item.get("committedDate") or (dated or {}).get("date")
    address = item.get("html_url") or item.get("url")
    return Action(
        system="github",
        kind="commit",
        id=str(item.get("sha") or item.get("oid")),
        url=address if isinstance(address, str) else None,
        at_ns=instant_ns(at),
        title=title_of(message),
        people=_distinct(*named, *logins, *co_authors(message)),
        text=message,
        run_ids=named_runs(message),
        conversations=named_conversations(message),
    )


def _thing(kind: str, item: dict[str, Any], approvals: dict[str, list[str]]) -> Action:
    address = item.get("html_url") or item.get("url")
    address = address if isinstance(address, str) else None
    told = _ident(address)
    number = item["number"]
    ident = f"{told[1].rpartition('#')[0]}#{number}" if told is not None else f"#{number}"
    body = _text(item.get("body")) or ""
    reviews = [*_nodes(item.get("reviews")), *_nodes(item.get("latestReviews"))]
    approved = [_person(each.get("author") or each.get("user")) for each in reviews if each.get("state") == _APPROVED]
    merged = item.get("mergedBy") or item.get("merged_by")
    return Action(
        system="github",
        kind=kind,
        id=ident,
        keys=(address,) if address else (),
        url=address,
        at_ns=instant_ns(item.get("createdAt") or item.get("created_at")),
        title=title_of(_text(item.get("title")) or ""),
        people=_distinct(_person(item.get("author") or item.get("user")), *co_authors(body), _person(merged)),
        text=body,
        run_ids=named_runs(body),
        conversations=named_conversations(body),
        reviewers=_distinct(*approved, *approvals.get(ident, ())),
    )


def _ident(address: Any) -> tuple[str, str] | None:
    """Kind and id of what an address leads to."""
    found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if found is None:
        return None
    if found["what"].startswith("commit"):
        return "commit", found["id"]
    kind = "pull_request" if found["what"].startswith("pull") else "issue"
    return kind, f"{found['project'].lower()}#{found['id']}"


def project_of_action(action: Action) -> str | None:
    """`owner/name` of what an action was done in, in lower case."""
    if "#" in action.id:
        return action.id.rpartition("#")[0] or None
    found = _ADDRESS.fullmatch(action.url or "")
    return found["project"].lower() if found else None


def _nodes(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, also where GraphQL has put `nodes` around them."""
    listed = value.get("nodes") if isinstance(value, dict) else value
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _person(account: Any) -> str | None:
    """The login of an account; a program's ends in `[bot]`, however the export marks it."""
    if not isinstance(account, dict) or not isinstance(account.get("login"), str) or not account["login"]:
        return None
    login = account["login"].removeprefix("app/")
    is_bot = account.get("is_bot") is True or account.get("type") == "Bot" or account.get("__typename") == "Bot"
    return f"{login}[bot]" if is_bot and not login.endswith("[bot]") else login


def _signature(person: Any) -> str | None:
    if not isinstance(person, dict) or not isinstance(person.get("name"), str):
        return None
    email = person.get("email")
    return f"{person['name']} <{email}>" if isinstance(email, str) and email else person["name"] or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _distinct(*people: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(who for who in people if who))
