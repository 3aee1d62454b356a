// Months: which are closed and by whom, whether what was closed still holds, and the evidence that a client is given.

import { html, useMemo, useState } from "../../vendor/htm-preact.js";
import { download, get, post } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { useLive } from "../live.js";
import { follow, href } from "../router.js";
import { toast } from "../toasts.js";
import { count, number, name as shownName, period as periodName } from "../format.js";
import { ROLES } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Dialog, Picker, ReasonDialog } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";

const STATES = {
  closed: { icon: "lock", tone: "good", words: "Closed" },
  reopened: { icon: "undo", tone: "look", words: "Reopened" },
  open: { icon: "clock", tone: "act", words: "Open" },
};

// The closed and reopened months, and those of the last year that were compared and never closed.
async function readMonths() {
  const [closed, trend] = await Promise.all([get("/v1/months"), get("/v1/trend", { months: 12 })]);
  const known = new Set(closed.items.map((month) => month.period));
  const open = trend.items.filter((point) => point.state === "open" && !known.has(point.period)).map((point) => ({ period: point.period, state: "open", version: 0, links: [] }));
  return [...closed.items, ...open].sort((a, b) => (a.period < b.period ? 1 : -1));
}

export function Months() {
  const { me, changes } = useLive();
  const may = me ? (ROLES[me.role] || 0) >= ROLES.approver : false;
  const months = useLoad(readMonths, [changes]);
  const [asking, setAsking] = useState(null);
  const done = () => { setAsking(null); months.reload(); };
  return html`<section class="screen narrow-screen">
    <header class="screen-head"><div><h1>Months</h1><p class="lead">A closed month is read-only, chained to the one before, and can be made again to the last byte.</p></div><${Proof} /></header>
    <${ProblemNote} problem=${months.problem} onRetry=${months.reload} />
    ${months.value === null ? !months.problem && html`<${Loading} words="Reading the months" />`
      : months.value.length === 0 ? html`<${Empty} icon="lock" title="No month yet"><p>A month can be closed once it was compared. <a href=${href("reconcile")} onClick=${follow}>Go to this month</a></p></${Empty}>`
      : html`<ol class="months" aria-label="Months">${months.value.map((month) => html`<${Month} key=${month.period} month=${month} may=${may} onAsk=${setAsking} />`)}</ol>`}
    ${asking?.kind === "seal" && html`<${Seal} period=${asking.period} onClose=${() => setAsking(null)} onDone=${done} />`}
    ${asking?.kind === "reopen" && html`<${Reopen} period=${asking.period} onClose=${() => setAsking(null)} onDone=${done} />`}
    ${asking?.kind === "evidence" && html`<${Evidence} period=${asking.period} onClose=${() => setAsking(null)} />`}
  </section>`;
}

function Proof() {
  const [found, setFound] = useState(null);
  const write = useWrite();
  const verify = () => write.run(async () => setFound(await get("/v1/history/verification")));
  const words = found && (found.holds ? `Holds: ${count(found.months.months, "month")}, ${count(found.months.parts, "part")}, ${count(found.events, "event")}` : `Broken: ${shownName(found.months.broken?.words || `event ${found.first_broken} of the history`)}${found.months.broken?.period ? `, ${periodName(found.months.broken.period)}` : ""}`);
  return html`<div class="actions">${found && html`<span role="status" class="proof"><${Status} of=${found.holds ? { icon: "check", tone: "good" } : { icon: "alert", tone: "bad" }} words=${words} /></span>`}
    ${write.problem && html`<${ProblemNote} problem=${write.problem} onDismiss=${write.clear} />`}
    <button onClick=${verify} disabled=${write.isBusy}><${Icon} name=${write.isBusy ? "spinner" : "lock"} />Verify all</button></div>`;
}

function Month({ month, may, onAsk }) {
  const [replayed, setReplayed] = useState(null);
  const write = useWrite();
  const replay = () => write.run(async () => setReplayed(await get(`/v1/months/${month.period}/replay`)));
  const seal = [...month.links].reverse().find((link) => link.kind === "sealed");
  const newest = month.links[month.links.length - 1];
  const title = periodName(month.period);
  const ask = (kind) => () => onAsk({ kind, period: month.period });
  return html`<li class="card" aria-labelledby=${`month-${month.period}`}><header><h2 id=${`month-${month.period}`}>${title}</h2><${Status} of=${STATES[month.state] || STATES.open} /></header>
    <p class="quiet">${newest ? html`${newest.kind === "sealed" ? "Closed" : "Reopened"} <${When} at=${newest.at} /> by <bdi>${shownName(newest.by)}</bdi>${newest.reason ? html`: “${shownName(newest.reason)}”` : ""}` : "Compared, and not closed yet."}</p>
    ${month.state === "closed" && seal.outstanding.length > 0 && html`<div class="outstanding"><h3>Outstanding when it was closed</h3><ul class="reasons">${seal.outstanding.map((one) => html`<li key=${one}>${shownName(one)}</li>`)}</ul></div>`}
    ${replayed && html`<p role="status"><${Status} of=${replayed.is_same ? { icon: "check", tone: "good" } : { icon: "alert", tone: "bad" }} words=${replayed.is_same ? `Made again: the same ${number(replayed.bytes_compared)} bytes, ${count(replayed.rows, "row")}` : `Not the same: ${shownName(replayed.difference)}`} /></p>`}
    <${ProblemNote} problem=${write.problem} onDismiss=${write.clear} />
    ${month.links.length > 0 && html`<details class="permissions"><summary>${count(month.links.length, "link")} of the chain, version ${number(month.version)}</summary><ol class="chain">${month.links.map((link) => html`<li key=${link.number}><span class="figure quiet">${number(link.number)}</span><span>${link.kind === "sealed" ? `Closed, ${count(link.parts.length, "part")}` : "Reopened"} <${When} at=${link.at} /> by <bdi>${shownName(link.by)}</bdi>${link.reason ? html` <span class="quiet">“${shownName(link.reason)}”</span>` : ""}</span><code title=${link.hash}>${link.hash.slice(0, 16)}</code></li>`)}</ol></details>`}
    <footer>${month.state === "closed" ? html`<button onClick=${ask("evidence")}><${Icon} name="download" />Evidence of a client…</button><button onClick=${replay} disabled=${write.isBusy}><${Icon} name=${write.isBusy ? "spinner" : "refresh"} />Make it again</button>${may && html`<button class="danger" onClick=${ask("reopen")}>Reopen…</button>`}`
      : may && html`<button class="primary" onClick=${ask("seal")}><${Icon} name="lock" />Close the month…</button>`}
      <a href=${href("reports", { period: month.period })} onClick=${follow}>Its report</a></footer></li>`;
}

