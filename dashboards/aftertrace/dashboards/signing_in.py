"""Who looks at the pages: on loopback anybody, unless it is wanted otherwise; elsewhere people sign in by OIDC.

Streamlit asks the provider and keeps what its token told in a cookie that it signs. What that says counts for as long
as `Access` lets it, and is looked at again whenever a page is drawn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from aftertrace.dashboards import launch
from aftertrace.dashboards.access import ANYBODY, Access, Person
from aftertrace.dashboards.plain import plain


def person() -> Person | None:
    """Who looks; None where nobody has signed in for whom the pages are."""
    return later()()


def later() -> Callable[[], Person | None]:
    """What tells the same of whoever looks now whenever it is asked, also where no page is drawn."""
    access, claims = _access(), _claims()
    if access is None:
        anybody = ANYBODY if launch.is_loopback(st.get_option("server.address") or "") else None
        return lambda: anybody
    return lambda: access.person(claims) if access.is_current(claims, time.time()) else None


def turned_away() -> None:
    """What somebody is shown for whom the pages are not, or not yet: nothing of the store."""
    access = _access()
    if access is None:
        st.error(
            "These pages are not shown here: others could reach them, and nobody signs in.", icon=":material/lock:"
        )
        st.text("Start them with --server.address=127.0.0.1, or by `aftertrace serve` with access.issuer set.")
        return
    claims = _claims()
    if not access.is_current(claims, time.time()):
        st.subheader("Sign in to see what agents did", anchor=False)
        if claims:
            st.text("Your sign-in is over.")
        st.button("Sign in", icon=":material/login:", type="primary", on_click=st.login)
        return
    st.subheader("These pages are not for you yet", anchor=False)
    st.text(f"You are signed in as {_named(claims)}, who has no role here, or no tenant.")
    st.text("Ask whoever runs aftertrace in your organisation: roles and tenants stand in its configuration.")
    st.button("Sign out", icon=":material/logout:", on_click=st.logout)


def signed_in(who: Person) -> None:
    """Who has signed in, as what, and the way out; nothing where nobody does."""
    if not who.by:
        return
    tenants = "all tenants" if who.tenants is None else f"tenants {', '.join(sorted(who.tenants))}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text(plain(f"Signed in as {_named(_claims())} · {who.role} · {tenants}", most=200), width="content")
        st.button("Sign out", icon=":material/logout:", type="tertiary", on_click=st.logout)


def _access() -> Access | None:
    return launch.settings(sys.argv[1:]).access


def _claims() -> Mapping[str, Any]:
    """What the token of whoever signed in told; empty where nobody has."""
    told = dict(st.user.to_dict())
    return told if told.get("is_logged_in") is True else {}


def _named(claims: Mapping[str, Any]) -> str:
    return plain(str(claims.get("email") or claims.get("name") or claims.get("sub")), most=120)
