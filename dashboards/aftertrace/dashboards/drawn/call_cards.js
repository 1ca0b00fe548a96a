// Calls one below the other. A line tells what became of a call; opened, it tells how.

export default function ({ data, parentElement, setStateValue }) {
  const root = rootOf(parentElement, "calls");
  const told = JSON.stringify(data.cards);
  if (root.told !== told) {
    root.told = told;
    root.replaceChildren(...data.cards.map((card) => drawn(card, setStateValue)));
    root.shown = undefined;
  }
  if (data.chosen !== root.shown) {
    root.shown = data.chosen;
    const card = root.querySelector(`[data-number="${Number(data.chosen)}"]`);
    if (card && !card.open) {
      card.asked = true;
      card.open = true;
      card.scrollIntoView({ block: "nearest" });
    }
  }
  for (const card of root.children) card.classList.toggle("at-chosen", card.dataset.number === String(data.chosen));
}

function drawn(card, setStateValue) {
  const around = make("details", `at-call at-${card.tone}`);
  around.dataset.number = card.number;
  const line = make("summary", "");
  line.appendChild(make("span", "at-place", card.number));
  line.appendChild(make("code", "at-tool", card.tool));
  const marks = make("span", "at-marks");
  for (const mark of card.marks) {
    const shown = make("span", `at-mark at-${mark.tone}`, mark.word);
    if (mark.dot) shown.prepend(make("i", `at-dot at-${mark.dot}`));
    marks.appendChild(shown);
  }
  line.appendChild(marks);
  line.appendChild(make("span", "at-brief", card.brief));
  line.appendChild(drawLine(card.aside, make("span", "at-aside")));
  around.appendChild(line);
  const body = make("div", "at-body");
  around.appendChild(body);
  const fill = () => {
    if (!body.childElementCount) drawBlocks(card.blocks, body);
  };
  if (card.open) {
    around.open = true;
    around.asked = true;
  }
  around.addEventListener("toggle", () => {
    if (around.open) fill();
    // What the page opened by itself is no choice of the reader.
    if (around.asked) around.asked = false;
    else setStateValue("chosen", around.open ? card.number : null);
  });
  if (card.open) fill();
  return around;
}
