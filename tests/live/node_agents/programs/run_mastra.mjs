// Mastra against the scripted model: `run_mastra.mjs SETTINGS`, a JSON object (see `mastra.py`).

import { createOpenAI } from "@ai-sdk/openai";
import { Mastra } from "@mastra/core";
import { Agent } from "@mastra/core/agent";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { Observability } from "@mastra/observability";
import { OtelExporter } from "@mastra/otel-exporter";
import { z } from "zod";

import { asked, BODIES, GUARDED, helped, inputs, nextAnswer, rendered, reviewerThinks, shipped, stop } from "./toolbox.mjs";

const openai = createOpenAI({ baseURL: `${process.env.LIVE_MODEL_URL}/v1`, apiKey: "scripted" });
const model = asked.provider_tools ? openai.responses("scripted-1") : openai.chat("scripted-1");

const tools = Object.fromEntries(
  Object.entries(inputs(z)).map(([id, input]) => [
    id,
    createTool({
      id,
      description: `The tool ${id}.`,
      inputSchema: z.object(input),
      requireApproval: GUARDED.includes(id),
      execute: (given, { abortSignal }) => BODIES[id](given, abortSignal),
    }),
  ]),
);
tools.render = createTool({ id: "render", description: "Rendered by the client.", inputSchema: z.object({ page: z.string() }) });
tools.ship = createTool({
  id: "ship",
  description: "Ship a parcel, once it is insured.",
  inputSchema: z.object({ parcel: z.string() }),
  suspendSchema: z.object({ question: z.string() }),
  resumeSchema: z.object({ approved: z.boolean(), reason: z.string().optional() }),
  execute: async ({ parcel }, { agent }) => {
    if (!agent?.resumeData) return agent.suspend({ question: `Ship ${parcel}?` });
    return agent.resumeData.approved ? shipped(parcel) : "not shipped";
  },
});
if (asked.provider_tools) tools.web_search = openai.tools.webSearch({});

const helper = new Agent({
  id: "helper",
  name: "helper",
  description: "Reads what it is told to.",
  instructions: "Be quick.",
  model,
  tools: { read_db: tools.read_db },
});
const clerk = new Agent({ id: "clerk", name: "clerk", instructions: "Be careful.", model, tools, agents: { helper } });

const exporter = new OtelExporter({
  provider: { custom: { endpoint: `${process.env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`, protocol: "http/protobuf" } },
});
const observability = new Observability({ configs: { otel: { serviceName: asked.service, exporters: [exporter] } } });
new Mastra({ agents: { clerk }, storage: new InMemoryStore(), observability, logger: false });

const hidden = { hideInput: true, hideOutput: true };
const options = () => ({
  maxSteps: asked.steps ?? 10,
  delegation: { messageFilter: () => [] },
  ...(asked.no_content && { tracingOptions: hidden }),
  abortSignal: stop.signal,
  ...(asked.asks_of_all && { requireToolApproval: true }),
});

/** A run's whole output, streamed or not. */
async function whole(streaming, generating, ...given) {
  if (!asked.streamed) return clerk[generating](...given);
  const stream = await clerk[streaming](...given);
  await stream.consumeStream();
  return stream.getFullOutput();
}

/** The run that an answer resumes. */
function resumed(output, answer) {
  const { toolCallId, suspendPayload } = output.suspendPayload;
  const about = { ...options(), runId: output.runId, toolCallId };
  if (suspendPayload !== undefined) return whole("resumeStream", "resumeGenerate", answer, about);
  if (answer.approved) return whole("approveToolCall", "approveToolCallGenerate", about);
  return whole("declineToolCall", "declineToolCallGenerate", { ...about, reason: answer.reason });
}

/** The results of the calls that are left to the client. */
function supplied({ toolCalls }) {
  const calls = (toolCalls ?? []).map((call) => call.payload ?? call).filter((call) => call.toolName === "render");
  return calls.map(({ toolCallId, toolName, args }) => ({
    type: "tool-result",
    toolCallId,
    toolName,
    output: { type: "text", value: rendered(args) },
  }));
}

const messages = [];
for (const prompt of asked.prompts) {
  messages.push({ role: "user", content: prompt });
  let output = await whole("stream", "generate", messages, options());
  while (output.finishReason === "suspended") {
    await reviewerThinks();
    const answer = nextAnswer();
    if (answer === null) break;
    output = await resumed(output, answer);
  }
  if (output.error) console.log(`${output.error.name}: ${output.error.message}`);
  messages.push(...(output.response?.messages ?? []));
  const results = asked.client ? supplied(output) : [];
  if (results.length > 0) {
    await reviewerThinks();
    await whole("stream", "generate", [...messages, { role: "tool", content: results }], options());
  }
}
await observability.shutdown();
