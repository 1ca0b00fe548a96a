"""Exports of GitHub's API, in the forms that `gh` writes them in, read as what was done."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.provenance.actions import Action
from aftertrace.analyzer.provenance.csv_export import Columns
from aftertrace.analyzer.provenance.csv_export import actions as rows_of
from aftertrace.analyzer.provenance.github_export import actions, kinds, project_of_action, tells_reviews, values
from aftertrace.store.errors import Invalid

AT_NS: Final = 1_790_000_000 * 10**9
AT: Final = "2026-09-21T14:13:20Z"
PULL: Final = {
    "number": 12,
    "html_url": "https://github.com/Octo/demo/pull/12",
    "title": "Fix the limit",
    "body": "Done.\n\n<!-- Aftertrace-Run: run-7 -->",
    "user": {"login": "Copilot", "type": "Bot"},
    "created_at": AT,
    "merge_commit_sha": "f" * 40,
    "milestone": {"number": 1, "title": "v1", "html_url": "https://github.com/octo/demo/milestone/1"},
    "base": {"sha": "e" * 40, "repo": {"full_name": "octo/demo"}},
}
"""Of `gh api repos/octo/demo/pulls`."""
COMMIT: Final = {
    "sha": "3f2a9c1d5e6b7a8f9c0d1e2f3a4b5c6d7e8f9a0b",
    "html_url": "https://github.com/octo/demo/commit/3f2a9c1d5e6b7a8f9c0d1e2f3a4b5c6d7e8f9a0b",
    "commit": {
        "message": "Fix\n\nCo-authored-by: Claude <noreply@anthropic.com>\nAftertrace-Conversation: s-1",
        "author": {"name": "Ann", "email": "ann@example.com", "date": "2026-09-20T00:00:00Z"},
        "committer": {"name": "GitHub", "email": "noreply@github.com", "date": AT},
    },
    "author": {"login": "ann", "type": "User"},
    "committer": None,
    "parents": [{"sha": "d" * 40}],
}
"""Of `gh api repos/octo/demo/commits`."""
REVIEW: Final = {
    "state": "APPROVED",
    "user": {"login": "eve", "type": "User"},
    "pull_request_url": "https://api.github.com/repos/octo/demo/pulls/12",
}
"""Of `gh api repos/octo/demo/pulls/12/reviews`."""


def read(*told: Any) -> list[Action]:
    """The actions of a file with these values, one after the other."""
    return actions(list(values("\n".join(json.dumps(each) for each in told), "x.json")))


def test_a_pull_request_is_read_with_the_run_that_its_body_names() -> None:
    """The whole action; neither its base nor its milestone is one."""
    assert read([PULL]) == [
        Action(
            system="github", kind="pull_request", id="octo/demo#12", keys=("https://github.com/Octo/demo/pull/12",),
            url="https://github.com/Octo/demo/pull/12", at_ns=AT_NS, title="Fix the limit", people=("Copilot[bot]",),
            text="Done.\n\n<!-- Aftertrace-Run: run-7 -->", run_ids=("run-7",),
        )
    ]  # fmt: skip


def test_a_commit_is_read_with_all_who_had_to_do_with_it() -> None:
    """Its time is when it was committed."""
    assert read([COMMIT]) == [
        Action(
            system="github", kind="commit", id=str(COMMIT["sha"]), url=str(COMMIT["html_url"]), at_ns=AT_NS,
            title="Fix",
            people=("Ann <ann@example.com>", "GitHub <noreply@github.com>", "ann", "Claude <noreply@anthropic.com>"),
            text=COMMIT["commit"]["message"], conversations=("s-1",),  # type: ignore[index]  # the literal above
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        ([PULL], [REVIEW]),
        ([[PULL], [REVIEW]],),
        (PULL, REVIEW),
        ({"items": [PULL]}, REVIEW),
        ({**PULL, "reviews": [{"author": {"login": "eve"}, "state": "APPROVED"}]},),
        ({**PULL, "latestReviews": [{"author": {"login": "eve"}, "state": "APPROVED"}]},),
        (
            {"data": {"repository": {"pullRequests": {"nodes": [
                {"number": 12, "title": "Fix", "url": "https://github.com/octo/demo/pull/12", "mergedAt": None,
                 "author": {"__typename": "Bot", "login": "copilot"},
                 "reviews": {"nodes": [{"author": {"login": "eve"}, "state": "APPROVED"}]}}
            ]}}}},
        ),
    ],
)  # fmt: skip
def test_who_approved_a_pull_request_is_told_wherever_it_stands(told: tuple[Any, ...]) -> None:
    """Pages, lines, search results, GraphQL, other files; the control: without a review it is nobody."""
    (action,) = read(*told)
    assert (action.id, action.reviewers, action.people[0].lower()) == ("octo/demo#12", ("eve",), "copilot[bot]")
    assert tells_reviews(list(told))
    assert read({**PULL, "reviews": [{"author": {"login": "eve"}, "state": "COMMENTED"}]})[0].reviewers == ()
    assert not tells_reviews([PULL])


def test_commits_of_pull_requests_are_read_and_are_not_all_commits() -> None:
    """As `gh pr list --json commits` nests them: what else was committed, the export does not tell."""
    nested = {
        "oid": "a" * 40, "messageHeadline": "Fix", "messageBody": "Aftertrace-Run: run-7", "committedDate": AT,
        "authors": [{"name": "Ann", "email": "ann@example.com", "login": "ann"}],
    }  # fmt: skip
    pull = {"number": 12, "title": "Fix", "url": "https://github.com/octo/demo/pull/12", "headRefName": "fix",
            "commits": [nested]}  # fmt: skip
    found = {action.kind: action for action in read([pull])}
    assert (found["commit"].id, found["commit"].run_ids, found["commit"].at_ns) == ("a" * 40, ("run-7",), AT_NS)
    assert found["commit"].people == ("Ann <ann@example.com>",)
    assert kinds([pull]) == {"pull_request"}
    assert kinds([[COMMIT]]) == {"commit"}
    assert [project_of_action(action) for action in read([pull], COMMIT)] == ["octo/demo", None, "octo/demo"]


def test_an_issue_that_is_a_pull_request_is_told_once() -> None:
    """The list of issues holds both."""
    issue = {"number": 12, "title": "Fix", "html_url": "https://github.com/octo/demo/pull/12", "pull_request": {},
             "created_at": AT}  # fmt: skip
    other = {"number": 13, "title": "Broken", "html_url": "https://github.com/octo/demo/issues/13", "created_at": AT}
    assert [(action.kind, action.id) for action in read([issue, other], PULL)] == [
        ("pull_request", "octo/demo#12"), ("issue", "octo/demo#13"),
    ]  # fmt: skip


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["number", "title", "url", "author", "login", "reviews", "nodes", "sha", "oid", "commit",
                         "message", "state", "pull_request_url", "user", "authors", "created_at", "mergedBy"]),
        inner, max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@given(JSON)
def test_whatever_json_is_exported_is_read(told: Any) -> None:
    """Members may be of any type: nothing is raised."""
    for action in actions([told]):
        assert isinstance(action.id, str)


def test_json_too_deep_to_be_an_export_is_refused() -> None:
    """And no recursion ends the program."""
    with pytest.raises(Invalid, match="no JSON at line 1"):
        list(values("[" * 100_000, "x.json"))


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1790000000", AT_NS), ("1790000000000", AT_NS), ("1790000000000000", AT_NS), ("1790000000000000000", AT_NS),
        (AT, AT_NS), ("2026-09-21 16:13:20+02:00", AT_NS), ("", None), ("nan", None), ("inf", None), ("1e30", None),
        ("yesterday", None),
    ],
)  # fmt: skip
def test_times_in_any_unit_are_read(text: str, at_ns: int | None) -> None:
    """Of a row of a CSV export; what is no time is none."""
    (action,) = rows_of(["id,at\n", f"OPS-1,{text}\n"], Columns(id="id", time="at"), "jira", "x.csv")
    assert action.at_ns == at_ns
