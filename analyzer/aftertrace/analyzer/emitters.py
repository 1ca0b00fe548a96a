"""How each agent is made to report, and what it never says: facts, one record per emitter.

`aftertrace connect` prints the switches; the analyzer quotes `gives` where an answer of a run is unknown. Everything
was observed in the version that `observed` names; products change, so it is worth another look.
"""

from __future__ import annotations

from typing import Final

from aftertrace.analyzer.coding_agents import CODING_AGENTS
from aftertrace.analyzer.emitter import Emitter

_GENAI_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_AND_EVENT"

_SDK: Final = """\
export OTEL_EXPORTER_OTLP_ENDPOINT={http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_TRACES_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp
export OTEL_SERVICE_NAME=my-agent
"""
"""What every OpenTelemetry SDK reads."""

EMITTERS: Final[tuple[Emitter, ...]] = (
    *CODING_AGENTS,
    Emitter(
        name="pydantic-ai",
        title="Pydantic AI",
        observed="2.68.0",
        services=(),
        scopes=("pydantic-ai",),
        signals=("traces",),
        switches=_SDK
        + """\
# Without a change to the program, if logfire is installed:
LOGFIRE_SEND_TO_LOGFIRE=false logfire run app.py
# Or in it, with content (the default):
Agent.instrument_all(InstrumentationSettings(include_content=True))
""",
        note="Who answered a deferred approval is not sent; a refusal is only the text of the tool's result.",
        gives={
            "system_prompt": "InstrumentationSettings(include_content=True)",
            "inputs": "InstrumentationSettings(include_content=True)",
            "reviewer": "record the answer with aftertrace.semconv.instrument",
        },
    ),
    Emitter(
        name="langgraph",
        title="LangChain and LangGraph through OpenInference",
        observed="langgraph 1.2.22, openinference-instrumentation-langchain 0.1.80",
        services=(),
        scopes=("openinference.instrumentation.langchain",),
        signals=("traces",),
        switches=_SDK
        + """\
pip install openinference-instrumentation-langchain opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-instrument python app.py
""",
        note="It puts the request, the verdict, the edit and the reason on the wire; it names no reviewer. "
        "Leave OPENINFERENCE_HIDE_INPUTS and OPENINFERENCE_HIDE_OUTPUTS unset. With OpenLLMetry beside it, "
        "every span comes twice.",
        gives={"reviewer": "put the reviewer into the thread's metadata as user_id"},
    ),
    Emitter(
        name="openai-agents",
        title="OpenAI Agents SDK through OpenInference",
        observed="openai-agents 0.24.0, openinference-instrumentation-openai-agents 2.6.0",
        services=(),
        scopes=("openinference.instrumentation.openai_agents",),
        signals=("traces",),
        switches=_SDK
        + """\
pip install openinference-instrumentation-openai-agents opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-instrument python app.py
""",
        note="A call that waits for approval and one that returned nothing look alike until the run goes on; "
        "approvals and their reviewers are not sent.",
        gives={"reviewer": "record the answer with aftertrace.semconv.instrument"},
    ),
    Emitter(
        name="openllmetry",
        title="LangChain, LangGraph and the OpenAI Agents SDK through OpenLLMetry",
        observed="0.62.4, and its flattened form of 0.40",
        services=(),
        scopes=(
            "opentelemetry.instrumentation.langchain",
            "opentelemetry.instrumentation.openai_agents",
            "traceloop.*",
        ),
        signals=("traces",),
        switches=_SDK
        + """\
pip install opentelemetry-instrumentation-langchain opentelemetry-instrumentation-openai-agents
pip install opentelemetry-distro opentelemetry-exporter-otlp
export TRACELOOP_TRACE_CONTENT=true                  # the default; false hides messages, arguments and results
opentelemetry-instrument python app.py
""",
        note="Of the OpenAI Agents SDK it sends neither guardrails nor the group of a resumed run, and a call that "
        "waits for approval looks like one that returned nothing until the run goes on.",
        gives={
            "system_prompt": "TRACELOOP_TRACE_CONTENT=true",
            "inputs": "TRACELOOP_TRACE_CONTENT=true",
            "tools": "TRACELOOP_TRACE_CONTENT=true",
            "reviewer": "put the reviewer into the thread's metadata as user_id",
            "decisions": "TRACELOOP_TRACE_CONTENT=true",
        },
    ),
    Emitter(
        name="langsmith",
        title="LangChain and LangGraph through LangSmith's OpenTelemetry export",
        observed="langsmith 0.14.17",
        services=(),
        scopes=("langsmith",),
        signals=("traces",),
        switches=_SDK
        + """\
pip install 'langsmith[otel]'
export LANGSMITH_TRACING=true LANGSMITH_OTEL_ENABLED=true
export LANGSMITH_OTEL_ONLY=true                      # nothing to LangSmith itself
""",
        note="Leave LANGSMITH_HIDE_INPUTS and LANGSMITH_HIDE_OUTPUTS unset. It names no reviewer.",
        gives={"reviewer": "put the reviewer into the thread's metadata as user_id"},
    ),
    Emitter(
        name="logfire",
        title="OpenAI Agents SDK through Logfire",
        observed="openai-agents 0.24.0, logfire 5.2.0",
        services=(),
        scopes=("logfire.openai_agents",),
        signals=("traces",),
        switches=_SDK
        + """\
# In the program:
logfire.configure(send_to_logfire=False)
logfire.instrument_openai_agents()
""",
        note="A call that waits for approval and one that returned nothing look alike until the run goes on; approvals "
        "and their reviewers are not sent. Give runs a group_id: a resumed one is then of the same conversation.",
        gives={"reviewer": "record the answer with aftertrace.semconv.instrument"},
    ),
    Emitter(
        name="agent-framework",
        title="Microsoft Agent Framework",
        observed="1.23",
        services=("agent_framework*",),
        scopes=("agent_framework*",),
        signals=("traces",),
        switches=_SDK
        + """\
export ENABLE_INSTRUMENTATION=true
export ENABLE_SENSITIVE_DATA=true                    # messages, arguments, approvals
opentelemetry-instrument python app.py
""",
        note="Local sessions have no id: a resumed run is joined by the ids of its calls.",
        gives={
            "system_prompt": "ENABLE_SENSITIVE_DATA=true",
            "inputs": "ENABLE_SENSITIVE_DATA=true",
            "tools": "ENABLE_SENSITIVE_DATA=true",
            "reviewer": "record the answer with aftertrace.semconv.instrument",
            "decisions": "ENABLE_SENSITIVE_DATA=true",
        },
    ),
    Emitter(
        name="google-adk",
        title="Google ADK",
        observed="2.13",
        services=(),
        scopes=("gcp.vertex.agent",),
        signals=("traces",),
        switches=_SDK
        + f"""\
export {_GENAI_CONTENT}   # `true` gives nothing on spans
adk run my_agent
""",
        note="Without content, a call that waits for a confirmation cannot be told from one that ran.",
        gives={
            "system_prompt": _GENAI_CONTENT,
            "inputs": _GENAI_CONTENT,
            "reviewer": "record the answer with aftertrace.semconv.instrument",
            "decisions": _GENAI_CONTENT,
        },
    ),
    Emitter(
        name="strands",
        title="Strands Agents",
        observed="1.62.0",
        services=("strands-agents*",),
        scopes=("strands.*", "strands-agents"),
        signals=("traces",),
        switches=_SDK
        + """\
export OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental,gen_ai_tool_definitions
# Do not set gen_ai_unredacted_attributes=… there: what it does not name is replaced by [REDACTED].
opentelemetry-instrument python app.py
# In the program, so that resumed runs are one and people have names:
Agent(trace_attributes={{"session.id": "…", "user.id": "…"}}, …)
""",
        note="A call that a hook cancels or holds back has no span: the text given to the model tells of it. The "
        "answer to an interrupt is not sent. Without session.id a resumed run is joined by the ids of its calls.",
        gives={"reviewer": "put it into the agent's trace_attributes as user.id"},
    ),
    Emitter(
        name="ai-sdk",
        title="Vercel AI SDK",
        observed="6.0.326, 7.0.173",
        services=(),
        scopes=("ai", "gen_ai", "@ai-sdk/*"),
        signals=("traces",),
        switches=_SDK
        + """\
// AI SDK 6, in each call; sessionId joins a conversation, userId names for whom:
experimental_telemetry: {{ isEnabled: true, recordInputs: true, recordOutputs: true, functionId: "my-agent",
  metadata: {{ sessionId, userId }} }}
// AI SDK 7, once:
registerTelemetry(new OpenTelemetry())         // LegacyOpenTelemetry keeps the approvals' ids and answers
""",
        note="Version 7 sends no session id: a resumed run is joined by the ids of its calls. Until then a call that "
        "waits for a person looks like one that is left to the client.",
        gives={
            "system_prompt": "recordInputs: true",
            "inputs": "recordInputs: true",
            "tools": "recordInputs: true",
            "reviewer": "record the answer with aftertrace's events, from any OpenTelemetry SDK",
            "decisions": "recordInputs: true",
        },
    ),
    Emitter(
        name="any-otel",
        title="any program with an OpenTelemetry SDK",
        observed="OTLP 1.10",
        services=("*",),
        scopes=(),
        signals=("traces", "logs"),
        switches=_SDK
        + f"""\
export {_GENAI_CONTENT}
# Python, without a change to the program:
pip install opentelemetry-distro opentelemetry-exporter-otlp && opentelemetry-bootstrap -a install
opentelemetry-instrument python app.py
# To state decisions, approvals and effects: pip install aftertrace, then aftertrace.semconv.instrument
""",
        note="What is not sent is unknown: give spans the gen_ai.* names, and state approvals by aftertrace's events.",
        gives={
            "agent": "gen_ai.agent.name on the agent's spans",
            "model": "gen_ai.request.model on the model's spans",
            "system_prompt": _GENAI_CONTENT,
            "inputs": _GENAI_CONTENT,
            "tools": "gen_ai.tool.definitions on the model's spans",
            "reviewer": "record the answer with aftertrace.semconv.instrument",
            "decisions": "record them with aftertrace.semconv.instrument",
        },
    ),
)
"""Every emitter that is known by name, in the order in which `aftertrace connect` lists them; the last one fits all."""


def of(service: str | None, scope: str | None) -> Emitter:
    """The emitter that a record of this service and scope comes from; the general one where none is known."""
    return next(emitter for emitter in EMITTERS if emitter.sends(service, scope))
