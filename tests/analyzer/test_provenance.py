"""What a system of record says was done, held against what runs say they did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.provenance.actions import Action, title_of
from aftertrace.analyzer.provenance.authors import AGENTS, KnownAgent, agent_of, bot_of
from aftertrace.analyzer.provenance.claims import Claim, claims, project_of
from aftertrace.analyzer.provenance.commits import commit
from aftertrace.analyzer.provenance.named_runs import Known
from aftertrace.analyzer.provenance.report import FINDINGS, PROVENANCE, VERDICTS, Place, Provenance, provenance
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.cli import provenance as command

from .stories import AT_NS, COMPLETED, PROPOSED, event, stored

SHA: Final = "3f2a9c1d5e6b7a8f9c0d1e2f3a4b5c6d7e8f9a0b"
OTHER: Final = "9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b"
CLAUDE: Final = "Claude <noreply@anthropic.com>"
ANN: Final = "Ann <ann@example.com>"
REPOSITORY: Final = Place(name="demo", kinds=frozenset({"commit"}), projects=frozenset({"octo/demo"}))


NOBODY: Final = Known(pl.DataFrame(schema=DERIVED["runs"].schema))


def receipt(s: float = 9, **told: Any) -> dict[str, Any]:
    """Call `c-1` of run `run-7` was approved by Bob and pushed a commit; parts of the receipt by name."""
    of = {"effect_system": "github", "effect_object_type": "commit", "effect_object_id": SHA, **told}
    return event("effect.applied", s=s, run_key="run-7", attributes=json.dumps(of))


def about(rows: Iterable[dict[str, Any]], run: str, number: int) -> list[dict[str, Any]]:
    """The rows, of another run and conversation."""
    return [
        {
            **row,
            "run_key": run,
            "conversation_id": f"s-{number}",
            "trace_id": f"{number:032x}",
            "call_id": f"c-{number}",
        }
        for row in rows
    ]


PAID: Final = (
    {**PROPOSED, "run_key": "run-7"},
    event("approval.requested", s=1, run_key="run-7"),
    event("approval.granted", s=4, run_key="run-7", decided_by="human", decider="bob"),
    {**COMPLETED, "run_key": "run-7"},
)


def done(digits: str = SHA, message: str = "Fix the limit", people: Sequence[str] = (ANN,), s: float = 9) -> Action:
    """A commit."""
    author, *others = people
    trailers = "".join(f"\nCo-authored-by: {who}" for who in others)
    head = f"tree 0\nauthor {author} 0 +0000\ncommitter {author} {AT_NS // 10**9 + int(s)} +0000"
    return commit(digits, f"{head}\n\n{message}\n{trailers}".encode())


def held(
    actions: Sequence[Action],
    *rows: dict[str, Any],
    place: Place = REPOSITORY,
    agents: Sequence[KnownAgent] = AGENTS,
    kept: Callable[[Sequence[str]], frozenset[str]] = lambda _: frozenset(),
) -> Provenance:
    """Actions held against the runs that a story tells."""
    claimed, known = analysed(rows)
    return provenance(actions, place, claimed, known, agents=agents, kept=kept)


def analysed(rows: tuple[dict[str, Any], ...]) -> tuple[list[Claim], Known]:
    """What runs claim, and the runs; many tests tell the same story."""
    if (told := repr(rows)) not in _ANALYSED:
        analysis = stored(*rows).analysis()
        _ANALYSED[told] = (claims(analysis), Known(analysis.runs))
    return _ANALYSED[told]


_ANALYSED: Final[dict[str, tuple[list[Claim], Known]]] = {}


def told(report: Provenance) -> list[tuple[Any, ...]]:
    """Verdict, object, how and what is named."""
    return report.rows.select("verdict", "object", "how", "named").rows()


def test_a_receipt_leads_from_a_commit_to_the_call_and_who_approved_it() -> None:
    """The whole row: who approved the call is told, and that the repository tells of no review."""
    report = held([done(people=(ANN, CLAUDE))], *PAID, receipt())
    (row,) = report.rows.rows(named=True)
    analysis = stored(*PAID, receipt()).analysis()
    assert row == {
        "first_ns": AT_NS + 9 * 10**9, "verdict": "run", "how": ["receipt"], "basis": "explicit", "system": "git",
        "kind": "commit", "object": SHA, "url": None, "title": "Fix the limit", "author": ANN, "agent": "Claude Code",
        "sign": CLAUDE, "named": None, "run_id": analysis.runs["run_id"].item(), "agent_name": "clerk",
        "tool_name": "pay", "tool_call_id": "c-1", "approved_by": "human bob", "reviewed_by": None,
        "evidence": analysis.effects["evidence"].item(),
    }  # fmt: skip
    assert (report.actions, report.of_people, report.unplaced) == (1, 0, 0)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Fix\n\nAftertrace-Run: run-7", [("run", ["trailer"], "run-7")]),
        ("Fix\n\nAftertrace-Run: " + "0" * 31 + "1", [("run", ["trailer"], "0" * 31 + "1")]),
        ("Fix (#1)\n\n* One\n\nAftertrace-Run: run-7\n\n* Two", [("run", ["trailer"], "run-7")]),
        ("Fix\n\nAftertrace-Conversation: s-1", [("run", ["conversation"], "s-1")]),
        ("Fix\n\nAftertrace-Run: gone\nAftertrace-Conversation: s-1", [("run", ["conversation"], "s-1")]),
        ("Fix\n\nAftertrace-Run: gone", [("unknown_run", ["trailer"], "gone")]),
        ("Fix\n\nAftertrace-Run: gone\nAftertrace-Conversation: lost", [("unknown_run", ["trailer"], "gone")]),
        (
            "Fix\n\nAftertrace-Run: run-7\nAftertrace-Run: gone",
            [("unknown_run", ["trailer"], "gone"), ("run", ["trailer"], "run-7")],
        ),
        ("Fix\n\nAftertrace-Run: last", [("unknown_run", ["trailer"], "last")]),
        ("Fix\n\n> Aftertrace-Run: run-7", []),
        ("Fix", []),
    ],
)
def test_what_a_commit_names_leads_to_its_run(message: str, expected: list[tuple[Any, ...]]) -> None:
    """Its id, its trace or its conversation; a word that means something to us means nothing in a commit."""
    report = held([done(message=message)], *PAID)
    assert report.rows.select("verdict", "how", "named").rows() == expected
    assert report.of_people == (0 if expected else 1)


def test_of_a_conversation_the_run_under_way_is_meant() -> None:
    """And it is inferred: a conversation may have had many."""
    later = [
        {**row, "run_key": "run-8", "trace_id": "2" * 32, "call_id": "c-2", "time_ns": row["time_ns"] + 3600 * 10**9}
        for row in PAID
    ]
    message = "Fix\n\nAftertrace-Conversation: s-1"
    analysis = stored(*PAID, *later).analysis()
    runs = {keys[0]: run for run, keys in analysis.runs.select("run_id", "run_keys").iter_rows()}
    for s, run in ((5, "run-7"), (1800, "run-7"), (3605, "run-8"), (9999, "run-8"), (-3600, "run-7")):
        report = held([done(message=message, s=s)], *PAID, *later)
        assert report.rows.select("run_id", "basis").rows() == [(runs[run], "inferred")]


def test_an_agents_commit_that_nothing_leads_from_has_no_run() -> None:
    """People and bots that are no agents are counted; the control: the same commit with a receipt has one."""
    actions = [
        done(OTHER, people=(ANN, CLAUDE)),
        done("a" * 40),
        done("b" * 40, people=("dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>",)),
    ]
    report = held(actions, *PAID, receipt())
    assert told(report)[:1] == [("no_run", OTHER, None, None)]
    assert report.rows.row(0, named=True)["sign"] == CLAUDE
    assert (report.actions, report.of_people, report.of_bots) == (3, 2, {"dependabot[bot]": 1})
    assert [report.count(verdict) for verdict in VERDICTS] == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("effect", "place", "verdicts"),
    [
        ({"effect_object_url": f"https://github.com/Octo/Demo/commit/{SHA}"}, {}, ["not_there"]),
        ({"effect_object_url": f"https://github.com/octo/else/commit/{SHA}"}, {}, []),
        ({"effect_object_id": f"octo/demo@{SHA[:9]}"}, {}, ["not_there"]),
        ({"effect_object_id": SHA}, {}, []),
        ({"effect_object_id": "octo/demo#12", "effect_object_type": "pull_request"}, {}, []),
        ({"effect_object_id": "octo/demo#12", "effect_object_type": "pull_request"},
         {"kinds": frozenset({"pull_request"})}, ["not_there"]),
        ({"effect_object_url": f"https://github.com/octo/demo/commit/{SHA}"}, {"is_whole": False}, []),
        ({"effect_object_url": f"https://github.com/octo/demo/commit/{SHA}"}, {"since_ns": AT_NS + 10 * 10**9}, []),
        ({"effect_object_url": f"https://github.com/octo/demo/commit/{SHA}"}, {"until_ns": AT_NS}, []),
    ],
)  # fmt: skip
def test_what_a_run_claims_and_is_not_there_is_found(
    effect: dict[str, str], place: dict[str, Any], verdicts: list[str]
) -> None:
    """In this repository, of a kind and a time that was looked at; elsewhere it may be."""
    where = Place(**{"name": "demo", "kinds": REPOSITORY.kinds, "projects": REPOSITORY.projects, **place})
    report = held([done(OTHER)], *PAID, receipt(**effect), place=where)
    assert report.rows["verdict"].to_list() == verdicts


def test_a_commit_without_a_repository_is_looked_for_where_its_run_is() -> None:
    """The run made another commit here; the control: of a run that did not, it is only counted."""
    here = done(OTHER, "Fix\n\nAftertrace-Run: run-7")
    report = held([here], *PAID, receipt())
    assert told(report) == [("not_there", SHA, ["receipt"], None), ("run", OTHER, ["trailer"], "run-7")]
    stranger = held([here], *PAID, *about([*PAID, receipt()], "run-8", 8))
    assert (stranger.rows["verdict"].to_list(), stranger.unplaced) == (["run"], 1)


def test_a_commit_that_no_branch_holds_is_not_missing() -> None:
    """It was amended or rebased: told, and no finding."""
    claimed = receipt(effect_object_url=f"https://github.com/octo/demo/commit/{SHA}")
    report = held([done(OTHER)], *PAID, claimed, kept=frozenset)
    assert report.rows["verdict"].to_list() == ["unreachable"]
    assert [report.count(verdict) for verdict in FINDINGS] == [0, 0, 0]


def shell(run: str, nth: int, command: str, result: str) -> list[dict[str, Any]]:
    """A command that a run had a shell carry out, and what it returned; no receipt."""
    of = {"run_key": run, "conversation_id": run, "trace_id": f"{nth:032x}", "call_id": f"c-{nth}", "tool_name": "Bash"}
    arguments = json.dumps({"command": command}, separators=(",", ":"))
    return [
        event("action.proposed", "proposed", s=nth, arguments=arguments, **of),
        event("tool.called", "completed", s=nth + 1, end_ns=None, content=result, **of),
    ]


COMMITTED: Final = shell("run-9", 1, "git commit -m Fix", f"[main {SHA[:7]}] Fix\n 1 file changed")
PUSHED: Final = shell("run-9", 2, "git push", f"To github.com:octo/demo.git\n   1111111..{OTHER[:7]}  main -> main")


def test_where_there_is_no_receipt_what_a_tool_returned_leads_to_the_run() -> None:
    """And is marked as inferred; the control: a log that only lists the commit makes nobody its author."""
    report = held([done(), done(OTHER)], *COMMITTED, *PUSHED)
    assert report.rows.select("object", "verdict", "how", "basis", "tool_call_id").rows() == [
        (SHA, "run", ["result"], "inferred", "c-1"), (OTHER, "run", ["result"], "inferred", "c-2"),
    ]  # fmt: skip
    listed = shell("run-9", 1, "git log --oneline", f"{SHA[:7]} Fix")
    assert held([done(people=(ANN, CLAUDE))], *listed).rows["verdict"].to_list() == ["no_run"]


def test_where_a_run_pushes_to_tells_where_its_commits_should_be() -> None:
    """In that repository they are missed, in another they are not; without a push nobody can tell. What was pushed to a
    branch that is still there should be in it; what was only committed may have been amended.
    """
    here = {name: getattr(REPOSITORY, name) for name in ("name", "kinds", "projects")}
    missed = held([done("a" * 40)], *COMMITTED, *PUSHED, place=Place(**here, branches=frozenset({"main"})))
    assert told(missed) == [("not_there", OTHER[:7], ["result"], None), ("unreachable", SHA[:7], ["result"], None)]
    deleted = held([done("a" * 40)], *COMMITTED, *PUSHED, place=Place(**here, branches=frozenset({"next"})))
    assert deleted.rows["verdict"].to_list() == ["unreachable", "unreachable"]
    elsewhere = Place(name="else", kinds=frozenset({"commit"}), projects=frozenset({"octo/else"}))
    assert (held([], *COMMITTED, *PUSHED, place=elsewhere).rows.height, held([], *COMMITTED).unplaced) == (0, 1)


def test_a_comment_on_a_pull_request_is_not_the_pull_request() -> None:
    """The control: a call that opens it is."""
    place = Place(name="x", kinds=frozenset({"pull_request"}), projects=frozenset({"octo/demo"}))
    pull = Action(system="github", kind="pull_request", id="octo/demo#12")
    at = "https://github.com/octo/demo/pull/12"
    commented = shell("run-9", 1, "gh pr comment 12 --body ok", f"{at}#issuecomment-1")
    assert held([pull], *commented, place=place).of_people == 1
    opened = held([pull], *shell("run-9", 1, "gh pr create --fill", f"{at}\n"), place=place)
    assert told(opened) == [("run", "octo/demo#12", ["result"], None)]


def test_two_runs_of_one_commit_are_two_rows_and_one_action() -> None:
    """One has the receipt, the other is named: a trailer is what somebody wrote."""
    message = "Fix\n\nAftertrace-Run: run-8"
    report = held([done(message=message)], *PAID, receipt(), *about(PAID, "run-8", 8))
    assert sorted(report.rows["how"].to_list()) == [["receipt"], ["trailer"]]
    assert report.count("run") == 1


def test_findings_come_first_and_the_latest_of_them() -> None:
    """In any order of the actions."""
    actions = [
        done("a" * 40, people=(ANN, CLAUDE), s=1),
        done("b" * 40, people=(ANN, CLAUDE), s=2),
        done("c" * 40, "x\n\nAftertrace-Run: gone"),
        done(),
    ]
    orders = [told(held(order, *PAID, receipt())) for order in (actions, actions[::-1])]
    assert orders[0] == orders[1]
    assert [row[:2] for row in orders[0]] == [
        ("no_run", "b" * 40), ("no_run", "a" * 40), ("unknown_run", "c" * 40), ("run", SHA),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("people", "message", "agent"),
    [
        ((ANN, "Claude Opus 5 <noreply@anthropic.com>"), "x", "Claude Code"),
        ((ANN,), "x\n\n🤖 Generated with [Claude Code](https://claude.com/claude-code)", "Claude Code"),
        (("claude[bot] <209825114+claude[bot]@users.noreply.github.com>",), "x", "Claude Code"),
        ((ANN, "Copilot <223556219+Copilot@users.noreply.github.com>"), "x", "GitHub Copilot"),
        (("copilot-swe-agent[bot] <198982749+Copilot@users.noreply.github.com>",), "x", "GitHub Copilot"),
        ((ANN, "Codex <noreply@openai.com>"), "x", "Codex"),
        ((ANN, "gemini-code-assist[bot] <1+gemini-code-assist[bot]@users.noreply.github.com>"), "x", "Gemini"),
        ((ANN, "Cursor <cursoragent@cursor.com>"), "x", "Cursor"),
        (("devin-ai-integration[bot] <158243242+devin-ai-integration[bot]@users.noreply.github.com>",), "x", "Devin"),
        (("Ann (aider) <ann@example.com>",), "x", "aider"),
        ((ANN, "aider (gpt-5) <noreply@aider.chat>"), "x", "aider"),
        (("google-labs-jules[bot] <161369871+google-labs-jules[bot]@users.noreply.github.com>",), "x", "Jules"),
        ((ANN, "openhands <openhands@all-hands.dev>"), "x", "OpenHands"),
        ((ANN,), "Claude, Copilot and Cursor are named here", None),
        (("Claude Monet <claude@example.com>",), "x", None),
        (("renovate[bot] <1+renovate[bot]@users.noreply.github.com>",), "x", None),
    ],
)
def test_agents_are_told_from_people_by_their_marks(people: tuple[str, ...], message: str, agent: str | None) -> None:
    """Those that they leave themselves; a person of the same name is none."""
    found = agent_of(done(message=message, people=people))
    assert (found[0] if found else None) == agent


def test_agents_of_ones_own_can_be_told() -> None:
    """By a pattern; brackets stand for themselves."""
    fixer = KnownAgent("Fixer", ("*fixer[bot]*",))
    people = ("fixer[bot] <1+fixer[bot]@users.noreply.github.com>",)
    report = held([done(people=people), done(OTHER, people=("f <f@x>",))], agents=[fixer])
    assert report.rows.select("verdict", "agent").rows() == [("no_run", "Fixer")]
    assert bot_of(people) == "fixer[bot]"


@given(st.binary(max_size=400))
def test_whatever_git_stores_is_read(stored_bytes: bytes) -> None:
    """Headers may be torn, encodings unknown, times absurd: nothing is raised, and a table can hold it."""
    action = commit(SHA, stored_bytes)
    report = provenance([action], REPOSITORY, [], NOBODY)
    assert report.actions == 1


def encoded(encoding: str, body: bytes) -> str | None:
    """The title of a commit that names an encoding."""
    told_by = f"tree 0\nauthor A <a@x> 0 +0000\ncommitter A <a@x> 1 +0000\nencoding {encoding}\n\n".encode()
    return commit(SHA, told_by + body).title


@pytest.mark.parametrize(
    ("title", "encodings"),
    [
        ("Straße", "UTF-8 utf8 ISO-8859-1 iso8859-1 iso_8859_15 latin-1 latin1 windows-1252 CP1252"),
        ("Дорога", "iso-8859-5 windows-1251 koi8-r KOI8-U"),
        ("日本", "EUC-JP eucJP shift_jis Shift-JIS SJIS euc-kr euc-cn gb18030 GBK gb2312 big5"),
    ],
)
def test_a_commit_in_another_encoding_is_read(title: str, encodings: str) -> None:
    """As it says."""
    told = {encoding: encoded(encoding, title.encode(encoding)) for encoding in encodings.split()}
    assert told == dict.fromkeys(encodings.split(), title)


@pytest.mark.parametrize(
    "encoding", ["no such encoding", "rot13", "idna", "iso-8859-12", "cp1259", "cp037", "utf-16", "", "latin-1 x"]
)
def test_a_commit_in_an_encoding_that_is_not_known_is_read_as_utf_8(encoding: str) -> None:
    """What does not fit is replaced."""
    assert encoded(encoding, "Straße".encode("latin-1")) == "Stra\ufffde"


@pytest.mark.parametrize("encoding", ["punycode", "utf-7", "unicode_escape", "raw_unicode_escape", "hz", "iso2022_jp"])
def test_a_commit_chooses_no_other_of_the_encodings_that_python_has(encoding: str) -> None:
    """Python has many, of which some take time by the square of the length: only those are read that commits are in."""
    body = "日本".encode(encoding)
    assert body.decode(encoding) == "日本"
    assert encoded(encoding, body) == title_of(body.decode())


@pytest.mark.parametrize(
    ("address", "project"),
    [
        ("git@github.com:octo/Demo.git", "octo/demo"),
        ("https://token@github.com/octo/demo", "octo/demo"),
        ("ssh://git@host.example:22/group/sub/demo.git/", "sub/demo"),
        ("/srv/git/demo.git", None),
        ("../demo", None),
        ("file:///srv/octo/demo.git", None),
        ("C:\\git\\octo\\demo", None),
        ("", None),
    ],
)
def test_a_repository_is_told_by_the_address_of_its_remotes(address: str, project: str | None) -> None:
    """Owner and name; folders have none."""
    assert project_of(address) == project


def test_the_command_knows_the_verdicts_of_the_analyzer() -> None:
    """It names them itself, so that help does without Polars."""
    assert command.FINDINGS == FINDINGS
    assert set(FINDINGS) < set(VERDICTS)
    assert held([]).rows.schema == pl.Schema({name: kind for name, (kind, _) in PROVENANCE.items()})  # type: ignore[arg-type]  # DataType or its class
