"""Which role and which tenants the claims of a token give, and what each role sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dashboards.conftest import OpenPage
from dashboards.stores import SECRET, of_tenants

from aftertrace.analyzer import Invalid, open_analysis
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.reports import near_miss_figures
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.dashboards import contents, data, signing_in
from aftertrace.dashboards.access import Access, Person
from aftertrace.store.commentary.comments import Comment, Subject
from aftertrace.store.commentary.log import add
from aftertrace.store.layout import Layout

ISSUER = "https://login.example.com"
ACCESS = Access(
    issuer=ISSUER,
    client_id="pages",
    url="https://audit.example.com",
    scope="openid",
    session_hours=8,
    viewers=("groups=*",),
    reviewers=("groups=review*", "sub=r-2"),
    auditors=("email=*@audit.example.com", "roles=aftertrace.auditor"),
    tenants=(("groups=acme", "acme"), ("groups=both", "acme, umbrella"), ("email=*@audit.example.com", "*")),
)


def of(**claims: Any) -> Person | None:
    """Who has these claims."""
    return ACCESS.person({"iss": ISSUER, "sub": "x-1", **claims})


def test_the_highest_role_and_all_tenants_of_any_claim_count() -> None:
    """A claim is a text or a list; who is named by none of either is nobody."""
    by = f"{ISSUER} x-1"
    assert of(groups=["acme", "staff"]) == Person(by, "viewer", frozenset({"acme"}))
    assert of(groups=["reviewers", "both"]) == Person(by, "reviewer", frozenset({"acme", "umbrella"}))
    assert of(groups="acme", roles=["aftertrace.auditor"]) == Person(by, "auditor", frozenset({"acme"}))
    ana = {"email": "ana@audit.example.com", "email_verified": True}
    assert of(**ana) == Person(f"{by} (ana@audit.example.com)", "auditor", None)
    assert of() is None
    assert of(groups=["staff"]) is None
    assert of(groups=[["acme"], 7, None]) is None


def test_an_address_counts_only_where_the_provider_has_verified_it() -> None:
    """Truly: a text that says so is no yes. Nor is another domain that ends alike, or a name that holds a line."""
    for verified in (None, False, "true", 1):
        assert of(email="eve@audit.example.com", email_verified=verified) is None
        # Nor is it told of who read.
        told = of(email="eve@audit.example.com", email_verified=verified, groups="acme")
        assert told == Person(f"{ISSUER} x-1", "viewer", frozenset({"acme"}))
    for address in ("eve@audit.example.com.evil.test", "eve@auditXexample.com", "a\n@audit.example.com\nx"):
        assert of(email=address, email_verified=True) is None


def test_a_sign_in_counts_for_its_hours_and_from_its_provider() -> None:
    """By the time at which the token was given."""
    claims = {"iss": ISSUER, "aud": "pages", "sub": "x-1", "iat": 1_000_000}
    assert ACCESS.is_current(claims, 1_000_000 + 8 * 3600 - 1)
    assert not ACCESS.is_current(claims, 1_000_000 + 8 * 3600)
    for other in ({"iss": "https://evil.test"}, {"sub": ""}, {"iat": None}, {"iat": "1000000"}):
        assert not ACCESS.is_current({**claims, **other}, 1_000_001)
    for subject in ("\ud800", "s" * 256, 7):
        assert not ACCESS.is_current({**claims, "sub": subject}, 1_000_001)
    assert ACCESS.is_current({**claims, "sub": "s" * 255}, 1_000_001)
    assert not ACCESS.is_current({}, 0)


def test_a_token_for_others_counts_for_nothing() -> None:
    """Also where these pages were sent it; and one that was for them no longer once they have another id."""
    claims = {"iss": ISSUER, "sub": "x-1", "iat": 1_000_000}
    meant: Any
    for meant in ("pages", ["other", "pages"]):
        assert ACCESS.is_current({**claims, "aud": meant}, 1_000_001)
        assert not replace(ACCESS, client_id="pages-2").is_current({**claims, "aud": meant}, 1_000_001)
    for meant in ("other", "pages-2", ["other"], [["pages"]], {"pages": 1}, None):
        assert not ACCESS.is_current({**claims, "aud": meant, "azp": "pages"}, 1_000_001)


def test_each_role_may_what_the_table_says() -> None:
    """What is of the whole store is not for those who see part of its tenants."""
    told = {
        role: {what for what in ("contents", "sql", "packets", "evidence") if Person("x", role).may(what)}
        for role in ("viewer", "reviewer", "auditor")
    }
    assert told == {
        "viewer": set(),
        "reviewer": {"contents"},
        "auditor": {"contents", "sql", "packets", "evidence"},
    }
    bound = Person("x", "auditor", frozenset({"acme"}))
    assert {what for what in ("contents", "sql", "packets", "evidence") if bound.may(what)} == {"contents", "sql"}


SHOWN = frozenset(
    """
    after after_digest agent_id agent_name agent_version allowed_basis allowed_by approval approval_asked
    approval_id approvals arguments_digest asked_at basis before before_digest call_key calls certainty change_id
    changed_at configuration_after configuration_before configuration_id consequential content_left_out
    conversation_id cost_usd count count_after count_before day decided_at decided_by decision decisions
    delegated_by_call delegated_by_tool depth dialect dialects difference duration_ns ended_at environment evidence
    first_at first_ns first_run_id floor grant_scope granted_at granted_by happened_at high how how_basis
    http_status input_digests input_tokens is_failure is_final is_return is_silent kind last_at last_ns
    last_run_before last_run_id low measure missing model model_served moved near_miss near_misses object_type
    operation ordinal other_runs outcome output_tokens overlap_runs overlap_until p parent_id parent_name
    parent_run_id parent_run_key part partial_runs path permission_mode policies policy proposed_at q records
    reviewer reviewer_identity risk risk_basis rows rule rules run_id run_keys runs runs_after runs_before scopes
    service_name service_version set_apart shown_digest signal signals source started_at state state_basis system
    system_prompt_digest template_digest tenant tool_call_id tool_name tool_names tools tools_available tools_digest
    trace_id traces trigger trigger_id unit unresolved user_id verdict version version_after version_before wait_ns
    with_parts workflow
    """.split()  # noqa: SIM905  # so many are read more easily as words
)
"""Columns of derived tables that viewers see: figures, names, ids that are needed to find a row again, and outcomes."""


def test_each_column_is_shown_to_viewers_or_kept_from_them() -> None:
    """A new one belongs into `contents.COLUMNS`, or above."""
    assert {name for table in DERIVED.values() for name in table.schema} - contents.COLUMNS == SHOWN
    assert not SHOWN & contents.COLUMNS


def test_answers_without_contents_hold_no_text_of_senders(tmp_path: Path) -> None:
    """Numbers stay as they are, and what is no such answer is refused: a new one has to be thought about."""
    analysis = open_analysis(of_tenants(tmp_path / "data", "acme", "umbrella"))
    told = near_miss_figures.figures(analysis, Period.up_to(analysis.now_ns, None), Filter())
    bare = contents.without(told)
    assert (bare.totals, bare.rates.keys(), bare.near.height) == (told.totals, told.rates.keys(), told.near.height)
    assert analysis.effects["object_id"].null_count() < analysis.effects.height
    for rows in (
        bare.near,
        *contents.without((analysis.calls, analysis.approvals, analysis.runs, analysis.effects)),
    ):
        held = [name for name in rows.columns if name in contents.COLUMNS]
        assert held
        assert all(rows[name].null_count() == rows.height for name in held)
    assert told.near["arguments"].null_count() < told.near.height
    (row,) = contents.without(analysis.calls.head(1).to_dicts())
    assert (row["arguments"], row["reason"], row["tool_name"]) == (None, None, analysis.calls["tool_name"][0])
    run_id = analysis.runs["run_id"][0]
    for answer in (analysis.record(run_id), analysis.answers(run_id), {"of": object()}):
        with pytest.raises(Invalid, match="contents: not for a viewer"):
            contents.without(answer)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says who looks."""

    def looks(who: Person | None) -> None:
        monkeypatch.setattr(signing_in, "person", lambda: who)

    return looks


