"""Emitters that are programs: coding agents, with the switches that each of them has of its own."""

from __future__ import annotations

from typing import Final

from aftertrace.analyzer.emitters.emitter import Emitter

CODING_AGENTS: Final[tuple[Emitter, ...]] = (
    Emitter(
        name="claude-code",
        title="Claude Code and the Claude Agent SDK",
        observed="2.1.100 to 2.1.330",
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
        "can_use_tool callback is reported as the user's. From 2.1.329 on an ask that nobody could answer reads like a "
        "deny rule. A command that a person interrupts reads like one that failed; in a headless run nothing is sent "
        "of it but that it was let through. Before 2.1.178 spans name no call, before 2.1.120 no record does: refusals "
        "are lost, and runs come in two parts. `config` stands for a rule, a mode and a saved answer alike.",
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
        note="It names no reviewer: the person at the terminal is only known as a person. Whether it was started to "
        "allow every tool is not told. Without content a tool that does not exist reads like one that failed.",
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
        "one that a person cancels or a hook refuses only spans; the last of them are lost when `codex exec` is "
        "interrupted. A hook that lets a call through reads like the configuration, and what it rewrites like what was "
        "proposed. Calls of MCP servers that need no approval have no decision. Output is cut at 2 KiB unless "
        "tool_result.max_bytes says otherwise. Approval policy and sandbox are told as a conversation starts, not when "
        "they are changed in it.",
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
export GEMINI_TELEMETRY_LOG_PROMPTS=true             # the default; false hides prompts, arguments, exit codes
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
        observed="0.15.10, 0.24.4",
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
        "rule and a person are told apart by how long the permission took, an answer for once and one for good by what "
        "follows; nobody is named.",
        gives={
            "system_prompt": "experimental.openTelemetry: true",
            "inputs": "experimental.openTelemetry: true",
            "tools": "experimental.openTelemetry: true",
            "reviewer": "",
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
export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true   # messages, arguments, results
""",
        note="A call that a person declines, and one in chat mode, leaves no span: the text given to the model tells "
        "of it, which is sent with content alone. That the same text tells of a person where it was an inspector is "
        "not to be seen. Who let a call through is not sent.",
        gives={
            "system_prompt": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
            "inputs": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
            "tools": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
            "reviewer": "",
            "decisions": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
        },
    ),
    Emitter(
        name="cline",
        title="Cline",
        observed="@cline/core 0.0.86; the extension: its source, 2026",
        services=("cline*",),
        scopes=("cline",),
        signals=("logs",),
        switches="""\
# The extension; its telemetry setting, and that of the editor, must be on:
export CLINE_OTEL_TELEMETRY_ENABLED=1
export CLINE_OTEL_LOGS_EXPORTER=otlp
export CLINE_OTEL_EXPORTER_OTLP_ENDPOINT={http} CLINE_OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
// A program of its SDK (the CLI reports to its maker alone):
const handle = createConfiguredTelemetryHandle({{ enabled: true, logsExporter: "otlp", otlpProtocol: "http/json",
  otlpEndpoint: "{http}", serviceName: "my-agent", metadata: {{ … }} }});    // from "@cline/core/telemetry"
await ClineCore.create({{ telemetry: handle.telemetry, … }})   // and in the config of each start()
""",
        note="Statistics of the product: tools by name, no ids, no arguments, no results. The extension tells whether "
        "a call was let through; what ran and failed after a person agreed reads like what ran. The SDK does not: a "
        "call that a person refused and one of an unknown tool read like one that failed.",
        gives={"system_prompt": "", "inputs": "", "tools": "", "reviewer": "sign in, so that user_id is sent"},
    ),
    Emitter(
        name="vscode-copilot",
        title="GitHub Copilot Chat in VS Code",
        observed="its source, March 2026",
        services=("copilot-chat*",),
        scopes=("copilot-chat*",),
        signals=("traces", "logs"),
        switches="""\
export COPILOT_OTEL_ENABLED=true COPILOT_OTEL_PROTOCOL=http
export COPILOT_OTEL_ENDPOINT={http}
export COPILOT_OTEL_CAPTURE_CONTENT=true             # prompts, arguments, results
""",
        note="That a person allowed a call is not sent. One that a person denied ends as one that a person stopped; "
        "the time of the question is in that of the call. Hooks are told. An answer to a call has no id, so that only "
        "its span tells what became of it: one that failed validation has none.",
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
        observed="openhands-sdk 1.58.0, lmnr 0.7.66",
        services=("openhands*",),
        scopes=("lmnr*",),
        signals=("traces",),
        switches="""\
export OTEL_EXPORTER_OTLP_ENDPOINT={http} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
# In the program, so that people have names: Conversation(…, user_id="…")
""",
        note="Questions and answers are not sent: an action waits from the end of one run of the agent to the start of "
        "the next, or to its rejection. What a person and what a hook rejects reads alike, but for when it happens. "
        "The risk that an analyzer sees is not sent. The agent has no name.",
        gives={"reviewer": "give the conversation a user_id"},
    ),
)
"""In the order in which `aftertrace connect` lists them."""
