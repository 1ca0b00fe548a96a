"""What `analyzer/README.md` shows between markers: the rules of the judgement, and how right it is on recordings.

``python -m tests.analyzer.readme`` writes them anew. That all else of the recordings is told as it was is not claimed
here but held by `test_fixtures`, whose cases and exceptions these are.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from aftertrace.analyzer.calls.outcomes import RULES

from . import test_fixtures

PAGE: Final = Path(__file__).parents[2] / "analyzer" / "README.md"
_TITLES: Final = {
    "agent-framework": "Agent Framework",
    "ai-sdk-6": "AI SDK 6",
    "ai-sdk-7": "AI SDK 7",
    "claude-agent-sdk": "Claude Agent SDK",
    "claude-code": "Claude Code",
    "cline": "Cline (SDK)",
    "codex": "Codex",
    "copilot-cli": "Copilot CLI",
    "crewai": "CrewAI (OpenInference)",
    "gemini-cli": "Gemini CLI",
    "google-adk": "Google ADK (both schemas)",
    "langfuse": "Langfuse (SDK)",
    "langchain": "LangChain, LangGraph (OpenInference, OpenLLMetry, LangSmith, two at once)",
    "mastra": "Mastra",
    "mcp": "MCP clients and servers (FastMCP, the Python SDK)",
    "openai-agents": "OpenAI Agents (OpenInference, OpenLLMetry, Logfire)",
    "opencode": "opencode",
    "openhands": "OpenHands",
    "otel-genai": "LangChain and OpenAI Agents (OpenTelemetry's own instrumentations)",
    "pydantic-ai": "Pydantic AI",
    "smolagents": "smolagents (OpenInference)",
    "strands": "Strands",
}
_COLUMNS: Final = {
    "approval_asked": "whether somebody was asked",
    "decided_by": "who decided",
    "outcome": "what became of it",
    "waited_ms": "how long the answer took",
}


def rules_table() -> str:
    """The judgement as a Markdown table."""
    lines = ["| rule | outcome | when |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | `{rule.outcome}` | {rule.brief} |" for rule in RULES]
    return "\n".join(lines)


def recordings_table() -> str:
    """Per emitter: recordings, calls, and calls of which everything is told as it was; then what is not told."""
    recordings, calls = Counter[str](), Counter[str]()
    for name, path in test_fixtures.recordings():
        emitter = name.partition("/")[0]
        recordings[emitter] += 1
        calls[emitter] += sum(1 for _ in test_fixtures.truth_of(path))
    excepted = Counter(
        name.partition("/")[0] for name, _ in {(name, tool) for name, tool, _ in test_fixtures.EXCEPTIONS}
    )
    lines = ["| emitter | recordings | calls | right |", "|---|---:|---:|---:|"]
    lines += [
        f"| {_TITLES[emitter]} | {recordings[emitter]} | {calls[emitter]} | {calls[emitter] - excepted[emitter]} |"
        for emitter in sorted(recordings, key=lambda emitter: _TITLES[emitter].lower())
    ]
    lines.append(f"| all | {recordings.total()} | {calls.total()} | {calls.total() - excepted.total()} |")
    lines += [
        "",
        f"{len(test_fixtures.EXCEPTIONS)} values are not told as they were, since the telemetry does not hold them:",
        "",
    ]
    lines += [
        f"* `{name}`, `{tool}`: {_COLUMNS[column]} ({reason})"
        for (name, tool, column), reason in test_fixtures.EXCEPTIONS.items()
    ]
    return "\n".join(lines)


def shown(text: str, marker: str) -> str:
    """What a page holds between its markers."""
    return text.split(f"<!-- {marker} -->\n")[1].split(f"\n<!-- /{marker} -->", maxsplit=1)[0]


def text(page: str) -> str:
    """The page with what is between the markers made anew."""
    for marker, table in (("rules", rules_table()), ("recordings", recordings_table())):
        page = page.replace(f"<!-- {marker} -->\n{shown(page, marker)}\n", f"<!-- {marker} -->\n{table}\n")
    return page


if __name__ == "__main__":
    PAGE.write_text(text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
