// Runs as a list, each with a strip of its steps, or as fingerprints: steps from left to right, a row for each tool.

const NUMBERS = new Intl.NumberFormat("en");

export default function ({ data, parentElement, setTriggerValue }) {
  const root = rootOf(parentElement, "runs");
  const told = JSON.stringify(data);
  if (root.told === told) return;
  root.told = told;
  const open = (id) => setTriggerValue("opened", id);
  root.replaceChildren(legend(data.legend));
  if (data.large) {
    const around = make("div", "at-prints");
    for (const run of data.runs) around.appendChild(print(run, open));
    root.appendChild(around);
  } else {
    const around = make("div", "at-scroll");
    around.appendChild(list(data, open));
    root.appendChild(around);
  }
}

function legend(present) {
  const line = make("p", "at-quiet at-legend");
  for (const { dot, tone, word } of present) {
    const each = make("span", "");
    each.append(make("i", `at-dot at-${dot} at-tone-${tone}`), make("span", "", word));
    line.appendChild(each);
  }
  return line;
}

function link(run, open) {
  const anchor = make("a", "at-run-id", run.id.slice(0, 8));
  anchor.href = run.to;
  anchor.title = run.id;
  anchor.addEventListener("click", (event) => {
    // With a key held, the browser opens a page of its own.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    open(run.id);
  });
  return anchor;
}

function state(run) {
  return make("span", `at-mark at-colour-${run.colour}`, run.state);
}

function number(count, tone) {
  return make("td", `at-number${count && tone ? ` at-text-${tone}` : ""}${count ? "" : " at-nil"}`, NUMBERS.format(count));
}

function list({ runs, zone }, open) {
  const table = make("table", "at-list");
  const head = make("tr", "");
  const told = runs.some((run) => run.found) ? "found in, or first input" : "first input";
  for (const [name, kind, meaning] of [
    ["run", "", ""],
    ["state", "", ""],
    ["agent", "", ""],
    ["model", "", ""],
    [`began (${zone})`, "", ""],
    ["lasted", "at-number", ""],
    ["steps", "", "calls in their order: filled where it ran, hollow where it did not"],
    ["calls", "at-number", ""],
    ["near misses", "at-number", "one control away from happening"],
    ["conseq.", "at-number", "near misses of tools whose risk is above read"],
    ["failures", "at-number", "calls, effects and runs of which a control failed, counted as on the page Now"],
    [told, "", ""],
  ]) {
    const cell = make("th", kind, name);
    cell.scope = "col";
    if (meaning) cell.title = meaning;
    head.appendChild(cell);
  }
  const top = make("thead", "");
  top.appendChild(head);
  const body = make("tbody", "");
  for (const run of runs) {
    const row = make("tr", "");
    row.addEventListener("click", () => {
      if (!String(getSelection())) open(run.id);
    });
    const id = make("td", "at-unbroken");
    id.appendChild(link(run, open));
    const how = make("td", "");
    how.appendChild(state(run));
    const steps = make("td", "");
    steps.appendChild(strip(run));
    const words = make("td", run.found ? "at-told at-found" : "at-told");
    words.appendChild(make("bdi", "", run.told));
    words.title = run.told;
    row.append(
      id, how, make("td", "at-name", run.agent), make("td", "at-name at-quiet", run.model || "–"),
      drawLine([run.began], make("td", "at-unbroken")), make("td", "at-number", run.lasted), steps,
      number(run.calls), number(run.near_misses, "high"), number(run.consequential, "critical"), number(run.failures, "critical"),
      words,
    );
    body.appendChild(row);
  }
  table.append(top, body);
  return table;
}

function strip(run) {
  const strip = make("span", "at-strip");
  strip.setAttribute("role", "img");
  strip.setAttribute("aria-label", run.steps.length ? run.steps.map((step) => step.title).join("; ") : "no call");
  for (const step of run.steps.slice(0, 24)) strip.appendChild(dotOf(step));
  const left = run.calls - Math.min(run.steps.length, 24);
  if (left > 0) strip.appendChild(make("span", "at-quiet", `+${NUMBERS.format(left)}`));
  if (!run.calls) strip.appendChild(make("span", "at-quiet", "–"));
  return strip;
}

function dotOf(step) {
  const dot = make("i", `at-dot at-${step.dot} at-tone-${step.tone}`);
  dot.title = step.title;
  return dot;
}

function print(run, open) {
  const card = make("article", "at-print");
  card.addEventListener("click", () => open(run.id));
  const head = make("header", "");
  head.append(link(run, open), make("bdi", "", run.agent), state(run));
  card.appendChild(head);
  const grid = make("div", "at-grid");
  grid.setAttribute("role", "img");
  grid.setAttribute("aria-label", run.steps.map((step) => step.title).join("; ") || "no call");
  const used = [...new Set(run.steps.map((step) => step.row))].sort((one, other) => one - other);
  used.forEach((row, at) => {
    const name = make("span", "at-tool-name", run.tools[row]);
    name.style.gridRow = at + 1;
    name.title = run.tools[row];
    grid.appendChild(name);
  });
  run.steps.forEach((step, at) => {
    const dot = dotOf(step);
    dot.style.gridRow = used.indexOf(step.row) + 1;
    dot.style.gridColumn = at + 2;
    grid.appendChild(dot);
  });
  if (!run.steps.length) grid.appendChild(make("span", "at-quiet", "no call"));
  card.appendChild(grid);
  const left = run.calls - run.steps.length;
  const words = [counted(run.calls, "call", "calls"), counted(run.near_misses, "near miss", "near misses"), run.lasted];
  if (left > 0) words.push(`${NUMBERS.format(left)} steps more`);
  card.appendChild(make("p", "at-quiet at-unbroken", words.filter(Boolean).join(" · ")));
  card.appendChild(drawLine([run.began], make("p", "at-quiet at-unbroken")));
  return card;
}

function counted(count, one, many) {
  return `${NUMBERS.format(count)} ${count === 1 ? one : many}`;
}
