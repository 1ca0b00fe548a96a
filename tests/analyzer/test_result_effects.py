"""Effects that only results tell: what the call could have done, worded as whatever did it words it, and no more."""

from __future__ import annotations

import json
import re
import subprocess
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer.effects.result_effects import FIELDS, PUSH, READINGS, from_results
from aftertrace.analyzer.effects.returned_objects import NAME

from . import corpus, frames
from .stories import COMPLETED, PROPOSED, event, stored

PR: Final = "https://github.com/acme/shop/pull/15"
ISSUE: Final = "https://github.com/acme/shop/issues/"
PUSHED: Final = """\
branch 'fix' set up to track 'origin/fix'.
remote: Create a pull request for 'fix' on GitHub by visiting:
remote:      https://github.com/acme/shop/pull/new/fix
To github.com:acme/shop.git
 * [new branch]      fix -> fix
   6f27771..82db92f  main -> main
 + 1111111...2222222 wip -> wip (forced update)
 - [deleted]         old
"""
FETCHED: Final = "From github.com:acme/shop\n   1111111..2222222  main -> origin/main\n"
WRAPPED: Final = json.dumps([{"type": "text", "text": json.dumps({"id": "1", "url": PR})}])
WHOLE: Final = json.dumps(
    {
        "url": "https://api.github.com/repos/acme/shop/pulls/15",
        "html_url": PR,
        "user": {"html_url": "https://github.com/ana"},
        "body": "after https://github.com/acme/shop/pull/3",
    }
)
JIRA: Final = json.dumps({"id": "1", "key": "PAY-7", "self": "https://acme.atlassian.net/rest/api/3/issue/1"})


def shell(command: str) -> dict[str, Any]:
    """The arguments of a tool that runs commands."""
    return {"command": command}


