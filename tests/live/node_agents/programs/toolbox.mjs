// What the scripted programs share. It needs nothing but Node; the tools log that they ran, which is the truth.

import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What the harness asks of this program: the scene's settings and answers. */
export const asked = JSON.parse(process.argv[2]);

const ran = (tool) => appendFileSync(process.env.LIVE_TOOL_LOG, `${tool}\n`);

/** Ends the agent's run, a second after the tool `slow` began. */
export const stop = new AbortController();

/** Bodies of the tools, by name. Each may be given a signal that ends it. */
export const BODIES = {
  read_db: async ({ q }) => (ran("read_db"), `rows of ${q}`),
  delete_db: async ({ q }) => (ran("delete_db"), `deleted ${q}`),
  pay: async ({ amount }) => (ran("pay"), `paid ${amount}`),
  void: async () => void ran("void"),
  broken: async ({ q }) => {
    ran("broken");
    throw new Error(`no connection for ${q}`);
  },
  slow: async ({ q }, signal) => {
    setTimeout(() => stop.abort(), 1000);
    await sleep(20_000, undefined, { signal });
    return `slowly ${q}`;
  },
  hurried: async ({ q }) => {
    ran("hurried");
    await sleep(20_000, undefined, { signal: AbortSignal.timeout(200) });
    return `hurriedly ${q}`;
  },
};

/** What each tool is given, as schemas of a program's own Zod. */
export const inputs = (z) => ({
  read_db: { q: z.string() },
  delete_db: { q: z.string() },
  pay: { amount: z.number() },
  void: {},
  broken: { q: z.string() },
  slow: { q: z.string() },
  hurried: { q: z.string() },
});

/** Tools that wait for a person. */
export const GUARDED = ["delete_db", "pay"];

/** A tool that the client runs: its result. */
export const rendered = ({ page }) => (ran("render"), `<svg>${page}</svg>`);

/** A tool that asks by itself, once it may go on. */
export const shipped = (parcel) => (ran("ship"), `shipped ${parcel}`);

/** Log that the tool which is another agent runs. */
export const helped = () => ran("ask_helper");

/** Let the answer to an approval take its time. */
export const reviewerThinks = () => sleep(1000 * (asked.thinks_s ?? 0));

const answers = [...(asked.answers ?? [])];

/** The answer to the next question: `yes`, `no`, `no, WHY` or, once all are given, null. */
export function nextAnswer() {
  const answer = answers.shift();
  if (answer === undefined) return null;
  return { approved: answer === "yes", reason: answer.startsWith("no, ") ? answer.slice(4) : undefined };
}
