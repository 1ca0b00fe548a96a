"""`connect`: the switches of an emitter, and then whether it really reports."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import serving, settings
from aftertrace.dashboards.plain import plain
from aftertrace.store.errors import Unavailable

if TYPE_CHECKING:
    from aftertrace.analyzer.emitters.emitter import Emitter, Signal

_POLL_S: Final = 0.5
_SETTLE_S: Final = 5.0
"""After the first record, how long the other signals may take before they are called missing."""

_ASKED_FOR: Final = """This receiver asks for a token. Make one and add it to the switches:

aftertrace source add NAME
export OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20<token>'
"""


@dataclass(slots=True)
class Heard:
    """What came from an emitter since `connect` began to listen."""

    signals: dict[Signal, str] = field(default_factory=dict)
    """By signal, what the first record was."""
    at_s: float | None = None
    """When the first record was seen, by the monotonic clock."""
    others: set[str] = field(default_factory=set)
    """Services that reported and are somebody else."""


class EmitterName(click.ParamType[str]):
    """The name of an emitter that aftertrace knows."""

    name = "emitter"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if it is known."""
        from aftertrace.analyzer.emitters.registry import EMITTERS

        return str(click.Choice([emitter.name for emitter in EMITTERS]).convert(value, param, ctx))


@click.command(
    short_help="Print an agent's switches; wait for it.",
    epilog="Emitters: claude-code, copilot-cli, codex, gemini-cli, qwen-code, opencode, pydantic-ai, langgraph, "
    "openai-agents, openllmetry, otel-genai, mcp, langsmith, langfuse-sdk, logfire, agent-framework, google-adk, "
    "ai-sdk, strands, mastra, crewai, goose, cline, openhands, vscode-copilot, smolagents; any-otel for everything "
    "else. From files: openai-messages, anthropic-messages, inspect, langfuse, phoenix.",
)
@click.argument("emitter", type=EmitterName(), metavar="EMITTER")
@click.option("--no-wait", is_flag=True, help="Print the switches and end.")
@click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(min=0), help="Give up after so long.  [default: never]"
)
@settings.data_option
def connect(emitter: str, no_wait: bool, timeout: float | None, data: Path) -> None:
    """Print what makes an agent report, and wait for it.

    The switches include those that reveal arguments and refusals: without them an agent is heard, and its near misses
    are not. Then it waits for the first event, and says what is missing.
    """
    from aftertrace.analyzer.emitters.registry import EMITTERS

    chosen = next(candidate for candidate in EMITTERS if candidate.name == emitter)
    now = serving.find(data)
    receiver = settings.current().receiver
    scheme = "https" if receiver.tls_certificate else "http"
    http = now.http if now is not None else f"{scheme}://{receiver.http}"
    grpc = now.grpc if now is not None else f"{scheme}://{receiver.grpc}"
    click.echo(instructions(chosen, http=reachable(http), grpc=reachable(grpc)))
    if receiver.require_token:
        click.echo(_ASKED_FOR)
    if no_wait:
        return
    if now is None:
        raise Unavailable(
            f"wait for {chosen.title}: nothing serves {data}; run `aftertrace serve --data {data}` and try again"
        )
    click.echo(f"waiting for {chosen.title} on {http} and {grpc} (Ctrl-C ends the waiting) ...")
    heard = listen(chosen, data, since_ns=time.time_ns(), timeout_s=timeout, tell=click.echo)
    click.echo(verdict(chosen, heard))
    if not heard.signals:
        raise Unavailable(f"wait for {chosen.title}: nothing came in {timeout:g} s; check the switches above")


def reachable(url: str) -> str:
    """The address by which agents elsewhere reach it: every interface (`0.0.0.0`, `[::]`) has this machine's name."""
    for everywhere in ("://0.0.0.0:", "://[::]:"):
        url = url.replace(everywhere, f"://{socket.getfqdn()}:")
    return url


def instructions(emitter: Emitter, *, http: str, grpc: str) -> str:
    """The switches, ready to paste, and what even then is not seen."""
    lines = [f"# {emitter.title} (observed: {emitter.observed})", ""]
    lines.append(emitter.switches.format(http=http, grpc=grpc))
    if emitter.note:
        lines += [f"Note: {emitter.note}", ""]
    hidden = [question.replace("_", " ") for question, switch in emitter.gives.items() if not switch]
    if hidden:
        lines += [f"Never reported by it: {', '.join(hidden)}.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def listen(
    emitter: Emitter, data: Path, *, since_ns: int, timeout_s: float | None, tell: Callable[[str], object]
) -> Heard:
    """Watch the store until every signal of the emitter came, or the rest did not follow the first, or time is up."""
    heard = Heard()
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while deadline is None or time.monotonic() < deadline:
        for signal in emitter.signals:
            if signal not in heard.signals and (first := _first(emitter, data, signal, since_ns, heard.others)):
                heard.signals[signal] = first
                heard.at_s = heard.at_s or time.monotonic()
                tell(f"first of its {signal}: {plain(first)}")
        if len(heard.signals) == len(emitter.signals):
            break
        if heard.at_s is not None and time.monotonic() - heard.at_s > _SETTLE_S:
            break
        time.sleep(_POLL_S)
    return heard


def verdict(emitter: Emitter, heard: Heard) -> str:
    """What came and what is missing, in one line or a few."""
    missing = [signal for signal in emitter.signals if signal not in heard.signals]
    if not heard.signals:
        others = f"; {', '.join(plain(name) for name in sorted(heard.others))} reported" if heard.others else ""
        return f"nothing from {emitter.title} yet{others}"
    if missing:
        return (
            f"connected, but no {' and no '.join(missing)} yet: look at the switches that mention "
            f"{' and '.join(missing).upper()} above. See `aftertrace runs` and `aftertrace run last`"
        )
    return "connected: see `aftertrace runs` and `aftertrace run last`"


def _first(emitter: Emitter, data: Path, signal: Signal, since_ns: int, others: set[str]) -> str | None:
    """What first spoke of a signal, as `service (scope)`; remembers who else reported."""
    from aftertrace.cli.senders import senders
    from aftertrace.store.snapshot import Snapshot

    for sender in senders(Snapshot.of(data), since_ns=since_ns):
        if sender.signal != signal:
            continue
        if emitter.sends(sender.service, sender.scope):
            return str(sender)
        others.add(sender.service)
    return None
