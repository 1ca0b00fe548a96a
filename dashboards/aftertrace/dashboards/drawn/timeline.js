// A run on the clock. What lasts is a bar, what happens in a moment a mark; each lane has as many rows as it takes.

const LEAST_PIXELS = 5;
const LABEL_PIXELS = 6.6;
// The names of lanes stand to the left and stay there; to the right there is room for the last label.
const NAMES_PIXELS = 110;
const BESIDE_PIXELS = 220;
const MOST_ROWS = 8;
const MOST_ZOOM = 5000;
const STEPS_S = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
  21600, 43200, 86400, 604800,
];

export default function ({ data, parentElement, setStateValue }) {
  const root = rootOf(parentElement, "timeline");
  const told = JSON.stringify([data.began, data.span, data.events]);
  if (root.told !== told) {
    root.told = told;
    root.drawing = new Timeline(root, data, (id) => setStateValue("chosen", id));
  }
  root.drawing.choose(data.chosen, false);
}

class Timeline {
  constructor(root, data, tell) {
    Object.assign(this, { root, data, tell, zoom: 1, chosen: null, bars: new Map() });
    this.byId = new Map(data.events.map((event) => [event.id, event]));
    root.replaceChildren();
    root.appendChild(this.tools());
    this.view = make("div", "at-view");
    this.view.tabIndex = -1;
    this.inner = make("div", "at-inner");
    this.view.appendChild(this.inner);
    root.appendChild(this.view);
    this.detail = make("div", "at-detail");
    this.detail.setAttribute("aria-live", "polite");
    root.appendChild(this.detail);
    this.axis = make("div", "at-axis");
    this.inner.appendChild(this.axis);
    this.lay(Math.max(300, (this.view.clientWidth || 1000) - BESIDE_PIXELS));
    this.view.addEventListener("scroll", () => this.ticks());
    this.view.addEventListener("keydown", (event) => this.key(event));
    this.view.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.ticks()).observe(this.view);
    this.ticks();
    this.tellDetail(null);
  }

  tools() {
    const bar = make("div", "at-tools");
    const began = drawLine(this.data.began, make("span", "at-quiet"));
    began.append(`, ${length(this.data.span)} in all`);
    bar.appendChild(began);
    const right = make("span", "at-buttons");
    right.append(
      button("at-button", "−", "Zoom out", () => this.scale(this.zoom / 2)),
      button("at-button", "+", "Zoom in", () => this.scale(this.zoom * 2)),
      button("at-button", "Fit", "Show the whole run", () => this.scale(1)),
      button("at-button", "To the chosen", "Zoom to the chosen event", () => this.toChosen()),
    );
    bar.appendChild(right);
    return bar;
  }

  // Rows are found once, for the whole run on the screen, so that nothing jumps while one zooms.
  lay(pixels) {
    const perSecond = pixels / this.data.span;
    for (const gap of this.data.gaps) {
      const band = make("div", "at-gap");
      band.style.left = beside(gap.from / this.data.span);
      band.style.width = `calc((100% - ${BESIDE_PIXELS}px) * ${(gap.to - gap.from) / this.data.span})`;
      band.title = gap.title;
      band.appendChild(make("span", "", gap.title));
      this.inner.appendChild(band);
    }
    for (const lane of this.data.lanes) {
      const events = this.data.events.filter((event) => event.lane === lane.name);
      const ends = [];
      const around = make("div", `at-lane at-lane-${lane.name}`);
      const name = make("div", "at-lane-name", lane.title);
      around.appendChild(name);
      const rows = make("div", "at-rows");
      events.sort((one, other) => one.from - other.from || other.lasted - one.lasted);
      for (const event of events) {
        const left = event.from * perSecond;
        const wide = Math.max(event.lasted * perSecond, LEAST_PIXELS);
        const whole = wide + event.label.length * LABEL_PIXELS + 12;
        let row = ends.findIndex((end) => end <= left);
        if (row < 0) row = ends.length < MOST_ROWS ? ends.length : ends.indexOf(Math.min(...ends));
        const isCrowded = (ends[row] ?? -1) > left;
        ends[row] = left + (isCrowded ? wide : whole);
        rows.appendChild(this.bar(event, row, isCrowded));
      }
      rows.style.height = `${Math.max(1, ends.length) * 22 + 6}px`;
      around.appendChild(rows);
      this.inner.appendChild(around);
    }
  }

  bar(event, row, isCrowded) {
    const kind = `${event.lasted ? "at-bar" : "at-point"}${event.refused ? " at-refused" : ""}`;
    const bar = button(`at-event ${kind}`, null, `${event.title}, ${event.label}, ${length(event.from)} in`, () =>
      this.choose(event.id, true),
    );
    Object.assign(bar.style, { left: this.share(event.from), width: this.share(event.lasted), top: `${row * 22 + 4}px` });
    bar.title = `${event.title}\n${event.label}\n+${length(event.from)}${event.lasted ? `, ${length(event.lasted)}` : ""}`;
    if (!isCrowded) bar.appendChild(make("span", "at-label", event.label));
    this.bars.set(event.id, bar);
    return bar;
  }

  share(seconds) {
    return `${(100 * seconds) / this.data.span}%`;
  }

  scale(zoom, at) {
    const width = this.view.clientWidth;
    const point = at ?? width / 2;
    const before = (this.view.scrollLeft + point) / this.inner.clientWidth;
    this.zoom = Math.min(Math.max(zoom, 1), MOST_ZOOM);
    this.inner.style.width = `${100 * this.zoom}%`;
    this.view.scrollLeft = before * this.inner.clientWidth - point;
    this.ticks();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.scale(this.zoom * (event.deltaY < 0 ? 1.25 : 0.8), event.clientX - this.view.getBoundingClientRect().left);
  }

  key(event) {
    const order = this.data.events;
    const at = order.findIndex((each) => this.bars.get(each.id) === document.activeElement);
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (move && at >= 0) this.bars.get(order[Math.min(Math.max(at + move, 0), order.length - 1)].id).focus();
    else if (event.key === "+") this.scale(this.zoom * 2);
    else if (event.key === "-") this.scale(this.zoom / 2);
    else if (event.key === "0") this.scale(1);
    else return;
    event.preventDefault();
  }

  toChosen() {
    const event = this.byId.get(this.chosen);
    if (!event) return;
    this.scale(this.data.span / Math.max(4 * event.lasted, this.data.span / 200));
    const middle = (event.from + event.lasted / 2) / this.data.span;
    this.view.scrollLeft = NAMES_PIXELS + middle * (this.inner.clientWidth - BESIDE_PIXELS) - this.view.clientWidth / 2;
  }

  ticks() {
    const wide = this.inner.clientWidth - BESIDE_PIXELS;
    if (wide <= 0) return;
    const least = (this.data.span * 90) / wide;
    const step = STEPS_S.find((each) => each >= least) ?? STEPS_S.at(-1);
    const shown = (pixels) => ((pixels - NAMES_PIXELS) / wide) * this.data.span;
    const first = Math.max(0, Math.floor(shown(this.view.scrollLeft) / step));
    const last = Math.min(this.data.span, shown(this.view.scrollLeft + this.view.clientWidth));
    const marks = [];
    for (let at = first; at * step <= last; at += 1) {
      const mark = make("span", "at-tick", at ? `+${offset(at * step, step)}` : "0");
      mark.style.left = beside((at * step) / this.data.span);
      marks.push(mark);
    }
    this.axis.replaceChildren(...marks);
  }

  choose(id, byReader) {
    if (id === this.chosen && !byReader) return;
    this.bars.get(this.chosen)?.classList.remove("at-chosen");
    this.bars.get(this.chosen)?.removeAttribute("aria-current");
    this.chosen = byReader && id === this.chosen ? null : id;
    const bar = this.bars.get(this.chosen);
    bar?.classList.add("at-chosen");
    bar?.setAttribute("aria-current", "true");
    this.tellDetail(this.byId.get(this.chosen));
    if (byReader) this.tell(this.chosen);
  }

  tellDetail(event) {
    this.detail.replaceChildren();
    if (!event) {
      const how = "Choose an event to see what it tells. Arrow keys go from one to the next; + and − zoom, 0 fits.";
      this.detail.appendChild(make("p", "at-quiet", how));
      return;
    }
    const head = make("header", "");
    head.appendChild(make("strong", "", event.title));
    if (event.call !== null) {
      head.appendChild(button("at-button", `Open call ${event.call}`, null, () => this.tell(`call ${event.call}`)));
    }
    this.detail.appendChild(head);
    this.detail.appendChild(DRAWN.facts(event));
    if (event.detail) this.detail.appendChild(make("pre", "", event.detail));
  }
}

function beside(share) {
  return `calc(${NAMES_PIXELS}px + (100% - ${BESIDE_PIXELS}px) * ${share})`;
}

function length(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  const units = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
  for (const [unit, name, part, partName] of units) {
    if (seconds >= unit) return `${Math.floor(seconds / unit)} ${name} ${Math.floor((seconds % unit) / part)} ${partName}`;
  }
  return `${seconds.toFixed(1)} s`;
}

function offset(seconds, step) {
  if (step < 1) return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(step < 0.1 ? 3 : 1)} s`;
  return seconds < 60 ? `${Math.round(seconds)} s` : length(seconds);
}