TELLING: Final[dict[str, tuple[str, dict[str, Any], str, list[tuple[Any, ...]]]]] = {
    "a commit": (
        "Bash",
        shell('git add -A && git commit -m "Fix it"'),
        "[main de71239] Fix it\n 2 files changed, 46 insertions(+)",
        [("git_commit", "git", "commit", "commit", "de71239")],
    ),
    "the first commit, in the output of a harness": (
        "bash",
        shell("cd shop\ngit -C . commit -qm x; git log -1"),
        json.dumps({"stdout": "[main (root-commit) de71239] x\n 1 file changed", "stderr": ""}),
        [("git_commit", "git", "commit", "commit", "de71239")],
    ),
    "two commits": (
        "Bash",
        shell("git commit -m x; git commit -m y"),
        "[main de71239] x\n 1 file changed\n[main de71240] y\n 1 file changed",
        [("git_commit", "git", "commit", "commit", "de71239"), ("git_commit", "git", "commit", "commit", "de71240")],
    ),
    "commits that are picked": (
        "Bash",
        shell("git cherry-pick 1111111..3333333"),
        "[main de71239] x\n Date: Mon\n[main de71240] y\n Date: Mon\n",
        [("git_commit", "git", "commit", "commit", "de71239"), ("git_commit", "git", "commit", "commit", "de71240")],
    ),
    "a commit, a push and a pull request": (
        "Bash",
        shell("git commit -qam x; git commit -m y && git push -u origin fix && gh pr create --fill"),
        f"[fix de71240] y\n 1 file changed\n{PUSHED[: PUSHED.index('   6f')]}\n{PR}\n",
        [
            ("git_commit", "git", "commit", "commit", "de71240"),
            ("pull_request", "github.com", "create", "pull_request", "acme/shop#15"),
            ("git_push", "git", "push", "branch", "github.com:acme/shop.git fix"),
        ],
    ),
    "pushes to two remotes": (
        "Bash",
        shell("git push origin main; git push backup main"),
        "".join(f"To {host}:shop.git\n   6f27771..82db92f  main -> main\n" for host in ("one.example", "two.example")),
        [
            ("git_push", "git", "push", "branch", "one.example:shop.git main"),
            ("git_push", "git", "push", "branch", "two.example:shop.git main"),
        ],
    ),
    "issues in a loop": (
        "Bash",
        shell("for t in a b; do gh issue create --title $t --body x; done"),
        f"\nCreating issue in acme/shop\n\n{ISSUE}7\n\nCreating issue in acme/shop\n\n{ISSUE}8\n",
        [
            ("ticket", "github.com", "create", "issue", "acme/shop#7"),
            ("ticket", "github.com", "create", "issue", "acme/shop#8"),
        ],
    ),
    "commits of a loop over names in a file, each of them edited": (
        "Bash",
        shell("for f in $(cat names); do sed -i s/a/b/ $f; cat >> log <<< $f; git commit -am $f | head -1; done"),
        "[main de71239] x\n[main de71240] y\n",
        [("git_commit", "git", "commit", "commit", "de71239"), ("git_commit", "git", "commit", "commit", "de71240")],
    ),
    "a push of four branches": (
        "Bash",
        shell("git push --all"),
        PUSHED,
        [
            ("git_push", "git", "push", "branch", "github.com:acme/shop.git fix"),
            ("git_push", "git", "push", "branch", "github.com:acme/shop.git main"),
            ("git_push", "git", "force_push", "branch", "github.com:acme/shop.git wip"),
            ("git_push", "git", "delete", "branch", "github.com:acme/shop.git old"),
        ],
    ),
    "a push between two pulls": (
        "Bash",
        shell("git pull && git push && git pull"),
        FETCHED + "To github.com:acme/shop.git\n   6f27771..82db92f  main -> main\n" + FETCHED,
        [("git_push", "git", "push", "branch", "github.com:acme/shop.git main")],
    ),
    "a pull request": (
        "Bash",
        shell("gh pr create --fill"),
        f"Creating pull request for fix into main in acme/shop\n\n{PR}\n",
        [("pull_request", "github.com", "create", "pull_request", "acme/shop#15")],
    ),
    "a pull request by a tool": (
        "mcp__github__create_pull_request",
        {"owner": "Acme", "repo": "shop"},
        WRAPPED,
        [("pull_request", "github.com", "create", "pull_request", "acme/shop#15")],
    ),
    "a pull request that speaks of another": (
        "createPullRequest",
        {"owner": "acme", "repo": "shop"},
        WHOLE,
        [("pull_request", "github.com", "create", "pull_request", "acme/shop#15")],
    ),
    "a merge request": (
        "gitlab_create_merge_request",
        {},
        '{"iid": 4, "web_url": "https://gitlab.acme.example/team/sub/shop/-/merge_requests/4"}',
        [("pull_request", "gitlab.acme.example", "create", "pull_request", "team/sub/shop#4")],
    ),
    "a ticket by its key": (
        "jira_create_issue",
        {},
        JIRA,
        [("ticket", "acme.atlassian.net", "create", "issue", "PAY-7")],
    ),
    "an issue": (
        "open_ticket",
        {},
        "Opened https://github.com/acme/shop/issues/7",
        [("ticket", "github.com", "create", "issue", "acme/shop#7")],
    ),
    "a comment": (
        "add_issue_comment",
        {},
        '{"html_url": "https://github.com/acme/shop/issues/7#issuecomment-99"}',
        [("comment", "github.com", "create", "comment", "acme/shop#7 issuecomment-99")],
    ),
    "something created over HTTP": (
        "http_request",
        {"method": "post", "url": "https://u:p@api.example/refunds?dry=0"},
        '{"status_code": 201, "body": "{}"}',
        [("http_status", "api.example", "POST", "url", "https://api.example/refunds")],
    ),
    "something deleted with curl": (
        "Bash",
        shell("curl -si -X DELETE https://api.example/a/3"),
        "HTTP/1.1 100 Continue\n\nHTTP/2 204 \nserver: x\n",
        [("http_status", "api.example", "DELETE", "url", "https://api.example/a/3")],
    ),
    "rows": (
        "execute_sql",
        {"query": "UPDATE orders SET state = 'paid' WHERE id = 3"},
        '{"affected_rows": 1}',
        [("rows_changed", "sql", "update", "table", "orders")],
    ),
    "something that was cancelled": (
        "cancel_reservation",
        {"reservation_id": "K1NW8N"},
        '{"reservation_id": "K1NW8N", "user_id": "u-1", "status": "cancelled"}',
        [("object_returned", None, "cancel", "reservation", "K1NW8N")],
    ),
    "something that was made, by a tool of a server": (
        "mcp__tasks__createTask",
        {"title": "x", "user_id": "u-1"},
        json.dumps([{"type": "text", "text": '{"taskId": "t-2", "status": "pending", "error": null}'}]),
        [("object_returned", None, "create", "task", "t-2")],
    ),
    "a part of an object, by its address": (
        "updateUserStatus",
        {"user_id": "a@x.com", "status": "away"},
        '{"user_id": "a@x.com", "status": "away", "deleted": false, "error_code": 0}',
        [("object_returned", None, "update", "user", "a@x.com")],
    ),
    "a file, by its path": (
        "delete_file",
        {"file_id": "reports/a.csv"},
        '{"file_id": "reports/a.csv", "deleted": true, "error": null}',
        [("object_returned", None, "delete", "file", "reports/a.csv")],
    ),
    "an object that is new and waits": (
        "create_order",
        {"customer_id": "C1"},
        '{"order_id": -12, "customer_id": "C1", "status": "pending_approval"}',
        [("object_returned", None, "create", "order", "-12")],
    ),
    "rows in a terminal": (
        "Bash",
        shell('psql -c "delete from public.orders where id = 3"'),
        "DELETE 12\n",
        [("rows_changed", "sql", "delete", "table", "public.orders")],
    ),
}  # fmt: skip

