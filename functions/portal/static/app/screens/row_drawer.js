// One row in full: how each count was come by, the line in the PSA, what the plan does, what was done before.

import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { get, post, put } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { changed, useLive } from "../live.js";
import { follow, href } from "../router.js";
import { toast } from "../toasts.js";
import { number, time, name as shownName } from "../format.js";
import { ROLES, plainWords, verdict } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { ProblemNote } from "../parts/problem.js";
import { Money, Name, When } from "../parts/text.js";
import { ExcludeDialog, exclusionBody } from "./exclude_dialog.js";
import { ChangeLine, GuardNotes } from "./change_parts.js";
import { AddLine, DivideLines, canAdd, canDivide } from "./line_dialogs.js";
import { differenceOf, rowWords } from "./reconcile_rows.js";
import { later } from "../later.js";

const RowMore = later(() => import("../later/row_more.js"), "RowMore");

const LEGS = [
  { key: "agreement", words: "Agreement", lead: "what the vendor bills" },
  { key: "licensed", words: "Licensed", lead: "what is in use" },
  { key: "billed", words: "Billed", lead: "what the client pays for" },
];

export function RowDrawer({ row, period, inPlan, plan, onClose }) {
  const { me } = useLive();
  const [asking, setAsking] = useState(null);
  const may = me ? (ROLES[me.role] || 0) >= ROLES.preparer : false;
  const [isExcluding, setExcluding] = useState(false);
  const heading = useRef(null);
  const write = useWrite();
  const exclude = (said) => write.run(async () => {
    await put(`/v1/account-mappings/${encodeURIComponent(row.vendor_account_id)}`, exclusionBody(said));
    setExcluding(false);
    toast(`${shownName(row.vendor_account_name)} is left out from the next sync on`);
    changed();
  });
  const difference = differenceOf(row);
  return html`<aside class="drawer" aria-label="Evidence">
    <header><div class="stack"><h2 tabindex="-1" ref=${heading}><${Name} of=${row.psa_account_name || row.vendor_account_name} /></h2><span class="second"><${Name} of=${row.service_name || row.product_code} /></span></div>
      <button class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
    <p class="drawer-verdict"><${Status} of=${verdict(row.verdict)} words=${rowWords(row, true)} />${difference ? html`<${Money} amount=${row.monthly_money} currency=${row.currency} sign />` : null}</p>
    ${row.reasons.length > 0 && html`<ul class="reasons">${row.reasons.map((reason) => html`<li key=${reason}>${shownName(reason)}</li>`)}</ul>`}
    <section><h3>Where the numbers come from</h3>${LEGS.map((leg) => html`<${Leg} key=${leg.key} leg=${leg} count=${row.counts[leg.key]} />`)}</section>
    <section><h3>Line in the PSA</h3>${row.line_id ? html`<dl class="facts">
        <div><dt>Agreement</dt><dd><${Name} of=${row.agreement_name} /></dd></div><div><dt>Line</dt><dd><code>${row.line_id}</code></dd></div>
        <div><dt>Product</dt><dd><code>${shownName(row.product_code || row.product_id)}</code></dd></div></dl>` : row.shares.length > 0 ? html`<ul class="division" aria-label="Divided lines">${row.shares.map((share) => html`<li key=${share.line_id}><code>${shownName(share.line_id)}</code><span class="quiet">bills ${number(share.billed)}</span><span class="figure">${number(share.target)}</span></li>`)}</ul>`
        : html`<p class="quiet">No single line that could be changed.</p>`}
      ${may && canDivide(row) && html`<p><button onClick=${() => setAsking("divide")}>Divide the seats among them…</button></p>`}
      ${may && canAdd(row) && (plan?.state === "proposed" ? (inPlan.length === 0 && html`<p><button onClick=${() => setAsking("add")}>Add the missing line…</button></p>`) : html`<p class="quiet">A line can be added while a plan is proposed and not yet approved.</p>`)}</section>
    ${inPlan.map((change) => html`<section key=${change.id}><h3>In the plan</h3><${ChangeLine} change=${change} /><${GuardNotes} change=${change} />
      <p><a href=${href("plan", { id: plan.id, change: change.id })} onClick=${follow}>Open it in the plan</a></p></section>`)}
    <${RowMore} row=${row} period=${period} />
    <${Past} row=${row} mayWrite=${may} />
    ${row.vendor_account_id && html`<footer><button onClick=${() => setExcluding(true)}>Leave this account out…</button><a href=${href("accounts", { q: row.vendor_account_id })} onClick=${follow}>Its mapping</a></footer>`}
    ${!isExcluding && html`<${ProblemNote} problem=${write.problem} onDismiss=${write.clear} />`}
    ${asking === "divide" && html`<${DivideLines} row=${row} onClose=${() => setAsking(null)} onDone=${() => { setAsking(null); changed(); }} />`}
    ${asking === "add" && html`<${AddLine} row=${row} plan=${plan} onClose=${() => setAsking(null)} onDone=${() => { setAsking(null); changed(); }} />`}
    ${isExcluding && html`<${ExcludeDialog} title=${`Leave ${shownName(row.vendor_account_name)} out?`} isBusy=${write.isBusy} problem=${html`<${ProblemNote} problem=${write.problem} />`} onClose=${() => { write.clear(); setExcluding(false); }} onConfirm=${exclude}>
      <p class="quiet">From the next sync on it is in no comparison. It stays listed under Accounts with the reason.</p></${ExcludeDialog}>`}
  </aside>`;
}

