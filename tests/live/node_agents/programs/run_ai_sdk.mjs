// Vercel AI SDK 6 and 7 against the scripted model: `run_ai_sdk.mjs SETTINGS`, a JSON object (see `ai_sdk.py`).

import { createOpenAI } from "@ai-sdk/openai";
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText, stepCountIs, streamText, tool } from "ai";
import * as ai from "ai";
import { z } from "zod";

import { asked, BODIES, GUARDED, helped, inputs, nextAnswer, rendered, reviewerThinks, stop } from "./toolbox.mjs";

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": asked.service }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();

const content = !asked.no_content;
const telemetry = { isEnabled: true, functionId: "clerk", recordInputs: content, recordOutputs: content };
const IS_7 = "registerTelemetry" in ai;
if (IS_7) {
  const { LegacyOpenTelemetry, OpenTelemetry } = await import("@ai-sdk/otel");
  ai.registerTelemetry(asked.legacy ? new LegacyOpenTelemetry() : new OpenTelemetry());
} else {
  telemetry.metadata = asked.metadata ?? {};
}

const openai = createOpenAI({ baseURL: `${process.env.LIVE_MODEL_URL}/v1`, apiKey: "scripted" });
const model = asked.provider_tools ? openai.responses("scripted-1") : openai.chat("scripted-1");

const tools = Object.fromEntries(
  Object.entries(inputs(z)).map(([name, input]) => [
    name,
    tool({
      description: `The tool ${name}.`,
      inputSchema: z.object(input),
      needsApproval: GUARDED.includes(name) && !asked.approvals,
      execute: (given, { abortSignal }) => BODIES[name](given, abortSignal),
    }),
  ]),
);
tools.render = tool({ description: "Rendered by the client.", inputSchema: z.object({ page: z.string() }) });
tools.ask_helper = tool({
  description: "Let the helper do it.",
  inputSchema: z.object({ task: z.string() }),
  execute: async ({ task }) => {
    helped();
    const { render, ask_helper, ...own } = tools;
    const spoken = { ...telemetry, functionId: "helper" };
    return (await generateText({ ...options(spoken), tools: own, prompt: task })).text;
  },
});
if (asked.provider_tools) tools.web_search = openai.tools.webSearch({});

/** Another chance for a call that does not fit: what the model meant. */
const repair = async ({ toolCall }) => ({ ...toolCall, toolName: "read_db", input: '{"q":"a"}' });

function options(spoken) {
  return {
    model,
    stopWhen: stepCountIs(asked.steps ?? 10),
    maxRetries: 0,
    providerOptions: { openai: { store: false } },
    ...(IS_7 ? { telemetry: spoken, instructions: "Be careful." } : { experimental_telemetry: spoken, system: "Be careful." }),
    ...(asked.approvals && { toolApproval: asked.approvals }),
    ...(asked.repaired && { experimental_repairToolCall: repair, repairToolCall: repair }),
  };
}

/** One run of the agent: what it added to the conversation, and what it leaves open. */
async function run(messages) {
  const given = { ...options(telemetry), tools, messages, abortSignal: stop.signal };
  if (!asked.streamed) {
    const result = await generateText(given);
    return { parts: result.content, added: result.responseMessages ?? result.response.messages };
  }
  const result = streamText({ ...given, onError: () => {} });
  await result.consumeStream();
  return { parts: await result.content, added: (await result.responseMessages) ?? (await result.response).messages };
}

/** Answers to what the run left open; nothing where nobody answers. */
async function answered(parts) {
  const open = parts.filter((part) => part.type === "tool-approval-request" && !part.isAutomatic);
  const calls = parts.filter((part) => part.type === "tool-call" && part.toolName === "render");
  if (open.length + calls.length > 0) await reviewerThinks();
  const found = [];
  for (const { approvalId } of open) {
    const answer = nextAnswer();
    if (answer !== null) found.push({ type: "tool-approval-response", approvalId, ...answer });
  }
  for (const { toolCallId, toolName, input } of asked.client ? calls : []) {
    found.push({ type: "tool-result", toolCallId, toolName, output: { type: "text", value: rendered(input) } });
  }
  return found;
}

async function conversation() {
  const messages = [];
  for (const prompt of asked.prompts) {
    messages.push({ role: "user", content: prompt });
    for (let open = true; open; ) {
      const { parts, added } = await run(messages).catch((error) => {
        console.log(`${error.name}: ${error.message}`);
        return { parts: [], added: [] };
      });
      messages.push(...added);
      const found = await answered(parts);
      if (found.length > 0) messages.push({ role: "tool", content: found });
      open = found.length > 0;
    }
  }
}

if (asked.wrapped) {
  await trace.getTracer("desk").startActiveSpan("serve a customer", async (span) => {
    await conversation();
    span.end();
  });
} else {
  await conversation();
}
await provider.shutdown();
