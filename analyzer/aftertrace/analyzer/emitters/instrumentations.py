"""Emitters that are instrumentations of other people's frameworks: one product may tell of many."""

from __future__ import annotations

from typing import Final

from aftertrace.analyzer.emitters.emitter import GENAI_CONTENT, SDK, Emitter

INSTRUMENTATIONS: Final[tuple[Emitter, ...]] = (
    Emitter(
        name="langgraph",
        title="LangChain and LangGraph through OpenInference",
        observed="langgraph 1.2.22, openinference-instrumentation-langchain 0.1.80",
        services=(),
        scopes=("openinference.instrumentation.langchain",),
        signals=("traces",),
        switches=SDK
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
        switches=SDK
        + """\
pip install openinference-instrumentation-openai-agents opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-instrument python app.py
""",
        note="A call that waits for approval and one that returned nothing look alike until the run goes on; "
        "approvals and their reviewers are not sent. A run that is resumed in the process that asked is dropped whole "
        "unless it has a trace of its own: put `with trace(...)` around each Runner.run. A call that a tool guardrail "
        "answered looks like one that ran.",
        gives={"reviewer": "record the answer with aftertrace.semconv.instrument"},
    ),
    Emitter(
        name="smolagents",
        title="smolagents through OpenInference",
        observed="smolagents 1.26.0, openinference-instrumentation-smolagents 0.1.43",
        services=(),
        scopes=("openinference.instrumentation.smolagents",),
        signals=("traces",),
        switches=SDK
        + """\
pip install openinference-instrumentation-smolagents opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-instrument python app.py
""",
        note="It has no approvals. A code agent proposes no calls: of what its code calls, the tools that ran and the "
        "names that its interpreter refused are told. Leave OPENINFERENCE_HIDE_INPUTS and OPENINFERENCE_HIDE_OUTPUTS "
        "unset: an error about arguments names no tool.",
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
        switches=SDK
        + """\
pip install opentelemetry-instrumentation-langchain opentelemetry-instrumentation-openai-agents
pip install opentelemetry-distro opentelemetry-exporter-otlp
export TRACELOOP_TRACE_CONTENT=true                  # the default; false hides messages, arguments and results
opentelemetry-instrument python app.py
""",
        note="Of the OpenAI Agents SDK it sends neither guardrails nor the group of a resumed run, and a call that "
        "waits for approval looks like one that returned nothing until the run goes on; nor does it tell of a tool "
        "that does not exist.",
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
        observed="langsmith 0.14.17, 0.15.0",
        services=(),
        scopes=("langsmith",),
        signals=("traces",),
        switches=SDK
        + """\
pip install 'langsmith[otel]'
export LANGSMITH_TRACING=true LANGSMITH_OTEL_ENABLED=true
export LANGSMITH_OTEL_ONLY=true                      # nothing to LangSmith itself
""",
        note="Leave LANGSMITH_HIDE_INPUTS and LANGSMITH_HIDE_OUTPUTS unset. It names no reviewer.",
        gives={"reviewer": "put the reviewer into the thread's metadata as user_id"},
    ),
    Emitter(
        name="langfuse-sdk",
        title="Langfuse's SDK, exporting here as well",
        observed="langfuse 5.0.4",
        services=(),
        scopes=("langfuse-sdk",),
        signals=("traces",),
        switches=SDK
        + """\
# In the program: its spans go to whatever the provider exports to
trace.set_tracer_provider(provider)                  # with a BatchSpanProcessor(OTLPSpanExporter())
Langfuse(tracer_provider=provider, …)
with propagate_attributes(session_id="…", user_id="…"): …   # conversations, and for whom
""",
        note="Tool observations have no id of their call: they are matched by name, arguments and order. It knows no "
        "approvals: a refusal is only the text that the model is told.",
        gives={"reviewer": "record the answer with aftertrace.semconv.instrument"},
    ),
    Emitter(
        name="logfire",
        title="OpenAI Agents SDK through Logfire",
        observed="openai-agents 0.24.0, logfire 5.2.0",
        services=(),
        scopes=("logfire.openai_agents",),
        signals=("traces",),
        switches=SDK
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
        name="mcp",
        title="Clients and servers of the Model Context Protocol",
        observed="mcp 2.3.0, fastmcp 4.1.2",
        services=(),
        scopes=("mcp-python-sdk", "fastmcp"),
        signals=("traces",),
        switches=SDK
        + """\
# On by default in the Python SDK and in FastMCP; each process needs an SDK of its own:
pip install opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-instrument python server.py
""",
        note="One end of a call that its agent tells of too: then it is not counted again. Neither arguments nor "
        "results are sent. What the server's middleware refuses is told by both ends together; the SDK's own client "
        "does not see whether an answer is an error.",
        gives={
            "agent": "report from the agent that calls the server",
            "model": "report from the agent that calls the server",
            "system_prompt": "report from the agent that calls the server",
            "inputs": "report from the agent that calls the server",
            "tools": "report from the agent that calls the server",
            "reviewer": "record the answer with aftertrace.semconv.instrument",
            "decisions": "report from the servers too",
        },
    ),
    Emitter(
        name="otel-genai",
        title="OpenAI Agents SDK, LangChain and model clients through OpenTelemetry's own instrumentations",
        observed="opentelemetry-instrumentation-genai-* 1.3b0, -openai-agents-v2 0.1.0",
        services=(),
        scopes=("opentelemetry.instrumentation.genai.*", "opentelemetry.instrumentation.google_genai"),
        signals=("traces", "logs"),
        switches=SDK
        + f"""\
pip install opentelemetry-instrumentation-genai-openai-agents opentelemetry-instrumentation-genai-openai
pip install opentelemetry-instrumentation-genai-langchain    # also: -genai-anthropic, -genai-bedrock, -google-genai
pip install opentelemetry-distro opentelemetry-exporter-otlp
export OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental
export {GENAI_CONTENT}   # without it neither proposals nor refusals are seen
opentelemetry-instrument python app.py
""",
        note="That of the OpenAI Agents SDK tells of agents and tools alone: install that of its model client beside "
        "it. Its calls have no ids; one that waits for approval looks like one that returned nothing until the run "
        "goes on. Of LangChain's approvals the text given to the model tells.",
        gives={
            "model": "the instrumentation of the model's client",
            "system_prompt": GENAI_CONTENT,
            "inputs": GENAI_CONTENT,
            "tools": GENAI_CONTENT,
            "reviewer": "record the answer with aftertrace.semconv.instrument",
            "decisions": GENAI_CONTENT,
        },
    ),
)
"""In the order in which `aftertrace connect` lists them."""
