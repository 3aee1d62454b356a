// Where one is on the way from nothing to the first month. It goes away once that way has been walked.

import { html } from "../../vendor/htm-preact.js";
import { useLive } from "../live.js";
import { follow, href } from "../router.js";
import { Icon } from "./icon.js";

const STEPS = [
  { name: "connect", page: "integrations", words: "Connect both sides" },
  { name: "accounts", page: "accounts", words: "Map accounts" },
  { name: "services", page: "services", words: "Map services" },
  { name: "finish", page: "finish", words: "Finish" },
];

export function Steps({ at }) {
  const { integrations } = useLive();
  if (integrations === null || integrations.some((one) => one.state === "active")) return null;
  const isConnected = ["vendor", "psa"].every((side) => integrations.some((one) => one.side === side && one.state !== "not_connected"));
  const place = STEPS.findIndex((step) => step.name === at);
  return html`<nav class="steps" aria-label="Set-up"><ol>${STEPS.map((step, index) => {
    const isOpen = index === 0 || isConnected;
    const isDone = index < place || (index === 0 && isConnected);
    const mark = html`<span class="step-mark">${isDone ? html`<${Icon} name="check" />` : index + 1}</span><span>${step.words}</span>`;
    return html`<li key=${step.name} class=${`${index === place ? "is-here" : ""} ${isDone ? "is-done" : ""}`}>
      ${isOpen ? html`<a href=${href(step.page)} onClick=${follow} aria-current=${index === place ? "step" : undefined}>${mark}</a>` : html`<span class="step-closed">${mark}</span>`}</li>`;
  })}</ol>
  ${isConnected && place < STEPS.length - 1 && html`<a class="button primary" href=${href(STEPS[place + 1].page)} onClick=${follow}>Next: ${STEPS[place + 1].words}<${Icon} name="right" /></a>`}
  </nav>`;
}
