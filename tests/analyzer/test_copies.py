"""A call is counted once, however many ends of a connection tell of it, and seen where only one does."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .stories import calls_of, event, span

ELSEWHERE: Final = "e" * 32
RAN: Final = event("tool.called", "completed", s=1, end_ns=None)
PROPOSED: Final = event("action.proposed", "proposed")


def told_by(side: str, s: float, until_s: float, **columns: Any) -> dict[str, Any]:
    """What a client or server tells of a request; the server is another service."""
    began = event("", s=s)["time_ns"]
    return event(
        "tool.called",
        "completed",
        s=s,
        end_ns=began + int((until_s - s) * 1e9),
        call_id=None,
        dialect="mcp",
        scope_name="mcp-python-sdk",
        conversation_id=None,
        attributes=f'{{"side":"{side}"}}',
        **({"service_name": "payments", "agent_name": None} if side == "server" else {}),
        **columns,
    )


CLIENT: Final = told_by("client", 1.1, 1.9)
SERVER: Final = told_by("server", 1.2, 1.8)
LASTING: Final = {**RAN, "end_ns": RAN["time_ns"] + 10**9}


@pytest.mark.parametrize("name", ["pay", "mcp__bank__pay", "bank__pay"])
def test_client_and_server_of_an_agents_call_are_that_call(name: str) -> None:
    """Whatever the agent calls the server's tool."""
    own = [{**PROPOSED, "tool_name": name}, {**RAN, "tool_name": name}]
    calls = calls_of(*own, CLIENT, SERVER, spans=(span("invoke_agent"),))
    assert calls.select("tool_name", "tool_call_id", "outcome").rows() == [(name, "c-1", "executed")]


def test_an_agent_whose_tool_spans_have_no_ids_has_its_call_once() -> None:
    """OpenAI Agents, smolagents."""
    own = {**RAN, "call_id": None}
    assert calls_of(own, CLIENT, SERVER).height == 1


def test_a_server_that_was_given_no_trace_is_met_by_time() -> None:
    """Not every client passes its trace on."""
    apart = {**SERVER, "trace_id": ELSEWHERE}
    later = told_by("server", 7, 8, trace_id=ELSEWHERE)
    assert calls_of(PROPOSED, LASTING, apart).height == 1
    assert calls_of(PROPOSED, LASTING, later).height == 2


def test_a_request_without_any_agent_is_a_call() -> None:
    """Told by the client, by the server, or by both."""
    for told in ([CLIENT], [SERVER], [CLIENT, SERVER]):
        calls = calls_of(*told)
        assert calls.select("tool_name", "outcome", "basis").rows() == [("pay", "executed", "explicit")]


def test_the_server_alone_knows_that_its_tool_failed() -> None:
    """To the client, an answer that tells of an error is an answer."""
    failed = {**SERVER, "state": "failed", "reason": "tool_error"}
    assert calls_of(CLIENT, failed)["outcome"].to_list() == ["failed"]


def test_a_request_that_never_reached_the_server_is_not_taken_for_one_that_did() -> None:
    """It failed before the other one was served."""
    lost = {**told_by("client", 0.1, 0.5), "state": "refused", "decided_by": "target"}
    assert calls_of(lost, CLIENT, SERVER)["outcome"].to_list() == ["denied", "executed"]


def test_two_requests_without_an_agent_are_two_calls() -> None:
    """The control: only the two ends of one request are one."""
    again = [told_by("client", 3.1, 3.9), told_by("server", 3.2, 3.8)]
    assert calls_of(CLIENT, SERVER, *again).height == 2


def test_a_proposal_without_a_tool_span_is_proved_by_the_request() -> None:
    """An agent that only tells what its model proposed."""
    proposed = {**PROPOSED, "tool_name": "mcp__bank__pay"}
    other = {**PROPOSED, "tool_name": "mcp__bank__refund", "call_id": "c-2"}
    calls = calls_of(proposed, other, SERVER).sort("tool_name")
    assert calls.select("tool_name", "tool_call_id", "outcome").rows() == [
        ("mcp__bank__pay", "c-1", "executed"),
        ("mcp__bank__refund", "c-2", "pending"),
    ]


