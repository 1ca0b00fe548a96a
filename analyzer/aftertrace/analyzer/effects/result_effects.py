"""Effects that no receipt tells, read from what a call returned: a commit, a push, a pull request, a ticket, rows.

What a result says is taken for an effect only where the call could have done it and the result is worded as whatever
did it words it: git's own line after a commit that was asked for, the address that a tool which creates pull requests
gives back, the status of a request that writes, the count after a statement that changes rows. A text that only
mentions a commit or an address is no effect. A result that names several is one for each where its command makes as
many, and none elsewhere: which of them it made, nobody can tell. A call with a receipt is left to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from aftertrace.analyzer.effects.returned_objects import CHANGES, returned_objects
from aftertrace.analyzer.effects.shell_commands import GIT, LOOKS, LOOP, OF_SEVERAL, SHOWS, START
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES

FIELDS: Final = {
    "system": pl.String,
    "operation": pl.String,
    "object_type": pl.String,
    "object_id": pl.String,
    "object_url": pl.String,
    "receipt_id": pl.String,
    "http_status": pl.Int64,
    "rows": pl.Int64,
}
"""What a reading can tell of an effect; columns as in `schemas.EFFECTS`."""
SCHEMA: Final = pl.Schema({"call_key": pl.String, "pointer": pl.String, "rule": pl.String, **FIELDS})

_RETURNED: Final = ("completed", "failed", "answered")
"""States of `tool.called` that bring what the tool itself returned, the best teller first."""
_LINE: Final = r"(?m)^(?:Output: )?"
_URL: Final = r"https?://[^\s\"'<>\\)\]}]+"
_COMMITTED: Final = _LINE + r"\[[^\]\s][^\]]*? ([0-9a-f]{7,40})\] \S"
_REF: Final = (
    r"(?m)^ ?[ +*-] (?:\[(?:new branch|new tag|new reference|deleted)\]|[0-9a-f]{7,40}\.\.\.?([0-9a-f]{7,40}))"
    r" +(?:\S+ -> )?(\S+)(?: \((forced update)\))?$"
)
_PULL: Final = r"https?://([^\s\"'/]+)/([\w.-]+(?:/[\w.-]+)+?)/(?:-/)?(?:pull|pulls|merge_requests)/(\d+)"
_ISSUE: Final = (
    r"https?://([^\s\"'/]+)/(?:([\w.-]+(?:/[\w.-]+)+?)/(?:-/)?(?:issues|work_items)/(\d+)"
    r"|browse/([A-Z][A-Z0-9_]*-\d+)|[\w-]+/issue/([A-Z][A-Z0-9_]*-\d+))"
)
_COMMENT: Final = (
    r"https?://([^\s\"'/]+)/([\w.-]+(?:/[\w.-]+)+?)/(?:-/)?(?:pull|pulls|issues|merge_requests)/(\d+)"
    r"#((?:issuecomment-|note_|discussion_r|pullrequestreview-)\d+)"
)
_WRITES: Final = (
    r"(?i)\b(insert\s+into|update|delete\s+from|merge\s+into|replace\s+into)\s+(?:only\s+)?[\"`\[]?([\w.]+)"
)
_TAG: Final = _LINE + r"(?:INSERT 0|UPDATE|DELETE|MERGE) (\d+)\r?$"
_AFFECTED: Final = (
    r"(?i)\"?\b(?:affected_?rows|rows_?affected|num_?affected_?rows|row_?count|changes)\"?'?: ?(\d+)"
    r"|\b(\d+) rows? affected"
)
_STATUS: Final = r"(?m)^HTTP/[\d.]+ (\d{3})\b"
_STATUS_FIELD: Final = r"\"(?:status|status_?code|http_?status)\": ?\"?(\d{3})\b"


@dataclass(frozen=True, slots=True)
class Several:
    """How a result tells of several effects of one command."""

    column: str
    """`text` or `pages`."""
    pattern: str
    """What tells of one of them."""
    made: str
    """The command that makes one: there are no more effects than such commands, unless it is repeated."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A way in which a result tells of an effect."""

    name: str
    """Of the rule, as in `effects.rule`."""
    brief: str
    """What must be asked for and returned, for the docs."""
    when: pl.Expr
    """Whether the call could have done it, over `words`, `command`, `arguments`, `method` and `statement`."""
    told: dict[str, pl.Expr] = field(default_factory=dict)
    """Columns of `FIELDS`, over `text` and `json` of the result; no effect where all of these are null."""
    needs: tuple[str, ...] = ("object_id",)
    """What must be told."""
    several: Several | None = None
    """How it may tell of more than one; None: of one at most."""


