// Icons as lines of one weight. They never stand alone for a meaning: a word is always beside them, or in the label.

import { html } from "../../vendor/htm-preact.js";

const PATHS = {
  check: "M3.5 8.5l3 3 6-7",
  x: "M4 4l8 8M12 4l-8 8",
  up: "M8 13V3.5M4 7.2L8 3.2l4 4",
  down: "M8 3v9.5M4 8.8l4 4 4-4",
  plus: "M8 3v10M3 8h10",
  minus: "M3.5 8h9",
  right: "M3 8h9.5M8.8 4l4 4-4 4",
  chevron: "M6 3.5L10.5 8 6 12.5",
  lock: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 015 0v2.5",
  question: "M5.6 5.8a2.4 2.4 0 114 1.8C8.6 8.4 8 8.8 8 10M8 12.6v.1",
  alert: "M8 2.5l6 10.8H2zM8 6.5v3.2M8 11.6v.1",
  clock: "M8 2.2a5.8 5.8 0 100 11.6A5.8 5.8 0 008 2.2M8 5v3.2l2.2 1.4",
  plug: "M6 2v3.5M10 2v3.5M4.2 5.5h7.6v2a3.8 3.8 0 01-7.6 0zM8 11.3V14",
  fork: "M8 13.5V9L4 5.2V2.5M8 9l4-3.8V2.5",
  ring: "M8 3a5 5 0 100 10A5 5 0 008 3",
  cart: "M2 3h1.8l1.5 7h6.6L13.5 5H4.2M6.3 13v.1M11 13v.1",
  search: "M7 2.8a4.2 4.2 0 100 8.4 4.2 4.2 0 000-8.4M10.2 10.2l3.3 3.3",
  filter: "M2.5 4h11M4.5 8h7M6.5 12h3",
  undo: "M3 6.5h6.5a3.5 3.5 0 010 7H7M5.8 3.5L2.8 6.5l3 3",
  download: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.2h10",
  upload: "M8 10.5V3M4.8 6L8 2.8 11.2 6M3 13.2h10",
  sun: "M8 5.4a2.6 2.6 0 100 5.2 2.6 2.6 0 000-5.2M8 1.6v1.2M8 13.2v1.2M1.6 8h1.2M13.2 8h1.2M3.5 3.5l.8.8M11.7 11.7l.8.8M3.5 12.5l.8-.8M11.7 4.3l.8-.8",
  moon: "M12.8 9.6A5.4 5.4 0 016.4 3.2a5.4 5.4 0 106.4 6.4z",
  screen: "M2.5 3.5h11v7.5h-11zM6 13.5h4M8 11v2.5",
  keyboard: "M1.8 4.5h12.4v7H1.8zM4.2 7h.1M6.7 7h.1M9.2 7h.1M11.7 7h.1M5 9.4h6",
  refresh: "M13 4v3h-3M3 12V9h3M12.6 7A5 5 0 004 5.2M3.4 9a5 5 0 008.6 1.8",
  grip: "M6 4v.1M10 4v.1M6 8v.1M10 8v.1M6 12v.1M10 12v.1",
  scales: "M8 2.5v11M5 13.5h6M3 5h10M3 5l-1.6 4.2h3.2zM13 5l-1.6 4.2h3.2z",
  list: "M6 4h7.5M6 8h7.5M6 12h7.5M2.6 4h.1M2.6 8h.1M2.6 12h.1",
  people: "M6 3.2a2.1 2.1 0 100 4.2 2.1 2.1 0 000-4.2M2.2 13c.3-2.4 1.8-3.6 3.8-3.6S9.5 10.6 9.8 13M10.6 3.6a2 2 0 010 3.6M11.6 9.7c1.3.400 2 1.5 2.2 3.3",
  box: "M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6",
  plan: "M3.5 2.5h9v11h-9zM5.8 5.8h4.4M5.8 8.2h4.4M5.8 10.6h2.4",
  history: "M2.8 8a5.2 5.2 0 101.7-3.9L2.8 5.6M2.8 2.6v3h3M8 5.2V8l2 1.3",
  flag: "M4 14V2.5h8l-1.8 3L12 8.5H4",
  user: "M8 2.6a2.7 2.7 0 100 5.4 2.7 2.7 0 000-5.4M2.8 13.6c.4-2.7 2.4-4 5.2-4s4.8 1.3 5.2 4",
  gear: "M8 5.6a2.4 2.4 0 100 4.8 2.4 2.4 0 000-4.8M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6L5 5M11 11l1.4 1.4M3.6 12.4L5 11M11 5l1.4-1.4",
  note: "M3 3h10v7.5l-3 2.5H3zM13 10.5h-3V13M5.5 6h5M5.5 8.5h3",
};

export function Icon({ name }) {
  if (name === "spinner") return html`<span class="spinner" aria-hidden="true"></span>`;
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${PATHS[name] || PATHS.question} /></svg>`;
}

// A state: icon, word and colour, always the three together.
export function Status({ of, words }) {
  return html`<span class=${`status tone-${of.tone}`}><${Icon} name=${of.icon} /><span>${words || of.words}</span></span>`;
}