function Leg({ leg, count }) {
  const isKnown = count.state === "known";
  return html`<div class="leg"><div class="leg-head"><span><b>${leg.words}</b> <span class="quiet">${leg.lead}</span></span>${isKnown ? html`<span class="figure big">${number(count.seats)}</span>` : html`<span class="no-data">${count.state === "failed" ? "not read" : "no data"}</span>`}</div>
    ${isKnown ? html`<p class="quiet">${plainWords(count.basis)}, as of <time datetime=${count.as_of}>${time(count.as_of)}</time></p>` : html`<p class="quiet">${shownName(count.reason)}</p>`}
    ${isKnown && count.reason && html`<p class="warning">${shownName(count.reason)}</p>`}
    ${count.evidence.length > 0 && html`<ul class="evidence">${count.evidence.map((one, place) => html`<li key=${place}><code>${shownName(one.source)}</code><span class="quiet">${shownName(one.key)} ${shownName(one.reference)}</span><b class="figure">${one.seats === null ? "" : number(one.seats)}</b></li>`)}</ul>`}</div>`;
}

// What the history says of this row's account and line.
function Past({ row, mayWrite }) {
  const [written, setWritten] = useState(0);
  const [text, setText] = useState("");
  const write = useWrite();
  const keep = (event) => {
    event.preventDefault();
    write.run(async () => {
      await post(`/v1/account-mappings/${encodeURIComponent(row.vendor_account_id)}/notes`, { text: text.trim() });
      setText("");
      setWritten(written + 1);
    });
  };
  const events = useLoad(async () => {
    const { items } = await get("/v1/history", { limit: 200 });
    const wanted = new Set([row.vendor_account_id, row.line_id, row.psa_account_id].filter(Boolean).map(String));
    return items.filter((event) => event.subject.split(/[\s/]+/).some((word) => wanted.has(word))).slice(0, 8);
  }, [row.id, written]);
  const past = events.value || [];
  const canWrite = mayWrite && row.vendor_account_id;
  if (!past.length && !canWrite) return null;
  return html`<section><h3>Notes and history</h3>
    ${canWrite && html`<form class="note-form" onSubmit=${keep}><label>Note <input value=${text} maxlength="500" placeholder="For whoever looks next" onInput=${(event) => setText(event.target.value)} /></label> <button disabled=${!text.trim() || write.isBusy}>Keep</button></form>
      <${ProblemNote} problem=${write.problem} onDismiss=${write.clear} />`}
    <ol class="past">${past.map((event) => html`<li key=${event.number}><span>${event.action === "note written" ? html`“${shownName(event.why)}”` : plainWords(event.action)}${event.after ? html` <span class="quiet">${shownName(event.after)}</span>` : ""}</span><span class="quiet"><bdi>${shownName(event.actor)}</bdi> · <${When} at=${event.at} /></span></li>`)}</ol></section>`;
}