SILENT: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "a log": ("Bash", shell("git log --oneline | head"), "[main de71239] Fix it"),
    "a commit that is spoken of": ("Bash", shell("echo git commit"), "[main de71239] Fix it"),
    "a commit of nothing": ("Bash", shell("git commit -m x"), "On branch main\nnothing to commit, working tree clean"),
    "two commits of one command": ("Bash", shell("git commit -m x"), "[main de71239] x\n[main de71240] y"),
    "two pull requests of one command": ("Bash", shell("gh pr create --fill"), f"{PR}\n{PR}0\n"),
    "issues of a loop that lists others": (
        "Bash",
        shell("gh issue list --json url -q '.[].url'\nfor t in a b; do gh issue create -t $t; done"),
        f"{ISSUE}7\n{ISSUE}8\n{ISSUE}9\n",
    ),
    "commits of a log that a loop shows": (
        "Bash",
        shell("for f in a b; do git commit -m $f; done; cat old.log"),
        "[main de71239] a\n[main de71240] b\n[main 1111111] c",
    ),
    "commits of logs that are searched": (
        "Bash", shell("for f in a b; do grep main $f; git commit -m $f; done"), "[main de71239] a\n[main 1111111] c",
    ),
    "commits of logs that are shown one by one": (
        "Bash", shell("git commit -m x; ls *.log | xargs -n1 tail -2"), "[main de71239] x\n[main 1111111] c",
    ),
    "commits of a log that is shown by sed": (
        "Bash", shell("for f in a b; do sed -n 1,9p $f; git commit -m $f; done"), "[main de71239] a\n[main 1111111] c",
    ),
    "a file that is read": ("read_file", {"path": "git commit.txt"}, "[main de71239] Fix it"),
    "a push of nothing": ("Bash", shell("git push"), "Everything up-to-date"),
    "a push that is refused": (
        "Bash", shell("git push"),
        "To github.com:acme/shop.git\n ! [rejected]        main -> main (fetch first)\nerror: failed to push",
    ),
    "a fetch": ("Bash", shell("git fetch"), "From github.com:acme/shop\n   1111111..2222222  main -> origin/main"),
    "a pull request that is looked at": ("Bash", shell("gh pr view 15"), PR),
    "a pull request that a tool reads": ("get_pull_request", {"owner": "acme", "repo": "shop"}, WHOLE),
    "pull requests that are listed": ("list_pull_requests", {}, json.dumps([{"html_url": PR}])),
    "a branch for a pull request": ("create_branch_for_pull_request", {}, PR),
    "a pull request elsewhere": ("create_pull_request", {"owner": "acme", "repo": "other"}, WRAPPED),
    "a pull request that was there": (
        "Bash", shell("gh pr create --fill"), f"a pull request for branch fix already exists:\n{PR}",
    ),
    "two pull requests": ("create_pull_request", {}, f"{PR} and {PR}0"),
    "an offer to create one": ("Bash", shell("git push"), "remote: https://github.com/acme/shop/pull/new/fix"),
    "an issue that is searched for": ("search_issues", {}, JIRA),
    "an issue that is linked": ("create_issue_link", {}, JIRA),
    "a search by POST": ("http_request", {"method": "POST", "url": "https://api.example/find"}, '{"status": 200}'),
    "a refusal over HTTP": ("http_request", {"method": "PUT", "url": "https://api.example/a"}, '{"status": 403}'),
    "a request that reads": ("http_request", {"method": "GET", "url": "https://api.example/a"}, '{"status": 200}'),
    "rows that are read": ("execute_sql", {"query": "SELECT * FROM orders"}, '{"row_count": 3}'),
    "an object that is only looked up": ("get_update_reservation", {}, '{"reservation_id": "K1"}'),
    "another object than was asked for": ("cancel_order", {"order_id": "A-1"}, '{"order_id": "A-2"}'),
    "several objects": ("update_orders", {}, '{"orders_id": "A-1", "next": {"orders_id": "A-2"}}'),
    "an object of another kind": ("cancel_order", {}, '{"user_id": "u-1"}'),
    "an object with an error": ("cancel_order", {}, '{"order_id": "A-1", "error": "too late"}'),
    "an object that was refused": ("refund_order", {}, '{"order_id": "A-1", "status": "REJECTED"}'),
    "an object that would be changed": ("update_order", {}, '{"order_id": "A-1", "dry_run": true}'),
    "a session of a user": ("delete_user_session", {}, '{"user_id": 7, "session_id": "s9", "deleted": true}'),
    "a session of a user that is changed": ("update_user_session", {}, '{"user_id": 7, "session_id": "s9"}'),
    "an invoice of a customer": ("create_customer_invoice", {}, '{"invoice_id": "I1", "customer_id": "C1"}'),
    "what cancelling would cost": ("cancel_order_preview", {"order_id": "A1"}, '{"order_id": "A1", "refund": 10}'),
    "what changing would cost": ("modify_order_preview", {"order_id": "A1"}, '{"order_id": "A1", "cost": 10}'),
    "an object that was not deleted": ("delete_task", {"task_id": 5}, '{"task_id": 5, "deleted": false}'),
    "an object with the code of an error": (
        "cancel_order", {}, '{"order_id": "A1", "error_code": "ALREADY_SHIPPED", "error": null}',
    ),
    "an object that a server gives with an error": ("cancel_order", {}, '{"order_id": "A1", "isError": true}'),
    "an object that is not there": ("update_order", {"order_id": 1}, '{"order_id": 1, "status": "not_found"}'),
    "an object that waits for an approval": ("cancel_order", {}, '{"order_id": "A1", "status": "pending_approval"}'),
    "an object that is to be cancelled": ("cancel_order", {}, '{"order_id": "A1", "status": "pending"}'),
    "an object that is to be made": ("create_task", {}, '{"task_id": null, "queued": true}'),
    "an object without an id": ("create_task", {}, '{"task_id": null, "title": "x"}'),
    "another path than was asked for": (
        "delete_file", {"file_id": "reports/a.csv"}, '{"file_id": "reports/b.csv"}',
    ),
    "another address than was asked for": ("update_user", {"user_id": "a@x.com"}, '{"user_id": "a@y.com"}'),
    "another object than words ask for": ("delete_file", {"file_id": "my notes"}, '{"file_id": "b.csv"}'),
    "an object that is told by words": ("delete_file", {}, '{"file_id": "my notes"}'),
    "a sentence about an object": ("cancel_order", {}, 'Order cancelled: "order_id": "A-1"'),
    "no rows": ("execute_sql", {"query": "DELETE FROM orders WHERE 1 = 0"}, '{"affected_rows": 0}'),
    "rows that were rolled back": (
        "Bash", shell('psql -c "begin; delete from orders; rollback"'), "BEGIN\nDELETE 12\nROLLBACK\n",
    ),
}  # fmt: skip


