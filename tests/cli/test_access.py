"""Who may look at the pages: what is configured holds together, or is refused with the way out."""

from __future__ import annotations

import ssl
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receiver.authority import Authority

from aftertrace.cli.access import AccessSection, access_for, provider, tls_for
from aftertrace.cli.addresses import Address
from aftertrace.cli.config import Config, DashboardSection
from aftertrace.dashboards import launch
from aftertrace.dashboards.access import Access
from aftertrace.store.errors import Invalid

from .conftest import Command
from .served import serving

LOOPBACK = Address("127.0.0.1", 8501)
ANYWHERE = Address("0.0.0.0", 8501)  # noqa: S104  # what is refused
TLS = DashboardSection(tls_certificate="page.pem", tls_key="page.key")


@pytest.fixture
def section() -> AccessSection:
    """All that it takes."""
    path = Path("secret")
    path.write_text("s3cr3t-of-the-client\n")
    path.chmod(0o640)
    return AccessSection(
        issuer="https://login.example.com/realms/it",
        client_id="aftertrace",
        client_secret_file="secret",
        url="https://audit.example.com/",
        auditors=("groups=audit",),
        tenants=(("groups=audit", "*"),),
    )


def test_nobody_signs_in_on_loopback_unless_that_is_wanted(section: AccessSection) -> None:
    """Without anything configured; and with it, there and elsewhere alike."""
    for host in ("127.0.0.1", "::1", "localhost"):
        assert access_for(Config(), Address(host, 8501)) is None
    wanted = access_for(Config(access=section), LOOPBACK)
    assert wanted is not None
    assert (wanted.url, wanted.auditors) == ("https://audit.example.com", ("groups=audit",))
    assert access_for(Config(access=section, dashboard=TLS), ANYWHERE) == wanted


def test_beyond_loopback_the_pages_do_not_start_without_sign_in_and_tls(
    section: AccessSection, aftertrace: Command
) -> None:
    """With the way out, said by `serve` in one line."""
    way_out = "'0.0.0.0' is not a loopback address, .* set access.issuer, .* dashboard.tls_certificate and"
    for given in (Config(), Config(dashboard=TLS), Config(access=section)):
        with pytest.raises(Invalid, match=way_out):
            access_for(given, ANYWHERE)
    Path("aftertrace.toml").write_text('[store]\ndata = "data"\n')
    refused = aftertrace("serve", "--dashboard", "0.0.0.0:0")
    assert (refused.code, "error: configure dashboard: '0.0.0.0'" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": ""}, "client_id counts for nobody without a provider; set access.issuer"),
        ({"client_id": ""}, "client_id is empty"),
        ({"client_secret_file": ""}, "client_secret_file is empty"),
        ({"url": ""}, "url is empty"),
        ({"url": "http://audit.example.com"}, "url is 'http://audit.example.com', expected https:// and a host"),
        ({"issuer": "login.example.com"}, "issuer is 'login.example.com', expected https:// and a host"),
        ({"issuer": "https://login.example.com/?a=1"}, "expected https:// and a host"),
        ({"session_hours": 0}, "session_hours is 0, expected at least 1"),
        ({"auditors": ()}, "nobody may look; set access.viewers, access.reviewers or access.auditors"),
        ({"scope": "email"}, "scope is 'email', expected openid in it"),
        ({"viewers": ("ana@example.com",)}, "'ana@example.com', expected CLAIM=VALUE"),
        ({"tenants": (("groups=", "acme"),)}, "'groups=', expected CLAIM=VALUE"),
        ({"client_secret_file": "nowhere"}, "read nowhere: No such file or directory, expected the client's secret"),
    ],
)
def test_what_cannot_hold_is_refused(section: AccessSection, changes: dict[str, Any], said: str) -> None:
    """Before anybody comes."""
    with pytest.raises(Invalid, match=f"(?s).*{said.replace('?', '.')}"):
        access_for(Config(access=replace(section, **changes)), LOOPBACK)