def _only(column: str, pattern: str, group: int = 0) -> pl.Expr:
    """A group of what the pattern finds in the column, where all that it finds is the same; else null."""
    found = pl.col(column).str.extract_all(pattern).list.unique()
    return pl.when(found.list.len() == 1).then(found.list.first().str.extract(f"({pattern})", group + 1))


def _commanded(pattern: str) -> pl.Expr:
    return pl.col("command").str.contains(pattern).fill_null(value=False)


def _named(*groups: str) -> pl.Expr:
    """Whether the tool's name has a word of each group."""
    return pl.all_horizontal(
        pl.col("words").str.contains(rf"(?:^|_)(?:{group})(?:_|$)").fill_null(value=False) for group in groups
    )


def _address(pattern: str) -> pl.Expr:
    """The one address of a kind that a result gives: as the page of what was made, else alone in the text."""
    page = _only("json", rf"\"(?:html_url|web_url|webUrl|permalink)\": ?\"{pattern}")
    return pl.coalesce(page.str.extract(f"({pattern})"), _only("pages", pattern))


_PULLED: Final = _address(_PULL)
_PULL_ID: Final = pl.concat_str(_PULLED.str.extract(_PULL, 2), pl.lit("#"), _PULLED.str.extract(_PULL, 3))
_IS_ELSEWHERE: Final = (
    pl.col("repository").is_not_null() & (pl.col("repository") != _PULLED.str.extract(_PULL, 2).str.to_lowercase())
).fill_null(value=False)
_RAISED: Final = _address(_ISSUE)
_ISSUE_ID: Final = pl.coalesce(
    pl.concat_str(_RAISED.str.extract(_ISSUE, 2), pl.lit("#"), _RAISED.str.extract(_ISSUE, 3)),
    _RAISED.str.extract(_ISSUE, 4),
    _RAISED.str.extract(_ISSUE, 5),
    _only("json", r"\"(?:key|identifier)\": ?\"([A-Z][A-Z0-9_]*-\d+)\"", 1),
)
_SAID: Final = _address(_COMMENT)
_CREATES: Final = r"create|open|submit|raise|file|new"
_COMMITS: Final = GIT + r"(?:commit|cherry-pick|revert)\b"
_CREATES_PULL: Final = START + r"(?:gh\s+pr|glab\s+mr)\s+create\b"
_CREATES_ISSUE: Final = START + r"(?:gh|glab)\s+issue\s+create\b"
_COMMENTS: Final = START + r"(?:gh|glab)\s+(?:pr|issue|mr)\s+(?:comment|note|review)\b"
_PULL_TOLD: Final = {
    "system": _PULLED.str.extract(_PULL, 1),
    "operation": pl.lit("create"),
    "object_type": pl.lit("pull_request"),
    "object_id": pl.when(~_IS_ELSEWHERE).then(_PULL_ID),
    "object_url": _PULLED,
}
_ISSUE_TOLD: Final = {
    "system": pl.coalesce(
        _RAISED.str.extract(_ISSUE, 1), pl.col("json").str.extract(r"\"self\": ?\"https?://([^/\"]+)/")
    ),
    "operation": pl.lit("create"),
    "object_type": pl.lit("issue"),
    "object_id": _ISSUE_ID,
    "object_url": _RAISED,
}
_COMMENT_TOLD: Final = {
    "system": _SAID.str.extract(_COMMENT, 1),
    "operation": pl.lit("create"),
    "object_type": pl.lit("comment"),
    "object_id": pl.concat_str(
        _SAID.str.extract(_COMMENT, 2), pl.lit("#"), _SAID.str.extract(_COMMENT, 3), pl.lit(" "),
        _SAID.str.extract(_COMMENT, 4),
    ),
    "object_url": _SAID,
}  # fmt: skip
_ALREADY: Final = pl.col("text").str.contains(r"(?i)already exists|--dry-run|dry run").fill_null(value=False)
_ACCEPTED: Final = pl.when(pl.col("method") == "POST").then(pl.lit([201])).otherwise(pl.lit([200, 201, 204]))
_CODE: Final = pl.coalesce(
    pl.col("text").str.extract_all(_STATUS).list.last().str.extract(_STATUS), _only("json", _STATUS_FIELD, 1)
).cast(pl.Int64)
_ROWS: Final = pl.coalesce(_only("text", _TAG, 1), _only("text", _AFFECTED, 1), _only("text", _AFFECTED, 2)).cast(
    pl.Int64
)

