"""How each agent is made to report, and what it never says: facts, one record per emitter.

`aftertrace connect` prints the switches; the analyzer quotes `gives` where an answer of a run is unknown. Everything
was observed in the version that `observed` names; products change, so it is worth another look.
"""

from __future__ import annotations

from typing import Final

from aftertrace.analyzer.emitters.coding_agents import CODING_AGENTS
from aftertrace.analyzer.emitters.emitter import GENAI_CONTENT, SDK, Emitter
from aftertrace.analyzer.emitters.instrumentations import INSTRUMENTATIONS
from aftertrace.analyzer.emitters.log_files import LOG_FILES

EMITTERS: Final[tuple[Emitter, ...]] = (
    *CODING_AGENTS,
    *LOG_FILES,
    Emitter(
        name="pydantic-ai",
        title="Pydantic AI",
        observed="2.68.0",
        services=(),
        scopes=("pydantic-ai",),
        signals=("traces",),
        switches=SDK
        + """\
# Without a change to the program, if logfire is installed:
LOGFIRE_SEND_TO_LOGFIRE=false logfire run app.py
# Or in it, with content (the default):
Agent.instrument_all(InstrumentationSettings(include_content=True))
""",
        note="Who answered a deferred approval is not sent; a refusal is only the text of the tool's result. A call "
        "that a hook answered in its tool's place looks like one that ran. Without content, an edit, a call left out "
        "after the final result and a final result of the wrong shape cannot be told.",
        gives={
            "system_prompt": "InstrumentationSettings(include_content=True)",
            "inputs": "InstrumentationSettings(include_content=True)",
            "reviewer": "record the answer with aftertrace.semconv.instrument",
        },
    ),
    *INSTRUMENTATIONS,
    Emitter(
        name="agent-framework",
        title="Microsoft Agent Framework",
        observed="1.23",
        services=("agent_framework*",),
        scopes=("agent_framework*",),
        signals=("traces",),
        switches=SDK
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
        switches=SDK
        + f"""\
export {GENAI_CONTENT}   # `true` gives nothing on spans
export ADK_EXPERIMENTAL_TELEMETRY=true   # tells a callback's answer from a tool's
adk run my_agent
""",
        note="Without content, a call that waits for a confirmation cannot be told from one that ran; "
        "without experimental telemetry, nor can one that a callback answered.",
        gives={
            "system_prompt": GENAI_CONTENT,
            "inputs": GENAI_CONTENT,
            "reviewer": "record the answer with aftertrace.semconv.instrument",
            "decisions": GENAI_CONTENT,
        },
    ),
    Emitter(
        name="strands",
        title="Strands Agents",
        observed="1.62.0",
        services=("strands-agents*",),
        scopes=("strands.*", "strands-agents"),
        signals=("traces",),
        switches=SDK
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
        switches=SDK
        + """\
// AI SDK 6, in each call; sessionId joins a conversation, userId names for whom:
experimental_telemetry: {{ isEnabled: true, recordInputs: true, recordOutputs: true, functionId: "my-agent",
  metadata: {{ sessionId, userId }} }}
// AI SDK 7, once:
registerTelemetry(new OpenTelemetry())         // LegacyOpenTelemetry keeps the approvals' ids and answers
""",
        note="Version 7 sends no session id: a resumed run is joined by the ids of its calls. Until then a call that "
        "waits for a person looks like one that is left to the client. Without inputs and outputs only the calls that "
        "run are told, and no denial.",
        gives={
            "system_prompt": "recordInputs: true",
            "inputs": "recordInputs: true",
            "tools": "recordInputs: true",
            "reviewer": "record the answer with aftertrace's events, from any OpenTelemetry SDK",
            "decisions": "recordInputs: true",
        },
    ),
    Emitter(
        name="mastra",
        title="Mastra",
        observed="@mastra/core 1.71.0, @mastra/otel-exporter 1.4.0",
        services=(),
        scopes=("@mastra/otel-exporter", "@mastra/otel*"),
        signals=("traces",),
        switches="""\
npm install @mastra/observability @mastra/otel-exporter @opentelemetry/exporter-trace-otlp-http
// In the program:
const otel = new OtelExporter({{ provider: {{ custom: {{
  endpoint: "{http}/v1/traces", protocol: "http/json" }} }} }});
new Mastra({{ observability: new Observability({{ configs: {{
  otel: {{ serviceName: "my-agent", exporters: [otel] }} }} }}), … }});
// In each call, so that runs of a conversation are one and people have names:
agent.stream(prompt, {{ memory: {{ thread, resource }} }})
""",
        note="Who answered an approval is not sent. Of a call that is declined the decision alone tells; of one of a "
        "tool that does not exist, that the model was given an answer. With hideInput and hideOutput only the calls "
        "that run are told, and no question. Let its process live until all is sent.",
        gives={"reviewer": "record the answer with aftertrace's events, from any OpenTelemetry SDK"},
    ),
    Emitter(
        name="crewai",
        title="CrewAI through OpenInference or OpenLLMetry",
        observed="crewai 1.15.30, openinference-instrumentation-crewai 1.1.21, OpenLLMetry 0.62.4",
        services=("crewai*",),
        scopes=("crewai", "openinference.instrumentation.crewai", "opentelemetry.instrumentation.crewai*"),
        signals=("traces",),
        switches=SDK
        + """\
export CREWAI_DISABLE_TELEMETRY=true                 # its own goes to its maker, whatever is set here
pip install openinference-instrumentation-crewai openinference-instrumentation-openai   # or that of your model's client
pip install opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-instrument python app.py
""",
        note="A call that a hook blocks has no span: the text given to the model tells of it. A person's feedback is "
        "about a task or a step of a flow, not about a tool call, and is not sent. OpenLLMetry sends no tools of it.",
        gives={
            "model": "the instrumentation of the model's client",
            "system_prompt": "the instrumentation of the model's client",
            "tools": "the instrumentation of the model's client",
            "reviewer": "record the answer with aftertrace.semconv.instrument",
        },
    ),
    Emitter(
        name="any-otel",
        title="any program with an OpenTelemetry SDK",
        observed="OTLP 1.10",
        services=("*",),
        scopes=(),
        signals=("traces", "logs"),
        switches=SDK
        + f"""\
export {GENAI_CONTENT}
# Python, without a change to the program:
pip install opentelemetry-distro opentelemetry-exporter-otlp && opentelemetry-bootstrap -a install
opentelemetry-instrument python app.py
# To state decisions, approvals and effects: pip install aftertrace, then aftertrace.semconv.instrument
""",
        note="What is not sent is unknown: give spans the gen_ai.* names, and state approvals by aftertrace's events.",
        gives={
            "agent": "gen_ai.agent.name on the agent's spans",
            "model": "gen_ai.request.model on the model's spans",
            "system_prompt": GENAI_CONTENT,
            "inputs": GENAI_CONTENT,
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