def test_one_half_of_tls_is_refused() -> None:
    """Nobody believes that it is on."""
    with pytest.raises(Invalid, match=r"TLS needs both dashboard\.tls_certificate and dashboard\.tls_key; set both"):
        access_for(Config(dashboard=DashboardSection(tls_key="page.key")), LOOPBACK)
    assert tls_for(DashboardSection()) is None
    assert tls_for(TLS) == launch.Tls(Path("page.pem").absolute(), Path("page.key").absolute())


def test_the_secret_is_read_where_it_stands_and_told_to_nobody(section: AccessSection) -> None:
    """Neither by what is handed to the pages, nor by an error; a file that others may read is refused."""
    access = access_for(Config(access=section), LOOPBACK)
    assert access is not None
    assert "s3cr3t" not in access.written()
    assert "s3cr3t" not in " ".join(launch.arguments(Path("data"), access=access))
    told = provider(access, section, bytes(32))
    assert told["client_secret"] == "s3cr3t-of-the-client"
    assert told["redirect_uri"] == "https://audit.example.com/oauth2callback"
    assert told["server_metadata_url"] == "https://login.example.com/realms/it/.well-known/openid-configuration"
    # Other stores have other keys of cookies; the same store has the same after a restart.
    assert told["cookie_secret"] == provider(access, section, bytes(32))["cookie_secret"]
    assert told["cookie_secret"] != provider(access, section, bytes(31) + b"1")["cookie_secret"]
    Path("secret").write_text("another")
    assert told["cookie_secret"] != provider(access, section, bytes(32))["cookie_secret"]
    for content, mode in (("s3cr3t", 0o644), ("", 0o600), ("s3cr3t\nsecond", 0o600)):
        Path("secret").write_text(content)
        Path("secret").chmod(mode)
        with pytest.raises(Invalid, match="read secret: ") as refused:
            access_for(Config(access=section), LOOPBACK)
        assert "s3cr3t" not in str(refused.value)


def test_the_pages_are_told_who_may_look(section: AccessSection, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they are started with gives the same again."""
    access = access_for(Config(access=section), LOOPBACK)
    assert access is not None
    assert Access.read(access.written()) == access
    command = launch.arguments(Path("data"), access=access, tls=tls_for(TLS))
    # Every account of the machine may read the command line.
    assert not [each for each in command if "groups" in each or access.issuer in each]
    told = command[command.index("--") + 1 :]
    for name, value in launch.environment(access).items():
        monkeypatch.setenv(name, value)
    assert launch.settings(told).access == access
    monkeypatch.delenv(launch.ACCESS)
    # Whoever leaves that out shows nothing to anybody.
    with pytest.raises(SystemExit):
        launch.settings(told)
    assert "--browser.serverAddress=audit.example.com" in command
    assert f"--server.sslKeyFile={Path('page.key').absolute()}" in command


@pytest.mark.slow
def test_served_pages_speak_tls_and_hold_the_secret_in_memory_alone(section: AccessSection, tmp_path: Path) -> None:
    """As `serve` starts them: neither arguments nor environment of any process have it."""
    authority = Authority(tmp_path)
    Path("aftertrace.toml").write_text(f"""
[dashboard]
tls_certificate = "{authority.certificate}"
tls_key = "{authority.key}"
[access]
issuer = "{section.issuer}"
client_id = "pages"
client_secret_file = "secret"
url = "{section.url}"
viewers = ["groups=staff"]
""")
    with serving(tmp_path / "data", "--dashboard", "127.0.0.1:0") as served:
        url, trusted = served.ready["dashboard"], ssl.create_default_context(cafile=str(authority.roots))
        assert url.startswith("https://")
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=10, context=trusted) as answer:  # noqa: S310  # ours
            assert answer.status == 200
        for process_id in (served.process.pid, *served.children()):
            for name in ("cmdline", "environ"):
                assert b"s3cr3t" not in Path(f"/proc/{process_id}/{name}").read_bytes()