READINGS: Final = (
    Reading(
        "git_commit",
        "A command commits (`git commit`, `cherry-pick`, `revert`), and git names the commit: `[main 1a2b3c4] …`; or "
        "as many commits as the command makes.",
        _commanded(_COMMITS),
        {
            "system": pl.lit("git"),
            "operation": pl.lit("commit"),
            "object_type": pl.lit("commit"),
            "object_id": _only("text", _COMMITTED, 1),
        },
        several=Several("text", _COMMITTED, _COMMITS),
    ),
    Reading(
        "pull_request",
        "A tool or command that creates pull or merge requests returns the address of one, in the repository it was "
        "asked for if it names one; or a command those of as many as it creates.",
        (_commanded(_CREATES_PULL) | _named(_CREATES, "pull_request|pullrequest|pr|merge_request|mr"))
        & ~_named("comment|review|branch")
        & ~_ALREADY,
        _PULL_TOLD,
        several=Several("pages", rf"(?m)^{_PULL}$", _CREATES_PULL),
    ),
    Reading(
        "ticket",
        "A tool or command that creates issues or tickets returns the address or the key of one; or a command those of "
        "as many as it creates.",
        (_commanded(_CREATES_ISSUE) | _named(_CREATES, "issue|issues|ticket|incident|work_item"))
        & ~_named("comment|link|type|label")
        & ~_ALREADY,
        _ISSUE_TOLD,
        several=Several("pages", rf"(?m)^{_ISSUE}$", _CREATES_ISSUE),
    ),
    Reading(
        "comment",
        "A tool or command that comments returns the address of one comment on an issue or pull request; or a command "
        "those of as many as it makes.",
        _commanded(_COMMENTS) | _named(rf"add|post|reply|write|{_CREATES}", "comment|review|note"),
        _COMMENT_TOLD,
        several=Several("pages", rf"(?m)^{_COMMENT}$", _COMMENTS),
    ),
    Reading(
        "http_status",
        "A request that writes is answered with success: `POST` with 201, `PUT`, `PATCH` and `DELETE` with 200, 201 or "
        "204. What a `POST` with 200 did, nobody can tell.",
        pl.col("method").is_in(("POST", "PUT", "PATCH", "DELETE")).fill_null(value=False),
        {
            "system": pl.col("request_url").str.extract(r"^https?://([^/?#\s]+)"),
            "operation": pl.col("method"),
            "object_type": pl.lit("url"),
            "object_id": pl.when(_CODE.is_in(_ACCEPTED)).then(pl.col("request_url").str.extract(r"^([^?#]+)")),
            "object_url": pl.col("request_url"),
            "http_status": _CODE,
        },
    ),
    Reading(
        "rows_changed",
        "A statement changes rows (`INSERT`, `UPDATE`, `DELETE`, `MERGE`), the result tells how many, at least one, "
        "and nothing is rolled back.",
        pl.col("statement").is_not_null()
        & ~pl.col("statement").str.contains(r"(?i)\brollback\b")
        & ~pl.col("text").str.contains(r"(?m)^ROLLBACK\b"),
        {
            "system": pl.lit("sql"),
            "operation": pl.col("statement").str.extract(_WRITES, 1).str.to_lowercase().str.extract(r"^(\w+)"),
            "object_type": pl.lit("table"),
            "object_id": pl.when(_ROWS > 0).then(pl.col("statement").str.extract(_WRITES, 2)),
            "rows": _ROWS,
        },
    ),
)
"""How effects are read from results; `git_push` is told of each branch apart."""
PUSH: Final = Reading(
    "git_push",
    "A command pushes, and git tells the remote and the branch or tag that it changed: one effect for each.",
    _commanded(GIT + r"push\b") & ~_commanded(r"push\b[^;&|\n]*\s(?:--dry-run|-n)\b"),
)


