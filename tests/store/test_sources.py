"""Who may send: tokens that are given out, shown, taken back, and told from each other."""

from __future__ import annotations

import hashlib
import ssl
import stat
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.store.errors import Corrupt, Invalid, Unauthenticated, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.request import Principal
from aftertrace.store.sources import (
    ANONYMOUS,
    TOKEN_PREFIX,
    Sources,
    add_certificate,
    add_token,
    credentials,
    remove_credentials,
    tenant_of,
)

HEADER = "authorization: Bearer TOKEN"


def bearer(token: str) -> str:
    """The header that shows a token."""
    return f"Bearer {token}"


def test_each_token_tells_its_source_and_is_kept_nowhere(layout: Layout) -> None:
    """Only digests are on disk, for their owner alone."""
    first, second = add_token(layout, "ci", 1), add_token(layout, "acme/refunds", 2)
    sources = Sources(layout, required=True)
    assert [sources.identify(bearer(token)).source for token in (first, second)] == ["ci", "acme/refunds"]
    assert [tenant_of(token.source) for token in credentials(layout)] == [None, "acme"]
    assert [(token.source, token.added_ns) for token in credentials(layout)] == [("ci", 1), ("acme/refunds", 2)]
    assert first.startswith(TOKEN_PREFIX)
    stored = layout.sources.read_text()
    assert first not in stored
    assert first.removeprefix(TOKEN_PREFIX) not in stored
    assert stat.S_IMODE(layout.sources.stat().st_mode) == 0o600


def test_a_token_holds_from_the_next_request_on_until_it_is_taken_back(layout: Layout) -> None:
    """A running receiver needs no restart; the other tokens of the source stay."""
    sources = Sources(layout, required=True)
    with pytest.raises(Unauthenticated, match=HEADER):
        sources.identify(None)
    old, new = add_token(layout, "ci", 1), add_token(layout, "ci", 2)
    assert [sources.identify(bearer(token)).source for token in (old, new)] == ["ci", "ci"]
    (gone,) = remove_credentials(layout, "ci", credentials(layout)[0].id)
    assert (gone.source, gone.added_ns) == ("ci", 1)
    with pytest.raises(Unauthenticated, match="unknown token; make one with `aftertrace source add NAME`"):
        sources.identify(bearer(old))
    assert sources.identify(bearer(new)).source == "ci"
    remove_credentials(layout, "ci")
    with pytest.raises(Unauthenticated, match="unknown token"):
        sources.identify(bearer(new))


def test_where_no_token_is_asked_for_one_that_is_shown_must_still_hold(layout: Layout) -> None:
    """Without a source any header was meant for somebody else; with one, a wrong token is no anonymity."""
    sources = Sources(layout, required=False)
    assert [sources.identify(header).source for header in (None, "Basic dXNlcjpwYXNz", "Bearer x")] == [ANONYMOUS] * 3
    token = add_token(layout, "ci", 1)
    assert [sources.identify(header).source for header in (None, bearer(token))] == [ANONYMOUS, "ci"]
    for header in ("Bearer x", bearer(token + "x"), bearer(token[:-1])):
        with pytest.raises(Unauthenticated, match="unknown token"):
            sources.identify(header)
    for header in ("", "Basic dXNlcjpwYXNz", token, f"Bearer {token} {token}"):
        with pytest.raises(Unauthenticated, match=HEADER):
            sources.identify(header)


def test_a_token_that_is_taken_back_is_no_anonymity(layout: Layout) -> None:
    """Also where it was the last one, and none is asked for."""
    token = add_token(layout, "ci", 1)
    remove_credentials(layout, "ci")
    sources = Sources(layout, required=False)
    assert sources.identify(None).source == ANONYMOUS
    with pytest.raises(Unauthenticated, match="unknown token"):
        sources.identify(bearer(token))


