"""People sign in by a provider, in a real browser; what each sees, and who is turned away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from dashboards.browser import Browser, browser, chromium
from dashboards.provider import CLIENT, SECRET, Provider, provider
from dashboards.stores import SECRET as THEIRS
from dashboards.stores import of_tenants
from dashboards.test_browser import free_port
from joserfc import jwk

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.ledger import reading
from aftertrace.cli import config, page
from aftertrace.cli.access import access_for
from aftertrace.cli.addresses import Address

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: pages are not looked at"),
]
ANA = {"sub": "a-1", "email": "ana@example.com", "email_verified": True, "groups": ["audit", "staff"]}
RAY = {"sub": "r-2", "email": "ray@example.com", "email_verified": True, "groups": ["acme", "reviewers"]}
VIC = {"sub": "v-3", "email": "vic@example.com", "email_verified": True, "groups": ["acme"]}
CONTENTS = ('{"acme":"acme"}', "acme acme")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two tenants."""
    return of_tenants(tmp_path_factory.mktemp("tenants") / "data", "acme", "umbrella")


@pytest.fixture(scope="module")
def login() -> Iterator[Provider]:
    """The provider."""
    with provider() as told:
        yield told


@pytest.fixture(scope="module")
def pages(store: Path, login: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the pages, as `serve` starts them with a configuration."""
    at = Address("127.0.0.1", free_port())
    folder = tmp_path_factory.mktemp("configured")
    (folder / "secret").write_text(f"{SECRET}\n")
    (folder / "secret").chmod(0o600)
    file = folder / "aftertrace.toml"
    file.write_text(f"""
[access]
issuer = "{login.issuer}"
client_id = "{CLIENT}"
client_secret_file = "secret"
url = "http://{at}"
viewers = ["groups=acme"]
reviewers = ["groups=review*"]
auditors = ["email=ana@example.com"]
tenants = {{ "groups=acme" = "acme", "groups=audit" = "*" }}
[reads]
record = "all"
""")
    given = config.load(file, {})
    shown = page.child(
        store, at, http="127.0.0.1:4318", grpc="127.0.0.1:4317", inventory=None, anchor=None, configured=file,
        reads=given.reads.record, access=access_for(given, at), tls=None,
    )  # fmt: skip
    assert SECRET not in " ".join(shown.arguments)
    shown.start()
    try:
        page.wait_until_shown(shown, f"http://{at}", patience_s=60)
        yield f"http://{at}"
    finally:
        shown.stop(10)


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Browser]:
    """A browser that was never used before."""
    with browser(tmp_path / "profile") as opened:
        yield opened


def click(tab: Browser, label: str) -> None:
    """Press a button that leads elsewhere, and wait until what it leads to is there, however long that takes."""
    tab.evaluate("window.isLeft = true")
    button = f"[...document.querySelectorAll('button')].find(each => each.innerText.includes('{label}'))"
    deadline, pressed = time.monotonic() + 90, 0.0
    while tab.evaluate("window.isLeft === true || document.querySelector('[data-testid=stMain]') === null"):
        assert time.monotonic() < deadline, label
        # On a busy machine a page may be drawn again just then, and nobody hears it.
        if time.monotonic() - pressed > 10:
            tab.evaluate(f"window.isLeft && {button}?.click()")
            pressed = time.monotonic()
        time.sleep(0.1)
    tab.settle()


def sign_in(tab: Browser, pages: str, login: Provider, claims: dict[str, object]) -> str:
    """What the first page says to whoever signs in with these claims."""
    login.claims = dict(claims)
    tab.open(pages, width=1280, height=900)
    assert "Sign in to see what agents did" in tab.text()
    click(tab, "Sign in")
    return tab.text()


def test_nobody_sees_anything_before_they_signed_in(pages: str, tab: Browser) -> None:
    """On no page, whatever its address says."""
    for name in ("", "runs", "run?run=last", "sql?sql=SELECT+1", "evidence", "compare?a=last"):
        tab.open(f"{pages}/{name}", width=1280, height=900)
        told = tab.text()
        assert "Sign in to see what agents did" in told
        assert "clerk" not in told
        assert "acme" not in told


def test_an_auditor_sees_all_tenants_and_their_reads_are_recorded(
    pages: str, login: Provider, tab: Browser, store: Path
) -> None:
    """Signed in by a real code and token; every page is there, and what is read stands under their subject."""
    told = sign_in(tab, pages, login, ANA)
    assert {"/authorize", "/token", "/keys"} <= set(login.asked)
    assert "ana@example.com · auditor · all tenants" in told
    tab.open(f"{pages}/runs", width=1280, height=900)
    assert THEIRS in tab.text()
    tab.open(f"{pages}/evidence", width=1280, height=900)
    assert "Does it hold?" in tab.text()
    tab.open(f"{pages}/sql", width=1280, height=900)
    assert "One statement that reads" in tab.text()
    by = reading.reads(store).filter(pl.col("how") == "page Evidence")["by"].to_list()
    assert by == [f"{login.issuer} a-1 (ana@example.com)"]
    click(tab, "Sign out")
    assert "Sign in to see what agents did" in tab.text()


def test_a_reviewer_of_a_tenant_sees_contents_of_its_runs_alone(
    pages: str, login: Provider, tab: Browser, store: Path
) -> None:
    """On every page; nor by the address of a run of others, nor in pages that are about all."""
    assert "ray@example.com · reviewer · tenants acme" in sign_in(tab, pages, login, RAY)
    theirs = open_analysis(store).runs.filter(pl.col("agent_name").str.contains(THEIRS))["run_id"][0]
    own = open_analysis(store).runs.filter(pl.col("agent_name") == "acme")["run_id"][0]
    names = (
        "near_misses",
        "runs",
        "approvals",
        "changes",
        "agents",
        f"compare?a={own}&b={theirs}",
        f"run?run={theirs}",
    )
    for name in (
        "",
        *names,
        f"run?run={own}",
        f"runs?q={THEIRS}",
        "runs?tenant=umbrella",
        "near_misses?view=one+by+one",
    ):
        tab.open(f"{pages}/{name}", width=1280, height=1600)
        told = tab.text()
        assert "umbrella" not in told.replace("tenant=umbrella", ""), name
        assert THEIRS not in told, name
    assert "acme" in told
    tab.open(f"{pages}/run?run={own}", width=1280, height=1600)
    assert any(each in tab.text() for each in CONTENTS)
    for name in ("evidence", "sql?sql=SELECT+*+FROM+calls"):
        tab.open(f"{pages}/{name}", width=1280, height=900)
        assert ": not for you as reviewer" in tab.text()


def test_a_viewer_sees_figures_and_no_contents(pages: str, login: Provider, tab: Browser, store: Path) -> None:
    """Names and outcomes, and neither arguments, prompts nor reasons; a run is not opened."""
    assert "vic@example.com · viewer · tenants acme" in sign_in(tab, pages, login, VIC)
    own = open_analysis(store).runs.filter(pl.col("agent_name") == "acme")["run_id"][0]
    for name in ("", "near_misses", "near_misses?view=one+by+one", "near_misses?view=targets", "runs", "agents"):
        tab.open(f"{pages}/{name}", width=1280, height=1600)
        told = tab.text()
        assert "Signed in as" in told, name
        # Neither a way to what is not for them, nor anything of the code.
        assert not any(each in told for each in ("Evidence", "SQL", "access.MAY"))
        assert not any(each in told for each in CONTENTS), name
    for name in (f"run?run={own}", "approvals", "changes", f"compare?a={own}&b=last", "sql", "evidence"):
        tab.open(f"{pages}/{name}", width=1280, height=900)
        assert ": not for you as viewer" in tab.text(), name


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "x-9", "email": "eve@example.com", "email_verified": True, "groups": ["sales"]},
        {"sub": "x-9", "email": "ana@example.com", "groups": ["acme-2"]},
        {"sub": "x-9", "email": "ana@example.com", "email_verified": True, "groups": ["reviewers"]},
    ],
    ids=["no role", "an address that nobody verified", "no tenant"],
)
def test_somebody_unknown_is_told_whom_to_ask(
    pages: str, login: Provider, tab: Browser, claims: dict[str, object]
) -> None:
    """And sees nothing else."""
    told = sign_in(tab, pages, login, claims)
    assert "These pages are not for you yet" in told
    assert "Ask whoever runs aftertrace" in told
    assert "acme" not in told.replace("acme-2", "")


@pytest.mark.parametrize(
    "claims",
    [{"iss": "http://127.0.0.1:1"}, {"aud": "other pages"}, {"exp": 1_700_000_000}, {"nonce": "replayed"}],
    ids=["another issuer", "for others", "over", "replayed"],
)
def test_a_token_that_is_not_for_these_pages_signs_nobody_in(
    pages: str, login: Provider, tab: Browser, claims: dict[str, object]
) -> None:
    """Whatever roles it tells."""
    assert "Sign in to see what agents did" in sign_in(tab, pages, login, {**ANA, **claims})


def test_a_token_that_somebody_else_signed_signs_nobody_in(pages: str, login: Provider, tab: Browser) -> None:
    """With a key that the provider does not tell of."""
    login.signs_with = jwk.RSAKey.generate_key(2048, parameters={"kid": "1"})
    try:
        assert "Sign in to see what agents did" in sign_in(tab, pages, login, ANA)
    finally:
        login.signs_with = None


def test_a_sign_in_is_over_after_its_hours(pages: str, login: Provider, tab: Browser) -> None:
    """Though the cookie is still there."""
    told = sign_in(tab, pages, login, {**ANA, "iat": int(time.time()) - 8 * 3600 - 1})
    assert "Your sign-in is over." in told
    assert "acme" not in told
