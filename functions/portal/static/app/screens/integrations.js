// Connecting the outside systems: what is connected, how it stands, and the way there.

import { html, useState } from "../../vendor/htm-preact.js";
import { put, post, remove } from "../api.js";
import { isRunning, live, refreshIntegrations, startRun, useLive } from "../live.js";
import { href, follow } from "../router.js";
import { useWrite } from "../load.js";
import { toast } from "../toasts.js";
import { connection } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Dialog } from "../parts/dialog.js";
import { Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";
import { Steps } from "../parts/steps.js";

const SIDES = [
  { side: "vendor", title: "What the vendor bills you", lead: "The seats in the agreements, and the services they are of." },
  { side: "psa", title: "What you bill your clients", lead: "The PSA with its agreements and lines. Nothing is written to it that nobody has approved." },
  { side: "licenses", title: "Who is licensed", lead: "Optional: the users that your clients have in Microsoft 365, as the third count. Without it that count is shown as no data." },
];

export function Integrations() {
  const { integrations, run } = useLive();
  const [form, setForm] = useState(null);
  const [leaving, setLeaving] = useState(null);
  if (integrations === null) return html`<section class="screen"><h1>Integrations</h1><${Loading} /></section>`;
  return html`<section class="screen narrow-screen">
    <${Steps} at="connect" />
    <header class="screen-head"><div><h1>Integrations</h1><p class="lead">A credential is tried before it is stored, and never shown again.</p></div></header>
    ${SIDES.map(({ side, title, lead }) => html`<${Side} key=${side} title=${title} lead=${lead} run=${run}
      all=${integrations.filter((one) => one.side === side)} onConnect=${(integration, present = null) => setForm({ integration, present })} onLeave=${setLeaving} />`)}
    ${form && html`<${ConnectForm} integration=${form.integration} present=${form.present} onClose=${() => setForm(null)} />`}
    ${leaving && html`<${Disconnect} integration=${leaving} onClose=${() => setLeaving(null)} />`}
  </section>`;
}

function Side({ title, lead, all, run, onConnect, onLeave }) {
  const connected = all.filter((one) => one.state !== "not_connected");
  const others = all.filter((one) => one.state === "not_connected" && one.fields.length > 0);
  return html`<section class="side"><h2>${title}</h2><p class="quiet">${lead}</p>
    <div class="cards">
      ${connected.map((one) => html`<${Card} key=${one.name} integration=${one} run=${run} onConnect=${onConnect} onLeave=${onLeave} />`)}
    </div>
    ${others.length > 0 && (connected.length ? html`<details class="others"><summary>Other systems</summary><${Choices} all=${others} present=${connected[0]} onConnect=${onConnect} /></details>` : html`<${Choices} all=${others} onConnect=${onConnect} />`)}
  </section>`;
}

function Choices({ all, present, onConnect }) {
  return html`<ul class="choices">${all.map((one) => html`<li key=${one.name}>
    <span class="choice-name">${one.label}</span><${Status} of=${connection(one.state)} />
    <button onClick=${() => onConnect(one, present)}>${present ? `Change to it…` : "Connect"}</button>
  </li>`)}</ul>`;
}

function Card({ integration, run, onConnect, onLeave }) {
  const write = useWrite();
  const side = run && run.sides.find((one) => one.side === integration.side);
  const missing = integration.capabilities.filter((one) => one.granted === false);
  const check = () => write.run(async () => {
    const fresh = await post(`/v1/integrations/${integration.name}/authenticate`);
    await refreshIntegrations();
    toast(fresh.state === "needs_attention" ? `${integration.label} needs attention` : `${integration.label} answers`, { tone: fresh.state === "needs_attention" ? "bad" : "good" });
  });
  return html`<article class="card" aria-labelledby=${`card-${integration.name}`}>
    <header><h3 id=${`card-${integration.name}`}>${integration.label}</h3><${Status} of=${connection(write.isBusy ? "authenticating" : integration.state)} /></header>
    ${integration.state === "needs_attention" && html`<div class="cause"><p><strong>${integration.cause}</strong></p><p>${integration.fix}</p></div>`}
    <dl class="facts">
      <div><dt>Signed in as</dt><dd>${integration.identity ? html`<${Name} of=${integration.identity} />` : "—"}</dd></div>
      <div><dt>Address</dt><dd><${Name} of=${integration.address} /></dd></div>
      ${integration.settings && Object.entries(integration.settings).map(([key, value]) => html`<div key=${key}><dt>${fieldLabel(integration, key)}</dt><dd><${Name} of=${value} /></dd></div>`)}
      ${integration.identifier_tail && html`<div><dt>Key ends in</dt><dd><code>${integration.identifier_tail}</code></dd></div>`}
      <div><dt>Last tried</dt><dd><${When} at=${integration.checked_at} /></dd></div>
      <div><dt>Last read</dt><dd>${side && side.done ? html`<${When} at=${run.started_at} />` : isRunning(run) ? "reading now" : "not yet"}</dd></div>
      ${integration.next_read_at && html`<div><dt>Next read</dt><dd><${When} at=${integration.next_read_at} /></dd></div>`}
    </dl>
    <details class="permissions" open=${missing.length > 0}><summary>${missing.length ? `${missing.length} of ${integration.capabilities.length} permissions are missing` : `All ${integration.capabilities.length} permissions are there`}</summary>
      <ul>${integration.capabilities.map((one) => html`<li key=${one.name}><${Status} of=${grant(one.granted)} words=${one.name.replaceAll("_", " ")} /><span class="quiet">${one.detail || one.permission}</span></li>`)}</ul></details>
    ${integration.notes.map((note) => html`<p class="note" key=${note}><${Icon} name="note" />${note}</p>`)}
    <${ProblemNote} problem=${write.problem} onDismiss=${write.clear} />
    <footer><button onClick=${check} disabled=${write.isBusy}>Try now</button>
      <button onClick=${() => onConnect(integration)}>Change credential</button>
      <button class="danger" onClick=${() => onLeave(integration)}>Disconnect</button></footer>
  </article>`;
}

const fieldLabel = (integration, key) => integration.fields.find((field) => field.name === key)?.label || key;

function grant(granted) {
  if (granted === true) return { icon: "check", tone: "good", words: "Granted" };
  if (granted === false) return { icon: "x", tone: "bad", words: "Missing" };
  return { icon: "question", tone: "quiet", words: "Not tried" };
}

function ConnectForm({ integration, present, onClose }) {
  const write = useWrite();
  const [address, setAddress] = useState(integration.address || integration.default_address || "");
  const [fields, setFields] = useState(() => Object.fromEntries(integration.fields.map((field) => [field.name, integration.settings?.[field.name] || ""])));
  const submit = (event) => {
    event.preventDefault();
    write.run(async () => {
      await put(`/v1/integrations/${integration.name}`, { address: address.trim(), fields, switch: present !== null });
      await refreshIntegrations();
      onClose();
      await afterConnecting(integration);
    });
  };
  return html`<${Dialog} title=${`Connect ${integration.label}`} onClose=${onClose}>
    <form onSubmit=${submit} autocomplete="off">
      ${present && html`<p class="note"><${Icon} name="note" /><span>${integration.label} takes the place of <b>${present.label}</b>. What is mapped now is kept as files; accounts are matched again by name, and services are mapped again.</span></p>`}
      <ol class="vendor-steps">${integration.fields.map((field, place) => html`<li key=${field.name}>
        <label class="field"><span>${field.label}</span><small id=${`where-${field.name}`}>${field.where}</small>
          <input type=${field.secret ? "password" : "text"} name=${field.name} required autofocus=${place === 0} autocomplete=${field.secret ? "new-password" : "off"} spellcheck="false"
            aria-describedby=${`where-${field.name}`} value=${fields[field.name]} onInput=${(event) => setFields({ ...fields, [field.name]: event.target.value })} /></label></li>`)}
        <li><label class="field"><span>API address</span><small id="where-address">${integration.default_address ? "Change it only when yours is another one." : "The address of your own server."}</small>
          <input type="url" name="address" required spellcheck="false" aria-describedby="where-address" value=${address} onInput=${(event) => setAddress(event.target.value)} /></label></li></ol>
      <${ProblemNote} problem=${write.problem} />
      <footer><span class="quiet" role="status">${write.isBusy ? html`<${Status} of=${connection("authenticating")} />` : "Stored only when it works."}</span>
        <button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy}>Authenticate</button></footer>
    </form>
  </${Dialog}>`;
}

// With both sides there, accounts and services can be read: that is what the mapping begins with.
async function afterConnecting(integration) {
  const all = live.get().integrations;
  const isWhole = ["vendor", "psa"].every((side) => all.some((one) => one.side === side && one.state !== "not_connected"));
  if (!isWhole) return toast(`${integration.label} is connected. Connect the other side next.`);
  toast(`${integration.label} is connected. Accounts and services are being read.`);
  try {
    return await startRun();
  } catch (problem) {
    return toast(`${problem.detail}. ${problem.remedy}`, { tone: "bad" });
  }
}

function Disconnect({ integration, onClose }) {
  const write = useWrite();
  const confirm = () => write.run(async () => {
    await remove(`/v1/integrations/${integration.name}`);
    await refreshIntegrations();
    onClose();
    toast(`${integration.label} is disconnected`);
  });
  return html`<${Dialog} title=${`Disconnect ${integration.label}?`} onClose=${onClose}>
    <p>The stored credential is deleted, and nothing is read or written there any more.</p>
    <p><strong>Kept:</strong> every mapping, plan and the whole history. Connecting the same company again finds them as they were.</p>
    <${ProblemNote} problem=${write.problem} />
    <footer><button onClick=${onClose} autofocus>Keep it connected</button><button class="danger" onClick=${confirm} disabled=${write.isBusy}>Disconnect</button></footer>
  </${Dialog}>`;
}

export const NextLink = ({ page, children }) => html`<a class="button primary" href=${href(page)} onClick=${follow}>${children}</a>`;
