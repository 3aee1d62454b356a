// Keys for machines: made here and shown once, with what they may do; revoked at once.

import { html, useState } from "../../vendor/htm-preact.js";
import { get, post, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { toast } from "../toasts.js";
import { number, name as shownName } from "../format.js";
import { scope, scopes } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Dialog, Sure } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";

const GOOD = { icon: "check", tone: "good", words: "Opens" };
const REVOKED = { icon: "minus", tone: "quiet", words: "Revoked" };

export function ApiKeys() {
  const keys = useLoad(async () => (await get("/v1/api-keys")).items, []);
  const [asking, setAsking] = useState(null);
  const write = useWrite();
  const revoke = () => write.run(async () => {
    await remove(`/v1/api-keys/${encodeURIComponent(asking.key.id)}`);
    setAsking(null);
    keys.reload();
    toast(`${shownName(asking.key.name)} opens nothing any more`);
  });
  const inOrder = [...(keys.value || [])].sort((a, b) => Boolean(a.revoked_at) - Boolean(b.revoked_at) || (a.created_at < b.created_at ? 1 : -1));
  return html`<${ProblemNote} problem=${keys.problem} onRetry=${keys.reload} />
    <p class="line spread"><span class="quiet">A key lets a program of yours, or a PSA's automation, use a part of the API. It never opens these screens.</span><button class="primary" onClick=${() => setAsking({ kind: "make" })}><${Icon} name="plus" />Make a key</button></p>
    ${keys.value === null ? !keys.problem && html`<${Loading} words="Looking at the keys" />`
      : inOrder.length === 0 ? html`<${Empty} icon="lock" title="No key yet"><p>No machine can ask this system for anything.</p></${Empty}>`
      : html`<ul class="records" aria-label="API keys">${inOrder.map((key) => html`<li key=${key.id}><div class="stack"><span class="strong"><${Name} of=${key.name} /></span><span class="second"><code>${key.id}</code> · ${number(key.calls_a_minute)} calls a minute</span></div>
        <div class="stack"><span>${key.scopes.map(scope).join(", ")}</span><span class="second">made <${When} at=${key.created_at} /> by <bdi>${shownName(key.created_by)}</bdi>${key.revoked_at ? html`, revoked <${When} at=${key.revoked_at} /> by <bdi>${shownName(key.revoked_by)}</bdi>` : ""}</span></div>
        <div class="actions"><${Status} of=${key.revoked_at ? REVOKED : GOOD} />${!key.revoked_at && html`<button class="danger" aria-label=${`Revoke ${shownName(key.name)}`} onClick=${() => setAsking({ kind: "revoke", key })}>Revoke…</button>`}</div></li>`)}</ul>`}
    ${asking?.kind === "make" && html`<${MakeKey} onClose=${() => { setAsking(null); keys.reload(); }} />`}
    ${asking?.kind === "revoke" && html`<${Sure} title=${`Revoke ${shownName(asking.key.name)}?`} confirm="Revoke" keep="Keep it" isBusy=${write.isBusy} onConfirm=${revoke} onClose=${() => { write.clear(); setAsking(null); }} problem=${html`<${ProblemNote} problem=${write.problem} />`}>
      <p>Whatever uses it is refused from now on. This cannot be taken back; another key can be made.</p></${Sure}>`}`;
}

function MakeKey({ onClose }) {
  const write = useWrite();
  const [title, setTitle] = useState("");
  const [chosen, setChosen] = useState(() => new Set(["counts:read"]));
  const [calls, setCalls] = useState("60");
  const [made, setMade] = useState(null);
  const turn = (one) => setChosen((now) => { const next = new Set(now); if (!next.delete(one)) next.add(one); return next; });
  const submit = (event) => {
    event.preventDefault();
    write.run(async () => setMade(await post("/v1/api-keys", { name: title.trim(), scopes: [...chosen], calls_a_minute: Number(calls) })));
  };
  if (made) return html`<${KeyOnce} made=${made} onClose=${onClose} />`;
  return html`<${Dialog} title="Make a key" onClose=${onClose}><form onSubmit=${submit}>
    <label class="field"><span>What uses it</span><input required maxlength="60" autofocus value=${title} onInput=${(event) => setTitle(event.target.value)} /></label>
    <fieldset class="choices-field"><legend>What it may do</legend>${scopes.map((one) => html`<label class="check" key=${one}><input type="checkbox" checked=${chosen.has(one)} onChange=${() => turn(one)} />${scope(one)} <code>${one}</code></label>`)}</fieldset>
    ${chosen.has("plan:approve") && html`<p class="warning">Approving lets quantities be written in the PSA without a person looking.</p>`}
    <label class="field"><span>Calls a minute, at most</span><input type="number" required min="1" step="1" inputmode="numeric" value=${calls} onInput=${(event) => setCalls(event.target.value)} /></label>
    <${ProblemNote} problem=${write.problem} />
    <footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy || !title.trim() || chosen.size === 0}>Make it</button></footer></form></${Dialog}>`;
}

// The one moment in which the key can be read. It is kept nowhere, here neither.
function KeyOnce({ made, onClose }) {
  const [copied, setCopied] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.key);
      setCopied("Copied");
    } catch (refused) {
      setCopied("The browser does not let it be copied: select it and copy it by hand");
    }
  };
  return html`<${Dialog} title=${`The key for ${shownName(made.name)}`} onClose=${onClose}>
    <p><strong>It is shown now and never again.</strong> Put it where the program keeps its secrets.</p>
    <label class="field"><span>Key</span><input class="secret" readonly autofocus value=${made.key} onFocus=${(event) => event.target.select()} /></label>
    <footer><span class="quiet" role="status">${copied}</span><button onClick=${copy}>Copy</button><button class="primary" onClick=${onClose}>I have it</button></footer></${Dialog}>`;
}