def read(tool: str, arguments: dict[str, Any], result: str, outcome: str = "executed") -> pl.DataFrame:
    """What a result tells."""
    asked = json.dumps(arguments, separators=(",", ":"))
    calls = pl.DataFrame(
        {"call_key": "k", "tool_name": tool, "arguments": asked, "executed_arguments": None, "outcome": outcome},
        {"call_key": pl.String, "tool_name": pl.String, "arguments": pl.String, "executed_arguments": pl.String,
         "outcome": pl.String},
    )  # fmt: skip
    told = {"event": "tool.called", "state": "completed", "content": result, "call_key": "k", "time_ns": 1}
    return from_results(calls, pl.DataFrame({**told, "pointer": "main/1/0"}))


@pytest.mark.parametrize("name", TELLING)
def test_a_result_tells_of_what_its_call_did(name: str) -> None:
    """Each as its system words it: system, operation, kind and id of the object."""
    tool, arguments, result, expected = TELLING[name]
    found = read(tool, arguments, result)
    assert found.select("rule", "system", "operation", "object_type", "object_id").rows() == expected
    assert set(found["pointer"]) == {"main/1/0"}


@pytest.mark.parametrize("name", SILENT)
def test_a_result_that_only_mentions_something_tells_of_no_effect(name: str) -> None:
    """False effects are worse than missing ones."""
    assert read(*SILENT[name]).rows() == []


