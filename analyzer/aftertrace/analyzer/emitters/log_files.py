"""Logs that are imported from files: what to switch on so that they are written, and what they never say."""

from __future__ import annotations

from typing import Final

from aftertrace.analyzer.emitters.emitter import Emitter

LOG_FILES: Final[tuple[Emitter, ...]] = (
    Emitter(
        name="inspect",
        title="Inspect",
        observed="0.3.285",
        services=("inspect_ai",),
        scopes=("aftertrace.import.inspect",),
        signals=("logs",),
        switches="""\
aftertrace import logs/*.eval                        # or the .json logs; nothing needs to be switched on
# It sends no OTLP itself; an agent inside a sample may, to {http}
""",
        note="A person who approves is only known as a person. An approver of one's own counts as policy, whatever it "
        "asks. How long one took is the time since the event before.",
        gives={"reviewer": ""},
    ),
    Emitter(
        name="langfuse",
        title="Exports of Langfuse",
        observed="3, its exports of 2025 and 2026",
        services=(),
        scopes=("aftertrace.import.langfuse",),
        signals=("traces",),
        switches="""\
aftertrace import traces.json                        # as its UI or its API exports them
# What is sent to Langfuse can be sent to {http} as well, and then nothing of it is left out
""",
        note="It keeps no approvals, and of the spans that it was sent what it has a place for.",
        gives={"reviewer": "", "decisions": ""},
    ),
    Emitter(
        name="phoenix",
        title="Exports of Phoenix",
        observed="its REST API and data frames of 2026",
        services=(),
        scopes=("aftertrace.import.phoenix",),
        signals=("traces",),
        switches="""\
aftertrace import spans.json                         # of /v1/projects/…/spans, or a data frame's to_json
# What is sent to Phoenix can be sent to {http} as well, and then nothing of it is left out
""",
        note="It does not keep which instrumentation sent a span: a tool's span without output says nothing then.",
        gives={"reviewer": ""},
    ),
    Emitter(
        name="openai-messages",
        title="Plain message logs of OpenAI's APIs",
        observed="the APIs of 2026",
        services=(),
        scopes=("aftertrace.import.openai_messages",),
        signals=("logs",),
        switches="""\
aftertrace import messages.jsonl                     # conversations, requests with responses, batch files
# Requests with their responses tell more than messages alone: models, tools, tokens and times.
# An instrumentation of the client library tells more than any log; it sends to {http}
""",
        note="That a tool ran is only what the model was told; who decided is only known of remote MCP tools. Messages "
        "have no times unless the log adds them, and no agent. Without ids, calls are told by their place.",
        gives={
            "agent": "",
            "model": "log requests and responses, or the model beside the messages",
            "tools": "log requests, or the tools beside the messages",
            "reviewer": "",
            "decisions": "remote MCP tools with require_approval, else never",
        },
    ),
    Emitter(
        name="anthropic-messages",
        title="Plain message logs of Anthropic's API",
        observed="the API of 2026",
        services=(),
        scopes=("aftertrace.import.anthropic_messages",),
        signals=("logs",),
        switches="""\
aftertrace import messages.jsonl                     # conversations, requests with responses, batch results
# Requests with their responses tell more than messages alone: models, system prompt, tools and tokens.
# An instrumentation of the client library tells more than any log; it sends to {http}
""",
        note="That a tool ran is only what the model was told, with a mark for errors; who decided is never said. "
        "Messages have no times unless the log adds them, and no agent.",
        gives={
            "agent": "",
            "model": "log requests and responses, or the model beside the messages",
            "system_prompt": "log requests, or the system prompt beside the messages",
            "tools": "log requests, or the tools beside the messages",
            "reviewer": "",
            "decisions": "",
        },
    ),
)
"""In the order in which `aftertrace connect` lists them."""
