// Agents on the JavaScript SDK, one for each way that its exporters know: `agent.mjs HTTP_URL GRPC_URL`. The same as agent.py.

import { createInterface } from "node:readline";

import { OTLPLogExporter as GrpcLogs } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtobufLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as GrpcSpans } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonSpans } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufSpans } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [http, grpc] = process.argv.slice(2);
const LIMIT_MS = 90_000;
const BATCHES = { scheduledDelayMillis: 100, maxExportBatchSize: 16, maxQueueSize: 4096, exportTimeoutMillis: LIMIT_MS };
const KINDS = { "http/json": [JsonSpans, JsonLogs], "http/protobuf": [ProtobufSpans, ProtobufLogs], grpc: [GrpcSpans, GrpcLogs] };

/** An exporter that notes the names of what it was told OK for, and of what it gave up. */
function noting(exporter, nameOf) {
  const notes = { told: [], gave_up: [] };
  const send = (items, done) =>
    exporter.export(items, (result) => {
      (result.code === 0 ? notes.told : notes.gave_up).push(...items.map(nameOf));
      done(result);
    });
  return Object.create(exporter, { notes: { value: notes }, export: { value: send } });
}

function agent(kind, compression) {
  const way = `javascript ${kind} ${compression}`;
  const settings = (signal) => ({ url: kind === "grpc" ? grpc : `${http}/v1/${signal}`, compression, timeoutMillis: LIMIT_MS });
  const [Spans, Logs] = KINDS[kind];
  const spans = noting(new Spans(settings("traces")), (span) => span.name);
  const logs = noting(new Logs(settings("logs")), (record) => record.body);
  const resource = resourceFromAttributes({ "service.name": way });
  const tracing = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(spans, BATCHES)] });
  const logging = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: logs, ...BATCHES })] });
  const tracer = tracing.getTracer("agent");
  const logger = logging.getLogger("agent");
  return {
    way,
    notes: { spans: spans.notes, logs: logs.notes },
    act(number) {
      tracer.startSpan(`${way} ${number}`, { attributes: { "agent.number": number } }).end();
      logger.emit({ body: `${way} ${number}`, attributes: { "agent.number": number } });
    },
    flush: () => Promise.all([tracing.forceFlush(), logging.forceFlush()]),
  };
}

const agents = Object.keys(KINDS).flatMap((kind) => ["none", "gzip"].map((compression) => agent(kind, compression)));
const counts = () => agents.flatMap(({ notes }) => [notes.spans.told.length, notes.logs.told.length]);

function say(afterwards) {
  const notes = Object.fromEntries(agents.map((each) => [each.way, each.notes]));
  process.stdout.write(`${JSON.stringify({ acted, notes })}\n`, afterwards);
}

let acted = 0;
let before = null;
const acting = setInterval(() => {
  for (const each of agents) each.act(acted);
  acted += 1;
  if (before && counts().every((count, place) => count > before[place])) {
    before = null;
    say();
  }
}, 40);

createInterface({ input: process.stdin }).on("line", async (line) => {
  if (line !== "end") {
    before = counts();
    return;
  }
  clearInterval(acting);
  await Promise.allSettled(agents.map((each) => each.flush()));
  say(() => process.exit(0));
});