def test_a_file_that_cannot_be_read_makes_senders_wait(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was written by another user: what is sent meanwhile must not be thrown away."""
    add_token(layout, "ci", 1)

    def forbidden(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(
        Unavailable, match=r"read .*sources\.json: Permission denied; make it readable for whoever serves"
    ):
        Sources(layout, required=False).identify(None)


def test_the_scheme_may_be_written_in_any_case(layout: Layout) -> None:
    """RFC 9110, 11.1."""
    token = add_token(layout, "ci", 1)
    assert [Sources(layout, required=True).identify(f"{scheme} {token}").source for scheme in ("bearer", "BEARER")] == [
        "ci"
    ] * 2


@given(st.text())
def test_no_header_passes_for_a_token(header: str) -> None:
    """Whatever its characters; and nothing else is raised."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        add_token(layout, "ci", 1)
        with pytest.raises(Unauthenticated):
            Sources(layout, required=True).identify(header)


@pytest.mark.parametrize(
    "name", ["", "anonymous", "import", "unknown", "A", "a b", "a/b/c", "/a", "a/", "../x", "a\n", "é", "a" * 64]
)
def test_a_name_that_could_mislead_is_refused(layout: Layout, name: str) -> None:
    """It becomes a column, and stands beside names that the server gives."""
    with pytest.raises(Invalid, match=r"not a name that a source can have, expected NAME or TENANT/NAME"):
        add_token(layout, name, 1)
    assert credentials(layout) == ()


def test_a_source_that_is_not_there_cannot_be_removed(layout: Layout) -> None:
    """A slip of the pen must not look like a token that was taken back."""
    token = add_token(layout, "ci", 1)
    with pytest.raises(Invalid, match=r"remove source 'cd': no source; see `aftertrace source list`"):
        remove_credentials(layout, "cd")
    with pytest.raises(Invalid, match=r"remove source 'ci': no source with a credential 00000000"):
        remove_credentials(layout, "ci", "00000000")
    assert Sources(layout, required=True).identify(bearer(token)).source == "ci"


@pytest.mark.parametrize("content", ["", "{}", "[{}]", '[{"source": 1}]', "\xff"])
def test_a_damaged_file_lets_nobody_in_and_is_told(layout: Layout, content: str) -> None:
    """Failing open would make everybody anonymous."""
    add_token(layout, "ci", 1)
    layout.sources.write_text(content, "latin-1")
    with pytest.raises(Corrupt, match=r"read .*sources\.json: .*expected a list of credentials; restore it"):
        Sources(layout, required=False).identify(None)


def test_a_credential_tells_what_it_is_and_of_which_agents(layout: Layout) -> None:
    """A certificate is not taken for a token, nor a token for a certificate."""
    certificate = trustme.CA().issue_cert("agent.example").cert_chain_pems[0].bytes().decode()
    token = add_token(layout, "ci", 1, ["refunds*"])
    added = add_certificate(layout, "acme/refunds", certificate, 2)
    sources, shown = Sources(layout, required=True), ssl.PEM_cert_to_DER_cert(certificate)
    (first, _) = credentials(layout)
    assert sources.identify(bearer(token)) == Principal("ci", f"token {first.id}", ("refunds*",))
    assert sources.identify(None, shown) == Principal("acme/refunds", f"certificate {added.id}")
    assert added.id == hashlib.sha256(shown).hexdigest()[:16]
    with pytest.raises(Unauthenticated):
        sources.identify(None, token.encode())
    with pytest.raises(Unauthenticated, match="token and certificate are of two sources"):
        sources.identify(bearer(token), shown)
    with pytest.raises(Invalid, match="a source has this certificate already; remove it there first"):
        add_certificate(layout, "other", certificate, 3)
    with pytest.raises(Invalid, match="no certificate, expected one in PEM; give the client's, not its key"):
        add_certificate(layout, "other", "-----BEGIN PRIVATE KEY-----", 3)


def test_what_binds_a_token_or_a_certificate_binds_both_together(layout: Layout) -> None:
    """Whoever has both is held to the narrower one; where two bind to other agents, neither counts alone."""
    certificate = trustme.CA().issue_cert("agent.example").cert_chain_pems[0].bytes().decode()
    free, alike, other = (add_token(layout, "ci", 1, agents) for agents in ([], ["b", "a*"], ["c"]))
    add_certificate(layout, "ci", certificate, 2, ["a*", "b"])
    sources, shown = Sources(layout, required=True), ssl.PEM_cert_to_DER_cert(certificate)
    assert [sources.identify(bearer(token), shown).agents for token in (free, alike)] == [("a*", "b"), ("b", "a*")]
    assert sources.identify(bearer(free)).agents == ()
    with pytest.raises(Unauthenticated, match="bound to other agents, expected the same"):
        sources.identify(bearer(other), shown)


@pytest.mark.parametrize("pattern", ["", "a\nb", "x" * 257])
def test_a_pattern_that_stands_for_nothing_is_refused(layout: Layout, pattern: str) -> None:
    """Nothing is added then."""
    with pytest.raises(Invalid, match="expected a name of 256 printable characters at most, with \\* for any text"):
        add_token(layout, "ci", 1, ["refunds", pattern])
    assert credentials(layout) == ()


def test_a_file_of_an_older_aftertrace_is_read(layout: Layout) -> None:
    """It tells of tokens alone, and of no agents."""
    token = add_token(layout, "ci", 1)
    (known,) = credentials(layout)
    layout.sources.write_text(f'[{{"source": "ci", "digest": "{known.digest}", "added_ns": 1}}]')
    assert Sources(layout, required=True).identify(bearer(token)) == Principal("ci", f"token {known.id}")
