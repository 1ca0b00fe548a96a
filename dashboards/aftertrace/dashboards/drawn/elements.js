// What all drawings share. Texts of senders come in as data and go out as text: nothing here reads markup.

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  return element;
}

function button(className, text, label, onClick) {
  const element = make("button", className, text);
  element.type = "button";
  if (label) element.setAttribute("aria-label", label);
  element.addEventListener("click", onClick);
  return element;
}

// The one element below `parent` that a drawing fills; it is the same whenever new data comes.
function rootOf(parent, name) {
  let root = parent.querySelector(":scope > .at-root");
  if (!root) {
    root = make("div", `at-root at-${name}`);
    parent.appendChild(root);
  }
  return root;
}

// A point in time: as the page tells it, in UTC for machines, and for whoever hovers.
function instant(piece) {
  const element = make("time", "", piece.text);
  element.dateTime = piece.at;
  if (piece.hint) element.title = piece.hint;
  return element;
}

function drawLine(pieces, into) {
  for (const piece of pieces) {
    if (piece.tone) into.appendChild(make("span", `at-mark at-${piece.tone}`, piece.text));
    else if (piece.to && piece.to.startsWith("/")) {
      const link = make("a", "at-code", piece.text);
      link.href = piece.to;
      into.appendChild(link);
    } else if (piece.code) into.appendChild(make("code", "", piece.text));
    else if (piece.at) into.appendChild(instant(piece));
    else if (piece.strong) into.appendChild(make("strong", "", piece.text));
    else into.appendChild(make("bdi", "", piece.text));
  }
  return into;
}

// A short text stays on one line, however narrow its column; a digest is told by how it begins, the whole of it to whoever hovers.
const SHORT_CHARACTERS = 20;
const DIGEST = /sha256:[0-9a-f]{64}/g;

function shortened(pieces, into) {
  const whole = pieces.map((piece) => piece.text ?? "").join("");
  const told = pieces.map((piece) => ({ ...piece, text: piece.text?.replace(DIGEST, (digest) => `${digest.slice(0, 19)}…`) }));
  drawLine(told, into);
  if (into.textContent !== whole) into.title = whole;
  return into;
}

function tableCell(pieces, kind) {
  const cell = shortened(pieces, make("td", kind));
  if (cell.textContent.length <= SHORT_CHARACTERS) cell.classList.add("at-unbroken");
  return cell;
}

const DRAWN = {
  paragraph: (block) => drawLine(block.line, make("p", "")),
  points: (block) => {
    const list = make("ul", "");
    for (const line of block.lines) list.appendChild(drawLine(line, make("li", "")));
    return list;
  },
  facts: (block) => {
    const list = make("dl", "at-facts");
    for (const fact of block.facts) {
      const cell = make("div", "");
      cell.appendChild(make("dt", "", fact.name));
      cell.appendChild(shortened(fact.value, make("dd", "")));
      list.appendChild(cell);
    }
    return list;
  },
  table: (block) => {
    const around = make("div", "at-scroll");
    around.tabIndex = 0;
    around.setAttribute("role", "region");
    around.setAttribute("aria-label", `Table of ${block.columns.map((column) => column.name).join(", ")}`);
    const table = make("table", "");
    const kind = (column) => [column.number ? "at-number" : "", column.unbroken ? "at-unbroken" : ""].join(" ").trim();
    const head = make("tr", "");
    for (const column of block.columns) {
      const cell = make("th", kind(column), column.name);
      cell.scope = "col";
      head.appendChild(cell);
    }
    const top = make("thead", "");
    top.appendChild(head);
    const body = make("tbody", "");
    for (const row of block.rows) {
      const line = make("tr", "");
      row.forEach((cell, at) => line.appendChild(tableCell(cell, kind(block.columns[at]))));
      body.appendChild(line);
    }
    table.append(top, body);
    around.appendChild(table);
    if (!block.more.length) return around;
    const both = make("div", "");
    both.append(around, drawLine(block.more, make("p", "at-quiet")));
    return both;
  },
  excerpt: (block) => {
    const text = make("pre", "");
    const changed = new Set(block.changed);
    block.lines.forEach((line, at) => {
      const tag = changed.has(at) ? (block.sign === "-" ? "del" : "ins") : "span";
      const shown = make(tag, "at-line", line || " ");
      if (changed.has(at)) shown.dataset.sign = block.sign === "-" ? "−" : "+";
      text.appendChild(shown);
    });
    if (!block.more) return text;
    const both = make("div", "");
    both.append(text, make("p", "at-quiet", block.more));
    return both;
  },
  steps: (block) => {
    const steps = make("div", "at-steps");
    for (const step of block.steps) {
      const cell = make("section", "");
      cell.appendChild(make("h4", "", step.title));
      drawBlocks(step.blocks, cell);
      steps.appendChild(cell);
    }
    return steps;
  },
  cards: (block) => {
    const cards = make("div", block.small ? "at-cards at-small" : "at-cards");
    for (const card of block.cards) {
      const drawn = make("article", `at-card at-${card.tone}`);
      const head = make("header", "");
      const title = make("h3", "");
      if (card.at) title.append(instant(card.at), " · ");
      title.appendChild(make("bdi", "", card.title));
      head.appendChild(title);
      const marks = make("span", "at-marks");
      for (const mark of card.marks) marks.appendChild(make("span", `at-mark at-${mark.tone}`, mark.word));
      head.appendChild(marks);
      drawn.appendChild(head);
      drawBlocks(card.blocks, drawn);
      cards.appendChild(drawn);
    }
    return cards;
  },
  folded: (block) => {
    const folded = make("details", "at-folded");
    folded.appendChild(make("summary", "", block.title));
    drawBlocks(block.blocks, folded);
    return folded;
  },
};

// Many folded parts after each other stand side by side.
const FOLDED_BESIDE = 6;

function drawBlocks(blocks, into) {
  for (let at = 0; at < blocks.length; ) {
    let end = at;
    while (end < blocks.length && blocks[end].is === "folded") end += 1;
    if (end - at > FOLDED_BESIDE) {
      const beside = make("div", "at-beside");
      for (const block of blocks.slice(at, end)) beside.appendChild(DRAWN.folded(block));
      into.appendChild(beside);
      at = end;
    } else {
      into.appendChild(DRAWN[blocks[at].is](blocks[at]));
      at += 1;
    }
  }
  return into;
}