def from_results(calls: pl.DataFrame, call_events: pl.DataFrame) -> pl.DataFrame:
    """Effects of calls that ran, as told by what they returned; columns as in `SCHEMA`.

    Args:
        calls: columns as in `schemas.CALLS`; those that have receipts are left out by the caller.
        call_events: the events that speak of a call (`joins.call_events`).
    """
    some = _able(calls)
    returned = _prepared(some, call_events) if some.height else some
    if not returned.height:
        return SCHEMA.to_frame()
    asked = [(reading, returned.filter(reading.when)) for reading in READINGS]
    found = [_read(rows, reading) for reading, rows in asked if rows.height]
    pushed = returned.filter(PUSH.when)
    if pushed.height:
        found.append(_pushes(pushed))
    told = pl.concat([SCHEMA.to_frame(), *found]).unique(maintain_order=True)
    rest = returned.join(told, on="call_key", how="anti", maintain_order="left")
    return pl.concat([told, returned_objects(rest, SCHEMA)])


def _able(calls: pl.DataFrame) -> pl.DataFrame:
    """The calls that ran and may have asked for an effect that a result tells of: by a quick look."""
    arguments = pl.coalesce("executed_arguments", "arguments")
    asked = arguments.str.contains(r"(?i)\b(?:git|gh|glab|curl|insert|update|delete|merge|replace)\b|\"method\":")
    named = pl.col("tool_name").str.contains(rf"(?i)create|open|submit|raise|file|new|comment|review|note|{CHANGES}")
    return calls.filter(pl.col("outcome").is_in(RAN_OUTCOMES) & (asked | named).fill_null(value=False)).select(
        "call_key", "tool_name", "outcome", asked=arguments
    )


def _prepared(some: pl.DataFrame, call_events: pl.DataFrame) -> pl.DataFrame:
    """Calls and what each returned, with what their name and arguments ask for."""
    order = {state: rank for rank, state in enumerate(_RETURNED)}
    told = (
        call_events.filter(
            (pl.col("event") == "tool.called") & pl.col("state").is_in(_RETURNED) & pl.col("content").is_not_null()
        )
        .join(some, on="call_key", how="semi")
        .with_columns(rank=pl.col("state").replace_strict(order, return_dtype=pl.Int8))
        .sort("rank", "time_ns", "pointer")
        .unique("call_key", keep="first", maintain_order=True)
        .select("call_key", "pointer", text="content")
    )
    unescaped = pl.col("text").str.replace_all(r"\\r?\\n|\\n", "\n").str.replace_all('\\"', '"', literal=True)
    is_json = pl.col("text").str.contains(r"^\s*[\[{\"]")
    whole = pl.when(is_json).then(unescaped).otherwise("text")
    return (
        some.join(told, on="call_key", how="inner")
        .with_columns(
            json=whole,
            # What programs are to ask is not where a person can look.
            pages=whole.str.replace_all(r"https?://(?:api\.[^\s\"']+|[^\s\"']+/api/v\d[^\s\"']*)", ""),
            # A member of an object begins like a line of its own.
            text=pl.when(is_json).then(unescaped.str.replace_all(r"\": ?\"", '":\n')).otherwise("text"),
            words=pl.col("tool_name")
            .str.replace_all(r"([a-z0-9])([A-Z])", "${1}_${2}")
            .str.to_lowercase()
            .str.replace_all(r"[^a-z0-9]+", "_"),
            command=_argument("command", "cmd", "script"),
            sql=_argument("sql", "query", "statement"),
        )
        .with_columns(
            method=pl.coalesce(
                _argument("method").str.to_uppercase(),
                pl.when(_commanded(START + r"curl\b")).then(
                    _only("command", r"(?:-X ?|--request[ =])['\"]?(POST|PUT|PATCH|DELETE)\b", 1)
                ),
            ),
            request_url=pl.coalesce(_argument("url"), _only("command", _URL)).str.replace(r"^(\w+://)[^/@\s]*@", "$1"),
            statement=pl.coalesce(
                pl.when(pl.col("sql").str.contains(r"(?i)^\s*(?:insert|update|delete|merge|replace)\s")).then("sql"),
                pl.when(_commanded(START + r"(?:psql|mysql|mariadb)\b") & _commanded(_WRITES)).then("command"),
            ),
            repository=pl.concat_str(_argument("owner"), _argument("repo"), separator="/").str.to_lowercase(),
        )
    )