// Without a reason a month is closed only when nothing of it is under way.
function Seal({ period, onClose, onDone }) {
  const write = useWrite();
  const [reason, setReason] = useState("");
  const submit = (event) => {
    event.preventDefault();
    write.run(async () => {
      await post(`/v1/months/${period}/seal`, { reason: reason.trim() });
      onDone();
      toast(`${periodName(period)} is closed`);
    });
  };
  return html`<${Dialog} title=${`Close ${periodName(period)}?`} onClose=${onClose}><form onSubmit=${submit}>
    <p>Counts, mappings, decisions, results and the hashes of what was read are kept as they are now. After that nothing of the month can be changed unless somebody reopens it with a reason.</p>
    <label class="field"><span>Reason</span><small>Only where something is still under way; it stands in the chain for ever.</small><textarea rows="2" maxlength="500" autofocus value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea></label>
    <${ProblemNote} problem=${write.problem} /><footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy}>${write.isBusy ? "Closing…" : "Close the month"}</button></footer></form></${Dialog}>`;
}

function Reopen({ period, onClose, onDone }) {
  const write = useWrite();
  const confirm = (reason) => write.run(async () => {
    await post(`/v1/months/${period}/reopen`, { reason });
    onDone();
    toast(`${periodName(period)} is open again`);
  });
  return html`<${ReasonDialog} title=${`Reopen ${periodName(period)}?`} label="Why" confirm="Reopen" isBusy=${write.isBusy} problem=${html`<${ProblemNote} problem=${write.problem} />`} onConfirm=${confirm} onClose=${onClose}>
    <p>What was closed stays as it is in the chain, and this word is put behind it. Runs and plans of the month are possible again.</p></${ReasonDialog}>`;
}

async function clientsOf(period) {
  const names = new Map();
  let cursor = null;
  do {
    const page = await get("/v1/reconciliation", { period, limit: 1000, cursor });
    for (const row of page.items) if (row.psa_account_id) names.set(row.psa_account_id, row.psa_account_name);
    cursor = page.next_cursor;
  } while (cursor);
  return [...names].map(([id, title]) => ({ id, title })).sort((a, b) => (a.title < b.title ? -1 : 1));
}

function Evidence({ period, onClose }) {
  const clients = useMemo(() => clientsOf(period), [period]);
  const [client, setClient] = useState(null);
  const write = useWrite();
  const save = (format) => write.run(async () => {
    await download(`/v1/months/${period}/evidence`, { account: client.id, format }, `evidence-${period}-${client.id}.${format}`);
    toast(`The evidence of ${shownName(client.title)} is saved`);
  });
  const find = async (text) => {
    const wanted = text.trim().toLowerCase();
    return (await clients).filter((one) => !wanted || `${one.title} ${one.id}`.toLowerCase().includes(wanted)).slice(0, 50);
  };
  if (!client) {
    return html`<${Picker} title=${`Whose evidence for ${periodName(period)}?`} placeholder="Name or id of the client" find=${find} itemKey=${(one) => one.id} onPick=${setClient} onClose=${onClose}
      renderItem=${(one) => html`<${Name} of=${one.title} /><small>${shownName(one.id)}</small>`} emptyWords=${(text) => `No client of this month has “${text}” in its name or id.`} />`;
  }
  return html`<${Dialog} title="Evidence pack" onClose=${onClose}><p><b><${Name} of=${client.title} /></b>, ${periodName(period)}: every count with its source, every decision and every write, with the hashes of the closed month.</p>
    <${ProblemNote} problem=${write.problem} />
    <footer><button onClick=${() => setClient(null)}>Another client</button><button onClick=${() => save("csv")} disabled=${write.isBusy}><${Icon} name="download" />CSV</button><button class="primary" autofocus onClick=${() => save("html")} disabled=${write.isBusy}><${Icon} name="download" />HTML</button></footer></${Dialog}>`;
}
