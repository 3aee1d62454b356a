// One change order: what to type into the vendor's portal, what was checked, what can be done, and what was done.

import { html, useState } from "../../vendor/htm-preact.js";
import { post } from "../api.js";
import { useWrite } from "../load.js";
import { changed, useLive } from "../live.js";
import { useKeys } from "../keys.js";
import { settings } from "../settings.js";
import { toast } from "../toasts.js";
import { count, date, difference, number, name as shownName, period as periodName, time } from "../format.js";
import { ROLES } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";
import { Copy } from "./copy.js";
import { OrderDialog } from "./order_dialogs.js";
import { LATE, STEP_KEYS, clientOf, orderGuard, orderState, stepsOf, stepsTaken } from "./order_words.js";

const DONE = {
  terms: "Noted on the order", release: "Released", approve: "Approved: now it can be submitted", submitted: "Marked as submitted: later reads are watched for the new total",
  cancel: "Cancelled", reject: "Rejected", resolve: "Noted", send: "Sent",
};

export function OrderDrawer({ order, onChange, onClose }) {
  const { me } = useLive();
  const [asking, setAsking] = useState(null);
  const write = useWrite();
  const steps = stepsOf(order, me?.role, Boolean(settings.orders_api));
  const ask = (action) => { write.clear(); setAsking(action); };
  const act = (action, body) => write.run(async () => {
    onChange(await post(`/v1/change-orders/${encodeURIComponent(order.id)}/${action}`, body));
    setAsking(null);
    toast(DONE[action]);
    changed();
  });
  useKeys("One change order", STEP_KEYS.map(({ action, key, label }) => {
    const step = steps.find((one) => one.action === action && one.may);
    return step && { key, label, run: () => ask(action) };
  }));
  return html`<aside class="drawer order-drawer" aria-label="Change order">
    <header><div class="stack"><h2><${Name} of=${clientOf(order)} /></h2><span class="second"><${Name} of=${order.service_name} /> · ${periodName(order.period)}</span></div>
      <button class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
    <p class="drawer-verdict"><${Status} of=${orderState(order)} />${order.is_late && html`<${Status} of=${LATE} />`}</p>
    ${order.remark && html`<p class="quiet">${shownName(order.remark)}</p>`}
    <${Totals} order=${order} />
    <${Steps} order=${order} steps=${steps} role=${me?.role} onAsk=${ask} />
    <${Checks} order=${order} />
    <${WorkItem} item=${order.work_item} />
    <section><h3>Why</h3><dl class="facts">
      <div><dt>Licensed</dt><dd><b class="figure">${number(order.reason.licensed)}</b> <span class="quiet">counted <time datetime=${order.reason.counted_at}>${time(order.reason.counted_at)}</time></span></dd></div>
      ${order.reason.policy && html`<div><dt>Counted by</dt><dd>${shownName(order.reason.policy)}</dd></div>`}
      <div><dt>Account</dt><dd><${Name} of=${order.vendor_account_name} /> <code>${shownName(order.vendor_account_id)}</code></dd></div>
      <div><dt>Order</dt><dd><code>${order.id}</code></dd></div></dl></section>
    <section><h3>Steps taken</h3><ol class="past">${stepsTaken(order).map((one) => html`<li key=${`${one.what} ${one.at}`}><span>${one.what}${one.why ? html` <span class="quiet">${shownName(one.why)}</span>` : ""}</span><span class="quiet">${one.by ? html`<bdi>${shownName(one.by)}</bdi> · ` : ""}<${When} at=${one.at} /></span></li>`)}</ol>
      ${order.submitted?.downsell_deadline && html`<p class="warning">It can be cancelled until ${date(order.submitted.downsell_deadline)}${order.submitted.effective_on ? `; it counts from ${date(order.submitted.effective_on)}` : ""}.</p>`}</section>
    ${asking && html`<${OrderDialog} action=${asking} order=${order} write=${write} onConfirm=${(body) => act(asking, body)} onClose=${() => { write.clear(); setAsking(null); }} />`}
  </aside>`;
}

// Both the new total and the change: the vendor's articles differ on which of them the form wants.
function Totals({ order }) {
  return html`<dl class="order-totals"><div><dt>In the agreement</dt><dd class="figure">${number(order.from)}</dd></div>
    <div><dt>New total</dt><dd><b class="figure">${number(order.to)}</b><${Copy} value=${String(order.to)} label="the new total" /></dd></div>
    <div><dt>Change</dt><dd><b class="figure">${difference(order.change)}</b><${Copy} value=${order.change > 0 ? `+${order.change}` : String(order.change)} label="the change" /></dd></div></dl>`;
}

function Steps({ order, steps, role, onAsk }) {
  const may = steps.filter((step) => step.may);
  const main = steps.find((step) => step.isMain && !step.may);
  if (!steps.length) return html`<p class="quiet">This order is over; nothing is left to do with it.</p>`;
  return html`<div class="order-steps" role="group" aria-label="Steps">${may.map((step) => html`<button key=${step.action} class=${step.isMain ? "primary" : ""} onClick=${() => onAsk(step.action)}>${step.words}<kbd aria-hidden="true">${step.key.toUpperCase()}</kbd></button>`)}
    ${main && (ROLES[role] || 0) < ROLES[main.role] && html`<p class="quiet">${main.words.replace("…", "")}: that is for ${main.role === "approver" ? "an approver" : "a preparer"}.</p>`}
    ${order.state === "draft" && order.guard?.state === "held" && html`<p class="quiet">It is held: it can be approved when the check below is released or no longer holds it.</p>`}</div>`;
}

function Checks({ order }) {
  const released = order.guard?.released;
  return html`<section><h3>Checks</h3>
    ${order.guard ? html`<ul class=${`guards ${released ? "is-released" : ""}`}>${order.guard.holds.map((hold) => html`<li key=${hold.name}><${Icon} name="lock" /><span><b>${orderGuard(hold.name)}</b> <span class="figure">${shownName(hold.figures)}</span><small>Goes on when ${shownName(hold.release)}.</small></span></li>`)}
      ${released && html`<li class="released"><${Icon} name="check" /><span><b>Released</b> by <bdi>${shownName(released.by)}</bdi> <${When} at=${released.at} /><small>“${shownName(released.reason)}”</small></span></li>`}</ul>` : html`<p><${Status} of=${{ icon: "check", tone: "good", words: "Nothing holds it" }} /></p>`}
    ${order.notes.length > 0 && html`<ul class="reasons">${order.notes.map((note) => html`<li key=${note}>${shownName(note)}</li>`)}</ul>`}</section>`;
}

// The vendor's form, step by step, in the words of the API: nothing is put differently here.
function WorkItem({ item }) {
  return html`<section class="work-item"><h3>What to type into the portal</h3><p class="strong">${shownName(item.title)}</p>
    <ol class="work-path" aria-label="The way to the form">${item.path.map((one, place) => html`<li key=${place}>${shownName(one)}</li>`)}</ol>
    <ol class="work-steps" aria-label=${count(item.steps.length, "step")}>${item.steps.map((step) => html`<li key=${step.id}><div class="stack"><span class="quiet">${shownName(step.label)}</span><span class="line work-value"><b>${shownName(step.value)}</b><${Copy} value=${step.value} label=${step.label} /></span>${step.note && html`<small>${step.note}</small>`}</div></li>`)}</ol></section>`;
}
