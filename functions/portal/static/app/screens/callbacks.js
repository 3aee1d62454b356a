// What the connected PSA calls Trueup for: asked for here, looked at in the PSA itself, and taken back.

import { html, useState } from "../../vendor/htm-preact.js";
import { get, post, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { isOnOneMachine } from "../settings.js";
import { toast } from "../toasts.js";
import { count, name as shownName } from "../format.js";
import { plainWords } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Dialog, Sure } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";

const CALLS = { icon: "check", tone: "good", words: "The PSA calls" };
const SILENT = { icon: "alert", tone: "bad", words: "Switched off in the PSA" };

export function Callbacks() {
  const callbacks = useLoad(async () => (await get("/v1/callbacks")).items, []);
  const [asking, setAsking] = useState(null);
  const write = useWrite();
  const done = (items, words) => {
    callbacks.setValue(items);
    setAsking(null);
    toast(words);
  };
  const register = (url) => write.run(async () => {
    const { items } = await post("/v1/callbacks", url ? { url } : {});
    done(items, `The PSA calls for ${count(items.length, "kind of record", "kinds of records")}`);
  });
  const take = () => write.run(async () => done((await remove(`/v1/callbacks/${encodeURIComponent(asking.callback.id)}`)).items, "Taken back"));
  const items = callbacks.value || [];
  const close = () => { write.clear(); setAsking(null); };
  return html`<${ProblemNote} problem=${callbacks.problem} onRetry=${callbacks.reload} />
    <p class="line spread"><span class="quiet">The PSA says when a client or an agreement changes, and Trueup reads that one again. Without it each run reads everything all the same.</span>
      ${!callbacks.problem && html`<span class="actions"><button onClick=${callbacks.reload} disabled=${callbacks.isLoading}><${Icon} name="refresh" />Ask the PSA</button><button class="primary" disabled=${write.isBusy} onClick=${() => setAsking({ kind: "register" })}>${items.length ? "Register again…" : "Have the PSA call…"}</button></span>`}</p>
    ${callbacks.value === null ? callbacks.isLoading && html`<${Loading} words="Asking the PSA" />`
      : items.length === 0 ? html`<${Empty} icon="plug" title="The PSA does not call"><p>Changes there are seen with the next run.</p></${Empty}>`
      : html`<ul class="records" aria-label="Callbacks">${items.map((one) => html`<li key=${one.id}><div class="stack"><span class="strong">${plainWords(one.subject)}</span><span class="second">${shownName(one.description)}</span></div><div class="stack"><code class="second">${shownName(one.url)}</code></div>
        <div class="actions"><${Status} of=${one.active ? CALLS : SILENT} /><button class="danger" aria-label=${`Take back: ${shownName(one.subject)}`} onClick=${() => setAsking({ kind: "remove", callback: one })}>Take back…</button></div></li>`)}</ul>`}
    ${asking?.kind === "register" && html`<${Register} write=${write} onClose=${close} onConfirm=${register} />`}
    ${asking?.kind === "remove" && html`<${Sure} title="Should the PSA no longer call for this?" confirm="Take back" keep="Keep it" isBusy=${write.isBusy} onConfirm=${take} onClose=${close} problem=${html`<${ProblemNote} problem=${write.problem} />`}>
      <p>Changes to this are seen with the next run only.</p></${Sure}>`}`;
}

function Register({ write, onClose, onConfirm }) {
  const [url, setUrl] = useState("");
  const submit = (event) => { event.preventDefault(); onConfirm(url.trim()); };
  return html`<${Dialog} title="Have the PSA call" onClose=${onClose}><form onSubmit=${submit}>
    <p>It is asked to call when clients and agreements change. The address has a secret part that only the PSA is told; asking again with the same address changes nothing.</p>
    <label class="field"><span>Address of Trueup, as the PSA reaches it</span><small id="where-url">${isOnOneMachine ? "The https address under which this machine is reached from outside." : "Empty for the address of this system."}</small>
      <input type="url" autofocus required=${isOnOneMachine} maxlength="300" aria-describedby="where-url" value=${url} onInput=${(event) => setUrl(event.target.value)} /></label>
    <${ProblemNote} problem=${write.problem} />
    <footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy}>Register</button></footer></form></${Dialog}>`;
}
