// One change of a plan: from what to what, and what holds it.

import { html } from "../../vendor/htm-preact.js";
import { date, difference, money, number, name as shownName } from "../format.js";
import { effective, guard } from "../words.js";
import { Icon } from "../parts/icon.js";
import { Money, When } from "../parts/text.js";

export const isHeld = (change) => change.guard !== null && change.guard.state === "held";

export const isWritten = (change) => change.result?.outcome === "applied";
export const isNewLine = (change) => change.kind === "create_line";

export const effectiveWords = (change) => effective(change.effective);

// A checksum in parts that an eye can compare.
export const grouped = (checksum) => checksum.match(/.{1,8}/g) || [];

const shown = (quantity) => (quantity === null ? "—" : number(quantity));

export function FromTo({ change }) {
  return html`<span class="from-to"><span class="figure">${isNewLine(change) ? "no line" : shown(change.from)}</span><${Icon} name="right" /><b class="figure">${shown(change.to)}</b></span>`;
}

export function ChangeLine({ change }) {
  return html`<p class="change-line"><${FromTo} change=${change} /><span class="quiet">${difference(change.to - Number(change.from))} ${effectiveWords(change)}</span><${Money} amount=${change.monthly_money} currency=${change.currency} sign /></p>`;
}

// What the line will say on its next invoice, as far as the PSA tells.
export function NextInvoice({ change }) {
  const next = change.next_invoice;
  if (!next) return html`<span class="quiet">not told</span>`;
  const amount = next.amount === null ? "no amount told" : money(next.amount, change.currency);
  return html`<div class="stack end"><span class="figure">${amount}</span><span class="second">${number(next.quantity)} seats${next.on ? `, ${date(next.on)}` : ""}</span></div>`;
}

export function GuardNotes({ change, onRelease }) {
  if (!change.guard) return null;
  const { holds, released } = change.guard;
  return html`<ul class=${`guards ${released ? "is-released" : ""}`}>${holds.map((hold) => html`<li key=${hold.name}><${Icon} name="lock" /><span><b>${guard(hold.name)}</b> <span class="figure">${shownName(hold.figures).replace("->", "→")}</span><small>Released when ${hold.release}.</small></span></li>`)}
    ${released ? html`<li class="released"><${Icon} name="check" /><span><b>Released</b> by <bdi>${shownName(released.by)}</bdi> <${When} at=${released.at} /><small>“${shownName(released.reason)}”</small></span></li>` : onRelease}</ul>`;
}