def test_every_rule_has_a_story() -> None:
    """A new one must come with its own."""
    told = {effect[0] for *_, effects in TELLING.values() for effect in effects}
    assert told == {NAME, *(reading.name for reading in (*READINGS, PUSH))}


@pytest.mark.parametrize("name", TELLING)
def test_what_was_refused_or_never_ran_changed_nothing(name: str) -> None:
    """Whatever the text says that stands in place of its result."""
    tool, arguments, result, _ = TELLING[name]
    assert [read(tool, arguments, result, outcome).height for outcome in ("denied", "unresolved", "pending")] == [0] * 3


def test_numbers_stand_in_columns_of_their_own() -> None:
    """A status, a count of rows, the commit that a branch was left at, and where to look."""
    status = read(*TELLING["something created over HTTP"][:3]).select("http_status", "object_url")
    assert status.rows() == [(201, "https://api.example/refunds?dry=0")]
    assert read(*TELLING["rows in a terminal"][:3])["rows"].to_list() == [12]
    assert read(*TELLING["a push of four branches"][:3])["receipt_id"].to_list() == [None, "82db92f", "2222222", None]
    assert read(*TELLING["a pull request that speaks of another"][:3])["object_url"].to_list() == [PR]


GIT: Final = {
    "echo a > a; git add a && git commit -m first": ["commit"],
    "echo b >> a; git commit -am 'second: [main abc1234] x'": ["commit"],
    "git commit -am nothing": [],
    "git commit --dry-run": [],
    "git commit --amend -m other": ["commit"],
    "git push --dry-run -u origin HEAD": [],
    "git push -u origin HEAD": ["push branch"],
    "git push": [],
    "git log -3; git show --stat HEAD; git log --oneline | head -1": [],
    "git commit --amend -qm again; git push -f origin HEAD": ["force_push branch"],
    "git tag v1 && git push --tags": ["push tag"],
    "git revert --no-edit HEAD": ["commit"],
    "git push origin :$(git branch --show-current)": ["delete branch"],
    "git fetch; git status": [],
    "git checkout -qb fix; for f in x y; do echo 1 > $f; git add $f; git commit -m $f; done": ["commit", "commit"],
    "echo 2 > x; git commit -am one; echo 3 > x; git commit -am two; git push origin HEAD": [
        "commit",
        "commit",
        "push branch",
    ],
}
"""Commands in their order, and what is to be read of what git says to each."""