def test_no_data_is_given_to_those_whom_it_is_not_for(
    tmp_path: Path, looking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever page asks: it is the data that is kept, and not a button that is left out."""
    store = of_tenants(tmp_path / "data", "acme", "umbrella")
    monkeypatch.setattr("sys.argv", ["app.py", "--data", str(store)])
    looking(None)
    for ask in (data.analysis, lambda: data.run("last"), data.reads, lambda: data.answer("SELECT 1")):
        with pytest.raises(Invalid, match="nobody has signed in"):
            ask()
    looking(Person("x", "viewer"))
    for ask in (lambda: data.run("last"), lambda: data.comments("1"), lambda: data.answer("SELECT 1"), data.reads):
        with pytest.raises(Invalid, match="not for you as viewer"):
            ask()
    looking(Person("x", "reviewer"))
    for ask in (lambda: data.answer("SELECT 1"), data.reads, lambda: data.packet("1")):
        with pytest.raises(Invalid, match="not for you as reviewer"):
            ask()
    looking(Person("x", "auditor", frozenset({"acme"})))
    rows = data.answer("SELECT DISTINCT tenant FROM calls UNION SELECT DISTINCT tenant FROM events").rows
    assert rows["tenant"].unique().to_list() == ["acme"]
    assert SECRET not in str(data.analysis().runs.rows())
    for ask in (data.reads, lambda: data.packet("1")):
        with pytest.raises(Invalid, match="not for you as auditor"):
            ask()
    looking(Person("x", "auditor"))
    assert SECRET in str(data.analysis().runs.rows())
    assert data.reads()["by"].null_count() == data.reads().height


def test_a_file_that_is_asked_for_later_is_given_while_the_sign_in_counts(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made where no page is drawn, for whoever was shown the button."""
    monkeypatch.setattr("sys.argv", ["app.py", "--data", str(recorded)])
    claims = {"iss": ISSUER, "aud": "pages", "sub": "r-2", "iat": 1_000_000}
    monkeypatch.setattr(signing_in, "_access", lambda: replace(ACCESS, tenants=()))
    monkeypatch.setattr(signing_in, "_claims", lambda: claims)
    monkeypatch.setattr("time.time", lambda: 1_000_000)
    analysis = open_analysis(recorded)
    written = data.record_page(analysis, analysis.runs["run_id"][0])
    monkeypatch.setattr(signing_in, "_claims", dict)
    assert "<html" in written()
    monkeypatch.setattr("time.time", lambda: 1_000_000 + 8 * 3600)
    with pytest.raises(Invalid, match="nobody has signed in"):
        written()


def test_what_was_told_to_one_is_not_told_to_another(tmp_path: Path, looking: Any, open_page: OpenPage) -> None:
    """Answers are kept for everybody who asks the same: of the same tenants."""
    store = of_tenants(tmp_path / "data", "acme", "umbrella")

    def shown() -> str:
        page = open_page("now", store, is_first=False)
        return str([each.value for each in (*page.text, *page.metric)])

    looking(Person("x", "auditor"))
    whole = shown()
    looking(Person("x", "auditor", frozenset({"acme"})))
    assert shown() != whole
    looking(Person("x", "auditor"))
    assert shown() == whole


def test_pages_that_others_could_reach_are_not_shown(
    recorded: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where somebody starts them without `serve`: Streamlit alone listens everywhere."""
    for address in (None, "", "0.0.0.0", "192.0.2.1", "audit.example.com"):  # noqa: S104  # what is refused
        monkeypatch.setattr("streamlit.get_option", lambda _, address=address: address)
        page = open_page("now", recorded)
        assert [each.value for each in page.error] == [
            "These pages are not shown here: others could reach them, and nobody signs in."
        ]
        assert not page.metric
        assert "dbbot" not in str(page.main)


def test_a_comment_is_shown_to_those_who_see_all_runs_that_it_is_about(
    tmp_path: Path, looking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written of a run and one of another tenant may tell of that."""
    store = of_tenants(tmp_path / "data", "acme", "umbrella")
    runs = open_analysis(store).runs
    own, theirs = (runs.filter(pl.col("agent_name") == name)["run_id"][0] for name in ("acme", f"umbrella {SECRET}"))
    fields = {"time_ns": "1764072000000000000", "author": "Ana Ruiz", "account": "ana", "kind": "note"}
    for text, about in (("of one", (own,)), ("of both", (own, theirs))):
        subjects = tuple(Subject("run", run_id) for run_id in about)
        add(Layout(store), Comment(text=text, about=subjects, **fields))  # type: ignore[arg-type]  # a kind
    monkeypatch.setattr("sys.argv", ["app.py", "--data", str(store)])
    looking(Person("x", "reviewer"))
    assert data.comments(own)["text"].to_list() == ["of one", "of both"]
    looking(Person("x", "reviewer", frozenset({"acme"})))
    assert data.comments(own)["text"].to_list() == ["of one"]


@pytest.mark.parametrize("page", ["now", "near_misses", "runs", "agents"])
@pytest.mark.parametrize("store", ["recorded", "weeks"])
def test_pages_of_viewers_are_whole_without_contents(
    request: pytest.FixtureRequest, looking: Any, open_page: OpenPage, page: str, store: str
) -> None:
    """Nothing on them fails where a column is empty; what an auditor is shown there has contents."""
    data_folder = request.getfixturevalue(store)
    analysis = open_analysis(data_folder)
    columns = (analysis.calls["arguments"], analysis.calls["reason"], analysis.runs["prompt"])
    told = {text[:40] for column in columns for text in column.drop_nulls() if len(text) > 12}
    shown, objects = {}, {}
    for role in ("viewer", "auditor"):
        looking(Person("x", role))
        drawn = open_page(page, data_folder, show="control failures", view="one by one")
        assert not drawn.exception
        texts = [each.value for kind in ("text", "code", "caption", "markdown") for each in drawn.get(kind)]
        objects[role] = sum(each.value["object_id"].count() for each in drawn.dataframe if "object_id" in each.value)
        frames = [each.value.to_csv() for each in drawn.dataframe]
        components = [each.proto.json for each in drawn.get("bidi_component")]
        shown[role] = "\n".join(map(str, (*texts, *frames, *components)))
    assert [text for text in told if text in shown["viewer"]] == []
    # What a receipt names is whatever the tool said; the weeks have one that was paid twice.
    assert (objects["viewer"], objects["auditor"] > 0) == (0, (store, page) == ("weeks", "now"))
    if store == "recorded" and page in ("near_misses", "runs"):
        assert [text for text in told if text in shown["auditor"]] != []
