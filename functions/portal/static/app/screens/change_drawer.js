// One change in full: what it does, what holds it, what the next invoice will say, why, where, and what became of it.

import { html } from "../../vendor/htm-preact.js";
import { follow, href } from "../router.js";
import { number, name as shownName } from "../format.js";
import { outcome } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Name, When } from "../parts/text.js";
import { ChangeLine, GuardNotes, NextInvoice, effectiveWords, isHeld, isNewLine } from "./change_parts.js";

export function ChangeDrawer({ change, plan, may, onRelease, onUndo, onDrop, onClose }) {
  const release = plan.state === "proposed" && isHeld(change) && (may ? html`<li><button onClick=${onRelease}>Release…</button></li>` : html`<li class="quiet">An approver can release it.</li>`);
  return html`<aside class="drawer" aria-label="Change"><header><div class="stack"><h2><${Name} of=${change.psa_account_name} /></h2><span class="second"><code>${shownName(change.product_code)}</code></span></div><button class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
    <${ChangeLine} change=${change} /><${GuardNotes} change=${change} onRelease=${release} />
    <section><h3>What the line says next</h3><dl class="facts"><div><dt>Counts</dt><dd>${effectiveWords(change)}</dd></div><div><dt>Next invoice</dt><dd><${NextInvoice} change=${change} /></dd></div></dl></section>
    <section><h3>Why</h3><ul class="reasons">${change.reasons.map((reason) => html`<li key=${reason}>${shownName(reason)}</li>`)}</ul></section>
    <section><h3>Where</h3><dl class="facts"><div><dt>Agreement</dt><dd><${Name} of=${change.agreement_name} /></dd></div><div><dt>Line</dt><dd>${isNewLine(change) ? (change.result?.line_id ? html`<code>${change.result.line_id}</code>` : html`<span class="quiet">made when it is applied; asked for by <bdi>${shownName(change.added_by)}</bdi></span>`) : html`<code>${change.line_id}</code>`}</dd></div><div><dt>Counted for</dt><dd>${change.vendor_account_ids.map((id) => html`<a key=${id} href=${href("accounts", { q: id })} onClick=${follow}><code>${shownName(id)}</code></a> `)}</dd></div></dl></section>
    ${change.result && html`<section><h3>What became of it</h3><p><${Status} of=${outcome(change.result.outcome)} /> <${When} at=${change.result.at} /></p><p>${shownName(change.result.reason)}</p>${change.result.quantity_seen !== null && html`<p class="quiet">The line says ${number(change.result.quantity_seen)}.</p>`}</section>`}
    ${change.undoes && html`<section><h3>What it takes back</h3><p><a href=${href("plan", { id: change.undoes.split("/")[0], change: change.undoes.split("/")[1] })} onClick=${follow}>The change it takes back</a></p></section>`}
    ${(onUndo || onDrop) && html`<footer>${onUndo && html`<button onClick=${onUndo}><${Icon} name="undo" />Take this change back…</button>`}${onDrop && html`<button onClick=${onDrop}>Take the line out again</button>`}</footer>`}</aside>`;
}