def test_what_git_itself_says_is_read(tmp_path: Path) -> None:
    """The real program, in a repository of its own with a remote; the commit that is told is the one that is there."""
    run = partial(subprocess.run, cwd=tmp_path, capture_output=True, text=True, check=False)
    run(["git", "init", "-q", "--bare", "remote"])
    run(["git", "-c", "init.defaultBranch=main", "clone", "-q", "remote", "work"])
    run(["git", "-C", "work", "config", "user.email", "ana@example.org"])
    run(["git", "-C", "work", "config", "user.name", "Ana"])
    run(["git", "-C", "remote", "config", "receive.denyDeleteCurrent", "ignore"])
    for asked, expected in GIT.items():
        ended = run(["bash", "-c", f"cd work; {asked}"])
        found = read("Bash", shell(asked), ended.stdout + ended.stderr, "failed" if ended.returncode else "executed")
        kinds = pl.concat_str("operation", pl.when(pl.col("rule") == "git_push").then("object_type"), separator=" ",
                              ignore_nulls=True)  # fmt: skip
        assert found.select(kinds).to_series().to_list() == expected, (asked, ended)
        if expected == ["commit"]:
            head = run(["git", "-C", "work", "rev-parse", "HEAD"]).stdout
            assert head.startswith(found["object_id"].item())


def test_a_receipt_is_believed_before_a_result() -> None:
    """A call with one has no effect beside it that is read from its result; one without has."""
    told = {"arguments": json.dumps(shell("git commit -m x"), separators=(",", ":")), "tool_name": "Bash"}
    committed = {**COMPLETED, "tool_name": "Bash", "content": "[main de71239] x"}
    what = '{"effect_system":"git","effect_object_id":"de71239f"}'
    receipt = event("effect.applied", s=9, tool_name="Bash", attributes=what)
    columns = ("basis", "rule", "object_id", "tool_call_id", "evidence")
    found = [
        stored(PROPOSED | told, committed, *more).analysis().effects.select(columns).rows() for more in ((), (receipt,))
    ]
    assert found == [
        [("inferred", "git_commit", "de71239", "c-1", "main/2/0")],
        [("explicit", None, "de71239f", "c-1", "main/3/0")],
    ]


def test_no_recording_tells_of_an_effect_that_was_none() -> None:
    """Shells of three agents, none of which did what a rule reads."""
    for name in ("claude-code/tty_approve", "codex/exec_never", "copilot-cli/headless_content"):
        analysis = frames.recording(*name.split("/")).analysis()
        assert analysis.calls.height > 0
        assert analysis.effects.filter(pl.col("basis") == "inferred").height == 0


@pytest.mark.skipif(corpus.missing() is not None, reason=corpus.missing() or "")
def test_no_call_of_the_corpus_is_taken_for_what_it_only_mentions(tmp_path: Path) -> None:
    """Real shell commands and tools of agents, whose results hold commits, addresses of issues and counts. None of
    them commits or creates anything by the rules, which was looked for by hand.
    """
    corpus.convert(tmp_path, ["--dialect", "genai", "--sets", "swe_mini", "--limit", "8"])
    analysis = corpus.read(tmp_path).analysis()
    assert analysis.calls.height > 200
    assert analysis.effects.rows() == []


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=st.sampled_from('[]main de71239\n"\\{}:https/githubpull#12 -> To*+.'), max_size=80))
def test_any_result_is_read_without_an_error_and_tells_what_stands_in_it(result: str) -> None:
    """Results are hostile: what is told is a part of them."""
    for tool, arguments in (("Bash", shell("git commit; git push; gh pr create")), ("create_issue", {})):
        for row in read(tool, arguments, result).select(*FIELDS).iter_rows(named=True):
            assert all(part in result for part in re.split(r"[ #]", row["object_id"]) if part)