def _argument(*names: str) -> pl.Expr:
    return pl.coalesce(pl.col("asked").str.json_path_match(f"$.{name}") for name in names)


def _read(asked: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """What a reading makes of the results of calls that it is about."""
    told = [reading.told.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in FIELDS.items()]
    return (
        _apart(asked, reading.several)
        .select("call_key", "pointer", pl.lit(reading.name).alias("rule"), *told)
        .filter(pl.all_horizontal(pl.col(name).is_not_null() for name in reading.needs))
    )


def _apart(returned: pl.DataFrame, several: Several | None) -> pl.DataFrame:
    """The results, each that tells of as many effects as its command makes as one result for each of them."""
    if several is None:
        return returned
    found = pl.col(several.column).str.extract_all(several.pattern).list.unique(maintain_order=True)
    made = pl.col("command").str.count_matches(several.made)
    # What a loop lists or shows besides, nobody can tell from what it makes.
    is_repeated = (_commanded(LOOP) | _commanded(OF_SEVERAL)) & ~_commanded(LOOKS) & ~_commanded(SHOWS)
    many = ((found.list.len() > 1) & ((found.list.len() <= made) | is_repeated)).fill_null(value=False)
    apart = (
        returned.filter(many)
        .with_columns(found.alias(several.column), json=pl.lit(None, pl.String))
        .explode(several.column, empty_as_null=True, keep_nulls=True)
    )
    return pl.concat([returned.filter(~many), apart])


def _pushes(pushed: pl.DataFrame) -> pl.DataFrame:
    """Branches that pushes changed: what git says below each `To`, and not what a fetch says below `From`."""
    below = (
        pushed.with_columns(below=pl.concat_str(pl.lit("\n"), "text").str.split("\nTo ").list.slice(1))
        .explode("below", empty_as_null=True, keep_nulls=True)
        .with_columns(remote=pl.col("below").str.extract(r"^(\S+)\r?\n"))
        .drop_nulls("remote")
        .with_columns(line=pl.col("below").str.split("\nFrom ").list.first().str.extract_all(_REF))
        .explode("line", empty_as_null=True, keep_nulls=True)
        .drop_nulls("line")
    )
    remote = pl.col("remote").str.replace(r"^(\w+://)[^/@\s]*@", "$1")
    ref, forced = pl.col("line").str.extract(_REF, 2), pl.col("line").str.extract(_REF, 3).is_not_null()
    deleted = pl.col("line").str.contains("[deleted]", literal=True)
    told = {
        "system": pl.lit("git"),
        "operation": pl.when(deleted).then(pl.lit("delete")).when(forced).then(pl.lit("force_push"))
        .otherwise(pl.lit("push")),
        "object_type": pl.when(pl.col("line").str.contains("[new tag]", literal=True)).then(pl.lit("tag"))
        .otherwise(pl.lit("branch")),
        "object_id": pl.concat_str(remote, ref, separator=" "),
        "object_url": pl.when(remote.str.starts_with("http")).then(remote),
        "receipt_id": pl.col("line").str.extract(_REF, 1),
    }  # fmt: skip
    return below.select(
        "call_key",
        "pointer",
        pl.lit(PUSH.name).alias("rule"),
        *(told.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in FIELDS.items()),
    )
