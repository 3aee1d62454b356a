// One change of a plan: from what to what, and what holds it.

import { html } from "../../vendor/htm-preact.js";
import { date, difference, number, name as shownName } from "../format.js";
import { effective, guard } from "../words.js";
import { Icon } from "../parts/icon.js";
import { Money, When } from "../parts/text.js";

export const isHeld = (change) => change.guard !== null && change.guard.state === "held";

export const effectiveWords = (change) => effective(change.effective) || (/^\d{4}-\d\d-\d\d$/.test(change.effective) ? `from ${date(change.effective)}` : change.effective);

const shown = (quantity) => (quantity === null ? "—" : number(quantity));

export function FromTo({ change }) {
  return html`<span class="from-to"><span class="figure">${shown(change.from)}</span><${Icon} name="right" /><b class="figure">${shown(change.to)}</b></span>`;
}

export function ChangeLine({ change }) {
  return html`<p class="change-line"><${FromTo} change=${change} /><span class="quiet">${difference(change.to - Number(change.from))} ${effectiveWords(change)}</span><${Money} amount=${change.monthly_money} currency=${change.currency} sign /></p>`;
}

export function GuardNotes({ change, onRelease }) {
  if (!change.guard) return null;
  const { holds, released } = change.guard;
  return html`<ul class=${`guards ${released ? "is-released" : ""}`}>${holds.map((hold) => html`<li key=${hold.name}><${Icon} name="lock" /><span><b>${guard(hold.name)}</b> <span class="figure">${shownName(hold.figures).replace("->", "→")}</span><small>Released when ${hold.release}.</small></span></li>`)}
    ${released ? html`<li class="released"><${Icon} name="check" /><span><b>Released</b> by <bdi>${shownName(released.by)}</bdi> <${When} at=${released.at} /><small>“${shownName(released.reason)}”</small></span></li>` : onRelease}</ul>`;
}
