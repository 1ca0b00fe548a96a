// An agent of Cline's SDK with four tools, two of which need approval: `cline_program.mjs MODEL_URL OTLP_URL PROMPT`.
import { appendFileSync } from "node:fs";
import { ClineCore } from "@cline/core";
import { createConfiguredTelemetryHandle } from "@cline/core/telemetry";

const [modelUrl, otlpUrl, prompt] = process.argv.slice(2);
const SYSTEM = { cline_type: "sdk", extension_version: "1", platform: "node", platform_version: "1", os_type: "linux" };

const telemetry = createConfiguredTelemetryHandle({
  enabled: true,
  serviceName: "clerk-app",
  logsExporter: "otlp",
  otlpProtocol: "http/json",
  otlpEndpoint: otlpUrl,
  otlpInsecure: true,
  distinctId: "ana",
  metadata: { ...SYSTEM, os_version: "1" },
});

const tool = (name, body) => ({
  name,
  description: `To ${name}.`,
  inputSchema: { type: "object", properties: { q: { type: "string" } } },
  execute: async () => {
    appendFileSync(process.env.LIVE_TOOL_LOG, `${name}\n`);
    return body();
  },
});
const fail = () => {
  throw new Error("disk on fire");
};
const ask = { autoApprove: false };
const letRun = { autoApprove: true };

const requestToolApproval = async ({ toolName }) => {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return toolName === "pay" ? { approved: true } : { approved: false, reason: "The operator says no." };
};

const cline = await ClineCore.create({
  clientName: "clerk",
  backendMode: "local",
  telemetry: telemetry.telemetry,
  distinctId: "ana",
  capabilities: { requestToolApproval },
});
await cline.start({
  config: {
    providerId: "openai-compatible",
    modelId: "scripted-1",
    apiKey: "scripted",
    baseUrl: `${modelUrl}/v1`,
    cwd: process.cwd(),
    mode: "act",
    enableTools: false,
    enableSpawnAgent: false,
    enableAgentTeams: false,
    systemPrompt: "You are a clerk.",
    telemetry: telemetry.telemetry,
    extraTools: [
      tool("read_db", () => "rows"),
      tool("delete_db", () => "deleted"),
      tool("pay", () => "paid"),
      tool("broken", fail),
    ],
  },
  toolPolicies: { read_db: letRun, broken: letRun, delete_db: ask, pay: ask },
  prompt,
  interactive: false,
});
await cline.dispose();
await telemetry.flush();
await telemetry.dispose();
