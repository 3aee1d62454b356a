// Where Trueup tells people of its own accord: set a channel, try it and see what became of it, remove it.

import { html, useState } from "../../vendor/htm-preact.js";
import { get, post, put, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { toast } from "../toasts.js";
import { count, number, name as shownName } from "../format.js";
import { plainWords } from "../words.js";
import { Status } from "../parts/icon.js";
import { Dialog, Sure } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { When } from "../parts/text.js";

const CHANNELS = {
  email: { words: "E-mail", where: "The stack's topic: NoticeEmail, and whoever else subscribes to it." },
  teams: { words: "Microsoft Teams", where: "A workflow that posts to a channel when a webhook request is received." },
  slack: { words: "Slack", where: "An incoming webhook of a Slack app." },
  ticket: { words: "Ticket in the PSA", where: "In the PSA that is connected, for what a person must act on." },
};
const KINDS = ["run_finished", "approval_wanted", "credential_failing", "credential_expiring", "sync_incomplete", "drop_or_jump_held", "order_late", "order_reflected", "run_missed", "sealed"];
const TICKET_FIELDS = [
  { name: "company_id", words: "Company", where: "Your own company, by the PSA's number.", isRequired: true },
  { name: "queue_id", words: "Board or queue", where: "The ConnectWise board or the Autotask queue." },
  { name: "priority_id", words: "Priority" },
  { name: "status_id", words: "Status" },
  { name: "type_id", words: "Type" },
];
const SET = { icon: "check", tone: "good", words: "Set" };
const UNSET = { icon: "minus", tone: "quiet", words: "Not set" };
const STATES = {
  sending: { icon: "clock", tone: "act", words: "On its way" },
  sent: { icon: "check", tone: "good", words: "Sent" },
  failed: { icon: "alert", tone: "bad", words: "Not sent" },
  unknown: { icon: "question", tone: "look", words: "Not known" },
};
const stateOf = (delivery) => STATES[delivery.state] || { icon: "clock", tone: "quiet", words: plainWords(delivery.state) };
const titleOf = (channel) => CHANNELS[channel.name]?.words || plainWords(channel.name);

export function NoticeChannels() {
  const channels = useLoad(async () => (await get("/v1/notice-channels")).items, []);
  const told = useLoad(() => get("/v1/notices"), []);
  const [asking, setAsking] = useState(null);
  const close = () => { setAsking(null); channels.reload(); };
  return html`<${ProblemNote} problem=${channels.problem} onRetry=${channels.reload} />
    ${channels.value === null ? !channels.problem && html`<${Loading} words="Looking at the channels" />`
      : html`<ul class="records" aria-label="Notice channels">${channels.value.map((channel) => html`<${Channel} key=${channel.name} channel=${channel} onAsk=${(kind) => setAsking({ kind, channel })} onTold=${told.reload} />`)}</ul>`}
    <section class="side"><h2>Told this month</h2><${ProblemNote} problem=${told.problem} onRetry=${told.reload} />
      ${told.value && (told.value.items.length === 0 ? html`<${Empty} icon="note" title="Nothing was told yet"><p>Set a channel and send a test; the next run tells what it finds.</p></${Empty}>`
        : html`<ul class="records" aria-label="Told this month">${told.value.items.map((one, place) => html`<li key=${place}><div class="stack"><span class="strong">${shownName(one.subject)}</span><span class="second">${plainWords(one.kind)}</span></div><div class="stack"><span>${CHANNELS[one.channel]?.words || one.channel}${one.reference ? html` <code>${shownName(one.reference)}</code>` : ""}</span><span class="second">${one.reason ? shownName(one.reason) : html`<${When} at=${one.at} />`}</span></div><div class="actions"><${Status} of=${stateOf(one)} /></div></li>`)}</ul>`)}</section>
    ${asking?.kind === "set" && html`<${SetChannel} channel=${asking.channel} onClose=${() => setAsking(null)} onDone=${close} />`}
    ${asking?.kind === "remove" && html`<${RemoveChannel} channel=${asking.channel} onClose=${() => setAsking(null)} onDone=${close} />`}`;
}

function Channel({ channel, onAsk, onTold }) {
  const write = useWrite();
  const [result, setResult] = useState(null);
  const title = titleOf(channel);
  const test = () => write.run(async () => { setResult(await post(`/v1/notice-channels/${channel.name}/test`)); onTold(); });
  return html`<li><div class="stack"><span class="strong">${title}</span><${Status} of=${channel.is_set ? SET : UNSET} /></div>
    <div class="stack">${channel.host ? html`<span><bdi>${shownName(channel.host)}</bdi>${channel.address_ends_in ? html` <span class="quiet">ends in <code>${shownName(channel.address_ends_in)}</code></span>` : ""}</span>` : html`<span class="quiet">${CHANNELS[channel.name]?.where}</span>`}
      ${channel.is_set && html`<span class="second">takes ${channel.kinds.length === 0 || channel.kinds.length === KINDS.length ? "everything" : count(channel.kinds.length, "kind")}${channel.set_at ? html` · set <${When} at=${channel.set_at} /> by <bdi>${shownName(channel.set_by)}</bdi>` : ""}</span>`}
      ${channel.ticket && html`<span class="second">${Object.entries(channel.ticket).filter(([, value]) => value).map(([key, value]) => `${plainWords(key.replace("_id", ""))} ${shownName(value)}`).join(", ")}</span>`}
      ${result && html`<span role="status"><${Status} of=${stateOf(result)} words=${`${stateOf(result).words}${result.reference ? `, ${shownName(result.reference)}` : ""}`} />${result.reason ? html` <span class="quiet">${shownName(result.reason)}</span>` : ""}</span>`}</div>
    <div class="actions">${channel.is_set && html`<button onClick=${test} disabled=${write.isBusy} aria-label=${`Try it: ${title}`}>${write.isBusy ? "Sending…" : "Try it"}</button>`}
      <button onClick=${() => onAsk("set")} aria-label=${`${channel.is_set ? "Change" : "Set"} ${title}`}>${channel.is_set ? "Change…" : "Set…"}</button>
      ${channel.is_set && html`<button class="danger" onClick=${() => onAsk("remove")} aria-label=${`Remove ${title}`}>Remove…</button>`}</div>
    ${write.problem && html`<div class="whole"><${ProblemNote} problem=${write.problem} onDismiss=${write.clear} /></div>`}</li>`;
}

function SetChannel({ channel, onClose, onDone }) {
  const write = useWrite();
  const takesWebhook = channel.name === "teams" || channel.name === "slack";
  const isTicket = channel.name === "ticket";
  const [address, setAddress] = useState("");
  const [ticket, setTicket] = useState(() => Object.fromEntries(TICKET_FIELDS.map((field) => [field.name, channel.ticket?.[field.name] || ""])));
  const [kinds, setKinds] = useState(() => new Set(channel.is_set && channel.kinds.length ? channel.kinds : isTicket ? [] : KINDS));
  const turn = (kind) => setKinds((now) => { const next = new Set(now); if (!next.delete(kind)) next.add(kind); return next; });
  const submit = (event) => {
    event.preventDefault();
    const place = Object.fromEntries(Object.entries(ticket).map(([key, value]) => [key, value.trim()]).filter(([, value]) => value));
    write.run(async () => {
      await put(`/v1/notice-channels/${channel.name}`, { kinds: [...kinds], ...(takesWebhook && address ? { webhook_url: address.trim() } : {}), ...(isTicket ? { ticket: place } : {}) });
      onDone();
      toast(`${titleOf(channel)} is set: try it`);
    });
  };
  return html`<${Dialog} title=${`Set ${titleOf(channel)}`} onClose=${onClose}><form onSubmit=${submit} autocomplete="off">
    <p class="quiet">${CHANNELS[channel.name]?.where}</p>
    ${takesWebhook && html`<label class="field"><span>Address of the webhook</span><small>${channel.is_set ? "Leave it empty to keep the one that is set. " : ""}It is a secret: it is kept in the vault and never shown again.</small>
      <input type="password" autofocus autocomplete="new-password" spellcheck="false" required=${!channel.is_set} maxlength="2000" value=${address} onInput=${(event) => setAddress(event.target.value)} /></label>`}
    ${isTicket && html`<div class="pair">${TICKET_FIELDS.map((field, place) => html`<label class="field" key=${field.name}><span>${field.words}</span>${field.where && html`<small>${field.where}</small>`}<input required=${field.isRequired} autofocus=${place === 0} inputmode="numeric" maxlength="20" value=${ticket[field.name]} onInput=${(event) => setTicket({ ...ticket, [field.name]: event.target.value })} /></label>`)}</div>`}
    <fieldset class="choices-field"><legend>What it takes</legend><p class="quiet">${kinds.size === 0 ? isTicket ? "None chosen: whatever a person must act on." : "None chosen: everything." : `${number(kinds.size)} of ${number(KINDS.length)}.`}</p>
      <div class="pair">${KINDS.map((kind) => html`<label class="check" key=${kind}><input type="checkbox" checked=${kinds.has(kind)} onChange=${() => turn(kind)} />${plainWords(kind)}</label>`)}</div></fieldset>
    <${ProblemNote} problem=${write.problem} /><footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy}>Set</button></footer></form></${Dialog}>`;
}

function RemoveChannel({ channel, onClose, onDone }) {
  const write = useWrite();
  const confirm = () => write.run(async () => { await remove(`/v1/notice-channels/${channel.name}`); onDone(); toast(`Nothing goes to ${titleOf(channel)} any more`); });
  return html`<${Sure} title=${`Send nothing to ${titleOf(channel)} any more?`} confirm="Remove" keep="Keep it" isBusy=${write.isBusy} onConfirm=${confirm} onClose=${onClose} problem=${html`<${ProblemNote} problem=${write.problem} />`}><p>Its address is forgotten. What was told stays in the history.</p></${Sure}>`;
}
