"""How HTML documents look: one style sheet, for screens light and dark, and for paper of any size."""

from __future__ import annotations

from typing import Final

SHEET: Final = """\
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --quiet: #59636e; --line: #d6dbe1; --soft: #f5f7f9; --accent: #0b5cad;
  --critical: #9f1239; --high: #b45309; --medium: #7a6200; --low: #4b5563; --good: #14713c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6e9ed; --quiet: #a2abb6; --line: #343b44; --soft: #1d2228; --accent: #7ab8ff;
    --critical: #ff8aa3; --high: #ffb35c; --medium: #e6cf62; --low: #b4bdc8; --good: #6fd39a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
main { max-width: 66rem; margin: 0 auto; padding: 2.2rem 1.5rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p { margin: .5rem 0; max-width: 46rem; }
.lead { color: var(--quiet); margin: 0 0 1.2rem; max-width: none; }
ul, ol { margin: .5rem 0; padding-left: 1.3rem; max-width: 50rem; }
li { margin: .3rem 0; }
p, li, td, dd { overflow-wrap: anywhere; }
td, dd, code, bdi { unicode-bidi: isolate; }
code { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; background: var(--soft);
  padding: .08em .3em; border-radius: 3px; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
.rows { font-size: .72rem; vertical-align: super; line-height: 1; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .8rem; margin: 1rem 0; }
.facts div { border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; }
dl, dd, dt { margin: 0; }
.facts dt { color: var(--quiet); font-size: .82rem; }
.facts .value { font-size: 1.55rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts .note { color: var(--quiet); font-size: .82rem; }
.scroll { overflow-x: auto; margin: .7rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); border-bottom: 1.5px solid var(--line);
  padding: .35rem .6rem .35rem 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: .4rem .6rem .4rem 0; vertical-align: top; min-width: 3.2rem; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.number { overflow-wrap: normal; }
.unbroken, .unbroken code { white-space: nowrap; }
.more { color: var(--quiet); font-size: .85rem; }
.mark { display: inline-block; font-size: .74rem; font-weight: 700; letter-spacing: .03em; text-transform: uppercase;
  border: 1.5px solid currentColor; border-radius: 4px; padding: 0 .35em; line-height: 1.45; }
.critical { color: var(--critical); } .high { color: var(--high); } .medium { color: var(--medium); }
.low, .plain { color: var(--low); } .good { color: var(--good); }
.mark, .interval span { white-space: nowrap; }
.interval { font-variant-numeric: tabular-nums; }
svg { display: block; }
.interval svg { display: inline-block; vertical-align: -2px; margin-right: .45rem; }
svg .axis { stroke: var(--line); } svg .whisker { stroke: var(--quiet); stroke-width: 1.5; }
svg .dot { fill: var(--ink); } svg .bar { fill: var(--accent); }
svg text { fill: var(--quiet); font-size: 11px; }
figure { margin: .7rem 0 1rem; }
svg.lanes { width: 100%; height: auto; }
.lane-0 { fill: #7f8fa6; } .lane-1 { fill: #5a74d6; } .lane-2 { fill: #3f9c94; } .lane-3 { fill: #e0952f; }
.lane-4 { fill: #d1495b; } svg.lanes rect { opacity: .85; }
.facts.small { gap: .7rem 1.4rem; background: var(--soft); border-radius: 6px; padding: .9rem 1rem; }
.facts.small div { border: 0; padding: 0; min-width: 0; }
.facts.small .value { font-size: .95rem; font-weight: 400; }
.facts.small dt, .label { color: var(--quiet); font-size: .74rem; letter-spacing: .03em; text-transform: uppercase; }
.label { margin: 0 0 .2rem; }
.cards { display: grid; gap: .8rem; margin: .8rem 0; }
.cards.small { grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); }
.card { border: 1px solid var(--line); border-left: 4px solid currentColor; border-radius: 6px; padding: .7rem .9rem;
  min-width: 0; }
.card > * { color: var(--ink); }
.card.plain { border-left-color: var(--line); }
.card header { display: flex; justify-content: space-between; align-items: baseline; gap: .8rem; flex-wrap: wrap; }
.card h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.card p, .card li { max-width: none; font-size: .9rem; }
.card .more, .card .more code { font-size: .8rem; }
.steps { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .8rem; margin: .6rem 0; }
.steps > div { min-width: 0; }
pre { font: .8rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; margin: 0;
  background: var(--soft); border-radius: 5px; padding: .5rem .65rem; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: isolate; }
ins { text-decoration: none; color: var(--good); font-weight: 700; }
del { color: var(--critical); }
.commands { font-size: .82rem; }
.commands li:target { background: var(--soft); }
footer { margin-top: 2.5rem; color: var(--quiet); font-size: .82rem; }
@page { margin: 14mm 13mm; }
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --ink: #111418; --quiet: #49525c; --line: #c3c9d0; --soft: #f3f5f7; --accent: #0b4a8a;
    --critical: #9f1239; --high: #9a4a06; --medium: #665200; --low: #444c57; --good: #11602f;
  }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  table { font-size: 8pt; }
  th, td { padding-right: .4rem; min-width: 0; }
  .unbroken { white-space: normal; }
  td.number { white-space: nowrap; }
  .interval svg { display: block; } .interval span { white-space: normal; }
  .mark { font-size: .68rem; }
  h2 { margin-top: 1.1rem; }
  .lead { margin-bottom: .6rem; }
  .facts { grid-template-columns: repeat(auto-fit, minmax(7.4rem, 1fr)); gap: .4rem; margin: .6rem 0; }
  .facts div { padding: .4rem .5rem; }
  .facts .value { font-size: 1.2rem; }
  .scroll { margin: .4rem 0; }
  .scroll { overflow: visible; }
  h2 { break-after: avoid; }
  tr, .facts div, li, figure, .card header, .steps > div { break-inside: avoid; }
  .cards.small { grid-template-columns: repeat(2, 1fr); }
  .facts.small { grid-template-columns: repeat(3, 1fr); }
  thead { display: table-header-group; }
  .new-page { break-before: page; }
  .new-page h2 { margin-top: 0; }
}
"""