def test_a_refusal_does_not_hide_the_run_of_another_call() -> None:
    """The agent tells of a call that was refused; only its client tells of the next one, which ran."""
    refused = event("tool.called", "refused", s=0.5, decided_by="human")
    second = event("action.proposed", "proposed", s=0.8, call_id="c-2")
    calls = calls_of(PROPOSED, refused, second, CLIENT)
    assert calls.select("tool_call_id", "outcome").rows() == [("c-1", "denied"), ("c-2", "executed")]


def test_a_refusal_that_both_ends_tell_is_one() -> None:
    """A server that answers 403 refuses the agent's call."""
    refused = event("tool.called", "refused", s=0.5, decided_by="target")
    assert calls_of(PROPOSED, refused, {**CLIENT, "state": "refused"}).height == 1


def test_thousands_of_requests_in_one_trace_are_each_met_once() -> None:
    """The time and memory that this takes grow with their number, not with its square."""
    requests = range(3000)
    told = [told_by(side, s, s + 0.5) for s in requests for side in ("client", "server")]
    assert calls_of(*told).height == len(requests)
    twins = [
        row
        for s in requests
        for row in (
            event("tool.called", "completed", s=s, call_id=f"c-{s}"),
            event("tool.called", "completed", s=s + 0.01, call_id=None, scope_name="second"),
        )
    ]
    assert calls_of(*twins).height == len(requests)


UNREACHED: Final = {
    **told_by("server", 1.2, 1.8),
    "tool_name": None,
    "state": "refused",
    "decided_by": "target",
    "basis": "inferred",
    "rule": "mcp_unreached",
}
"""A server's span that names no tool."""
FAILED: Final = {"state": "failed", "reason": "needs the scope records:delete"}
REFUSED: Final = [("pay", "denied", "target", "inferred")]


def test_an_error_whose_request_reached_no_tool_is_a_refusal_of_its_server() -> None:
    """To the agent and to the client it is an error like any other."""
    own = {**LASTING, **FAILED}
    for told in ((PROPOSED, own), (PROPOSED, own, {**CLIENT, **FAILED}), ({**CLIENT, **FAILED},)):
        calls = calls_of(*told, UNREACHED)
        assert calls.select("tool_name", "outcome", "decided_by", "basis").rows() == REFUSED


def test_a_request_that_reached_no_tool_and_was_answered_was_answered_without_it() -> None:
    """A cache does so: nobody tells of an error. Nor does it refuse the error of another request."""
    assert calls_of(PROPOSED, LASTING, CLIENT, UNREACHED)["outcome"].to_list() == ["executed"]
    other = {**told_by("client", 3, 4), **FAILED}
    assert calls_of(CLIENT, UNREACHED, other)["outcome"].to_list() == ["executed", "failed"]
    assert calls_of(UNREACHED).height == 0


def test_a_client_within_anothers_is_the_same_request() -> None:
    """FastMCP's lies around the SDK's, which does not look into the answer."""
    around = {**told_by("client", 1.0, 2.0), "scope_name": "fastmcp", **FAILED}
    assert calls_of(around, CLIENT)["outcome"].to_list() == ["failed"]
    assert calls_of(told_by("client", 1.0, 1.5), told_by("client", 1.2, 2.0)).height == 2


def test_a_client_that_knows_why_outweighs_the_server_that_tells_of_an_error() -> None:
    """The official server answers a call of a tool that it does not have with an error of that tool."""
    around = {**told_by("client", 1.0, 2.0), "state": "unknown_tool", "basis": "inferred"}
    for server in ({**SERVER, **FAILED}, {**SERVER, "state": "unknown_tool", "basis": "inferred"}):
        assert calls_of(around, CLIENT, server)["outcome"].to_list() == ["unknown_tool"]
