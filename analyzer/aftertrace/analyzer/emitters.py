"""How each agent is made to report, and what it never says: facts, one record per emitter.

`aftertrace connect` prints the switches; the analyzer quotes `gives` where an answer of a run is unknown. Everything
was observed in the version that `observed` names; products change, so it is worth another look.
"""

from __future__ import annotations

from typing import Final

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
    Emitter(
        name="claude-code",
        title="Claude Code and the Claude Agent SDK",
        observed="2.1.197, 2.1.329",
        services=("claude-code*",),
        scopes=("com.anthropic.claude_code.*",),
        signals=("logs", "traces"),
        switches="""\
export CLAUDE_CODE_ENABLE_TELEMETRY=1
export OTEL_EXPORTER_OTLP_ENDPOINT={http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf     # without it nothing is sent, and nothing says so
export OTEL_LOGS_EXPORTER=otlp                       # tool decisions
export OTEL_TRACES_EXPORTER=otlp CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1   # refusals that leave no log, waiting times
export OTEL_LOG_TOOL_DETAILS=1 OTEL_LOG_TOOL_CONTENT=1                   # arguments and results
export OTEL_LOG_USER_PROMPTS=1 OTEL_LOG_ASSISTANT_RESPONSES=1            # inputs and answers
export OTEL_LOG_RAW_API_BODIES=1                     # system prompt, tool list, calls to tools that do not exist
""",
        note="Raw bodies are cut at 60 KB, and the tool list comes last in them. In the Agent SDK a refusal by your "
        "can_use_tool callback is reported as the user's.",
        gives={
            "system_prompt": "OTEL_LOG_RAW_API_BODIES=1",
            "inputs": "OTEL_LOG_USER_PROMPTS=1",
            "tools": "OTEL_LOG_RAW_API_BODIES=1 OTEL_LOG_TOOL_DETAILS=1",
            "reviewer": "sign in, so that user.email is sent; the person at the terminal is not named otherwise",
            "decisions": "OTEL_LOGS_EXPORTER=otlp, OTEL_TRACES_EXPORTER=otlp CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1",
        },
    ),
    Emitter(
        name="copilot-cli",
        title="GitHub Copilot CLI",
        observed="1.0.102",
        services=("github-copilot*", "copilot*"),
        scopes=("github.copilot",),
        signals=("traces",),
        switches="""\
export OTEL_EXPORTER_OTLP_ENDPOINT={http}            # http/json; it does not speak gRPC
export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true           # arguments, results, system prompt, tools
""",
        note="It names no reviewer: the person at the terminal is only known as a person.",
        gives={
            "system_prompt": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
            "inputs": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
            "tools": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
            "reviewer": "",
        },
    ),
    Emitter(
        name="codex",
        title="Codex CLI",
        observed="0.169.0",
        services=("codex*", "Codex*"),
        scopes=("codex_otel*",),
        signals=("logs", "traces"),
        switches="""\
# It ignores OTEL_EXPORTER_OTLP_ENDPOINT. In ~/.codex/config.toml:
[otel]
log_user_prompt = true                               # inputs
log_guardian_assessments = true                      # why the automatic reviewer decided
exporter = {{ otlp-http = {{ endpoint = "{http}/v1/logs", protocol = "binary" }} }}
# Traces are about 900 internal spans a turn. They alone tell of turns, and of calls that a person cancelled:
trace_exporter = {{ otlp-http = {{ endpoint = "{http}/v1/traces", protocol = "binary" }} }}
""",
        note="System prompt and tool list are not exported. A call that the approval policy forbids leaves but a text, "
        "one that a person cancels only a span. A hook that lets a call through reads like the configuration. Output "
        "is cut at 2 KiB unless tool_result.max_bytes says otherwise.",
        gives={
            "system_prompt": "",
            "inputs": "log_user_prompt = true under [otel]",
            "tools": "",
            "reviewer": "sign in, so that user.email is sent",
            "decisions": "exporter = … and trace_exporter = … under [otel]",
        },
    ),
    Emitter(
        name="gemini-cli",
        title="Gemini CLI",
        observed="0.61.0",
        services=("gemini-cli*",),
        scopes=("gemini-cli",),
        signals=("logs", "traces"),
        switches="""\
export GEMINI_TELEMETRY_ENABLED=true
export OTEL_EXPORTER_OTLP_ENDPOINT={grpc}            # gRPC; for HTTP: GEMINI_TELEMETRY_OTLP_PROTOCOL=http
export GEMINI_TELEMETRY_TRACES_ENABLED=true          # the calls of each batch with results, refused ones too
export GEMINI_TELEMETRY_LOG_PROMPTS=true             # the default; false hides prompts, arguments, proposals
""",
        note="It never says who decided: `accept` stands for its policy and for a person, who is told by the time for "
        "which the call was held, unless others were scheduled with it. It logs `reject` for a call that was allowed "
        "for all future sessions; service.version is Node's; attributes of spans are cut at 10,000 characters.",
        gives={
            "system_prompt": "GEMINI_TELEMETRY_TRACES_ENABLED=true",
            "inputs": "GEMINI_TELEMETRY_LOG_PROMPTS=true",
            "tools": "GEMINI_TELEMETRY_TRACES_ENABLED=true",
            "reviewer": "",
            "decisions": "GEMINI_TELEMETRY_ENABLED=true, and the traces for what was held for a person",
        },
    ),
    Emitter(
        name="qwen-code",
        title="Qwen Code",
        observed="0.15.10",
        services=("qwen-code*",),
        scopes=("qwen-code",),
        signals=("logs", "traces"),
        switches="""\
export QWEN_TELEMETRY_ENABLED=true
export OTEL_EXPORTER_OTLP_ENDPOINT={http} QWEN_TELEMETRY_OTLP_PROTOCOL=http
export QWEN_TELEMETRY_LOG_PROMPTS=true               # the default; false hides prompts
export QWEN_TELEMETRY_INCLUDE_SENSITIVE_SPAN_ATTRIBUTES=true   # newer versions: system prompt, tools, results
""",
        note="Version 0.15.10 sends logs alone: no call ids, no system prompt, no tool list. Later ones send spans "
        "with call ids and waits. `auto_accept` is what its policy let through, and also a person's `always`.",
        gives={
            "system_prompt": "QWEN_TELEMETRY_INCLUDE_SENSITIVE_SPAN_ATTRIBUTES=true, in a version that sends spans",
            "inputs": "QWEN_TELEMETRY_LOG_PROMPTS=true",
            "tools": "QWEN_TELEMETRY_INCLUDE_SENSITIVE_SPAN_ATTRIBUTES=true, in a version that sends spans",
            "reviewer": "",
        },
    ),
    Emitter(
        name="opencode",
        title="opencode",
        observed="1.18.33",
        services=("opencode*",),
        scopes=("opencode",),
        signals=("traces",),
        switches="""\
export OTEL_EXPORTER_OTLP_ENDPOINT={http}
# Arguments, system prompt and tool list, in opencode.json:
{{ "experimental": {{ "openTelemetry": true }} }}
""",
        note="The last batch of spans is lost when the process exits: final calls of a headless run can be missing. A "
        "rule and a person are told apart by how long the permission took; nobody is named.",
        gives={
            "system_prompt": "experimental.openTelemetry: true",
            "inputs": "experimental.openTelemetry: true",
            "tools": "experimental.openTelemetry: true",
            "reviewer": "",
        },
    ),
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
        name="goose",
        title="Goose",
        observed="its source, 2026",
        services=("goose*",),
        scopes=("goose*",),
        signals=("traces", "logs"),
        switches="""\
export OTEL_EXPORTER_OTLP_ENDPOINT={http}            # http/protobuf; nothing else is needed
""",
        note="A call that is denied is not dispatched and leaves no span; no decision is sent.",
        gives={"reviewer": "", "decisions": ""},
    ),
    Emitter(
        name="vscode-copilot",
        title="GitHub Copilot Chat in VS Code",
        observed="its documentation, 2026",
        services=("copilot-chat*",),
        scopes=("copilot-chat*",),
        signals=("traces", "logs"),
        switches="""\
export COPILOT_OTEL_ENABLED=true COPILOT_OTEL_PROTOCOL=http
export COPILOT_OTEL_ENDPOINT={http}
export COPILOT_OTEL_CAPTURE_CONTENT=true             # prompts, arguments, results
""",
        note="Whether a person allowed or refused a call is not sent.",
        gives={
            "system_prompt": "COPILOT_OTEL_CAPTURE_CONTENT=true",
            "inputs": "COPILOT_OTEL_CAPTURE_CONTENT=true",
            "tools": "COPILOT_OTEL_CAPTURE_CONTENT=true",
            "reviewer": "",
            "decisions": "",
        },
    ),
    Emitter(
        name="openhands",
        title="OpenHands",
        observed="its source, SDK 1.58.2",
        services=("openhands*",),
        scopes=("lmnr*",),
        signals=("traces",),
        switches="""\
export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={http}/v1/traces
export OTEL_EXPORTER=otlp_http                       # gRPC otherwise
""",
        note="A rejected action has a span like one that ran; by its output it is told apart. Calls that a hook blocks "
        "have none.",
        gives={"reviewer": "give the conversation a user_id"},
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
