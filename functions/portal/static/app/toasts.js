// Short news at the edge of the page, read out to who does not see it.

import { html } from "../vendor/htm-preact.js";
import { createStore, useStore } from "./store.js";
import { Icon } from "./parts/icon.js";

const toasts = createStore([]);
const STAY_MILLISECONDS = 6000;
let number = 0;

export function toast(words, { tone = "good", action = null } = {}) {
  const id = ++number;
  toasts.set((all) => [...all.slice(-2), { id, words, tone, action }]);
  setTimeout(() => dismiss(id), action ? STAY_MILLISECONDS * 2 : STAY_MILLISECONDS);
}

const dismiss = (id) => toasts.set((all) => all.filter((one) => one.id !== id));

export function Toasts() {
  const all = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${all.map(
      (one) => html`<div class=${`toast tone-${one.tone}`} key=${one.id}>
        <${Icon} name=${one.tone === "bad" ? "alert" : "check"} />
        <span>${one.words}</span>
        ${one.action && html`<button class="link" onClick=${() => { dismiss(one.id); one.action.run(); }}>${one.action.words}</button>`}
        <button class="icon-button" aria-label="Dismiss" onClick=${() => dismiss(one.id)}><${Icon} name="x" /></button>
      </div>`,
    )}
  </div>`;
}
