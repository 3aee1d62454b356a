// Exported files in place of an API: what is kept and how old it is, and a new one with its columns looked at once.

import { html, useRef, useState } from "../../vendor/htm-preact.js";
import { get, postFile, put, putFile, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { refreshIntegrations, useLive } from "../live.js";
import { toast } from "../toasts.js";
import { count, number, name as shownName } from "../format.js";
import { ROLES, connection, fileKind } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Dialog, Sure } from "../parts/dialog.js";
import { Loading, ProblemNote } from "../parts/problem.js";
import { When } from "../parts/text.js";

export function Files() {
  const { changes, integrations, me } = useLive();
  const files = useLoad(async () => (await get("/v1/files")).items, [changes]);
  const [look, setLook] = useState(null);
  const [leaving, setLeaving] = useState(null);
  const write = useWrite();
  const may = (role) => (me ? (ROLES[me.role] || 0) >= ROLES[role] : false);
  const preview = (file, content) => write.run(async () => {
    const found = await postFile(`/v1/files/${file.kind}/preview`, content);
    setLook({ file, content, found });
  });
  const forget = () => write.run(async () => {
    await remove(`/v1/files/${leaving.kind}`);
    setLeaving(null);
    files.reload();
    toast(`${fileKind(leaving.kind)}: the file is forgotten`);
  });
  const connect = (integration) => write.run(async () => {
    await put(`/v1/integrations/${integration.name}`, { address: integration.default_address, fields: {} });
    await refreshIntegrations();
    toast(`${integration.label} are read from now on`);
  });
  const groups = (integrations || []).map((one) => ({ integration: one, files: (files.value || []).filter((file) => file.integration === one.name) })).filter((one) => one.files.length > 0);
  return html`<section class="screen narrow-screen">
    <header class="screen-head"><div><h1>Files</h1><p class="lead">Where there is no API, exported files take its place. A file is taken whole or not at all, and is as old as the day it was given.</p></div></header>
    <${ProblemNote} problem=${files.problem || (look || leaving ? null : write.problem)} onRetry=${files.problem ? files.reload : undefined} onDismiss=${files.problem ? undefined : write.clear} />
    ${(files.value === null || integrations === null) && !files.problem && html`<${Loading} words="Looking at the files" />`}
    ${groups.map(({ integration, files: kept }) => html`<section class="side" key=${integration.name} aria-labelledby=${`files-${integration.name}`}>
      <header class="side-head"><h2 id=${`files-${integration.name}`}>${integration.label}</h2><${Status} of=${connection(integration.state)} />
        ${integration.state === "not_connected" && may("admin") && html`<button onClick=${() => connect(integration)} disabled=${write.isBusy || !kept.some((file) => file.kept)}>Use them in place of an API</button>`}</header>
      <ul class="records">${kept.map((file) => html`<${File} key=${file.kind} file=${file} may=${may("preparer")} isBusy=${write.isBusy} onChosen=${(content) => preview(file, content)} onForget=${() => setLeaving(file)} />`)}</ul></section>`)}
    ${look && html`<${Columns} look=${look} onClose=${() => setLook(null)} onDone=${() => { setLook(null); files.reload(); }} />`}
    ${leaving && html`<${Sure} title=${`Forget the file of ${fileKind(leaving.kind).toLowerCase()}?`} confirm="Forget" keep="Keep it" isBusy=${write.isBusy} onConfirm=${forget} onClose=${() => setLeaving(null)} problem=${html`<${ProblemNote} problem=${write.problem} />`}>
      <p>The next read has no such file. What was compared before stays in the history.</p></${Sure}>`}
  </section>`;
}

function File({ file, may, isBusy, onChosen, onForget }) {
  const field = useRef(null);
  const choose = async (event) => {
    const chosen = event.target.files[0];
    event.target.value = "";
    if (chosen) onChosen(await chosen.arrayBuffer());
  };
  const words = fileKind(file.kind);
  return html`<li><div class="stack"><span class="strong">${words}</span><span class="second">${file.fields.filter((one) => one.required).map((one) => one.label).join(", ")}</span></div>
    <div class="stack">${file.kept ? html`<span>${count(file.rows, "row")}, given <${When} at=${file.uploaded_at} /></span><span class="second">${file.is_old ? html`<span class="warning">Old: give a newer one. </span>` : ""}by <bdi>${shownName(file.uploaded_by)}</bdi></span>` : html`<span class="quiet">No file</span>`}</div>
    <div class="actions">${may && html`<button onClick=${() => field.current.click()} disabled=${isBusy} aria-label=${`Give a file of ${words.toLowerCase()}`}><${Icon} name="upload" />Give a file</button>
      <input class="unseen" type="file" accept=".csv,.txt,text/csv" ref=${field} tabindex="-1" aria-label=${`File of ${words.toLowerCase()}`} onChange=${choose} />`}
      ${may && file.kept && html`<button class="icon-button" aria-label=${`Forget ${words.toLowerCase()}`} onClick=${onForget}><${Icon} name="x" /></button>`}</div></li>`;
}

// Which column is which: shown once, and taken without a question when the next file has the same ones.
function Columns({ look, onClose, onDone }) {
  const { file, content, found } = look;
  const write = useWrite();
  const [chosen, setChosen] = useState(() => Object.fromEntries(file.fields.map((field) => [field.name, found.columns[field.name] || ""])));
  const missing = file.fields.filter((field) => field.required && !chosen[field.name]);
  const submit = (event) => {
    event.preventDefault();
    write.run(async () => {
      const given = await putFile(`/v1/files/${file.kind}`, content, { columns: JSON.stringify(chosen), confirm: true });
      toast(`${fileKind(file.kind)}: ${count(given.rows, "row")} taken`);
      onDone();
    });
  };
  return html`<${Dialog} title=${`${fileKind(file.kind)}: which column is which?`} onClose=${onClose} wide><form onSubmit=${submit}>
    <p class="quiet">${count(found.rows, "row")}, ${found.encoding}, separated by ${found.separator}; the columns are named in line ${number(found.header_line)}.${found.remembered ? " They are as last time." : ""}</p>
    <div class="columns-field">${file.fields.map((field) => html`<label class="field" key=${field.name}><span>${field.label}${field.required ? "" : html` <small>if there is one</small>`}</span>
      <select value=${chosen[field.name]} onChange=${(event) => setChosen({ ...chosen, [field.name]: event.target.value })}><option value="">none</option>${found.headers.map((header) => html`<option key=${header} value=${header}>${shownName(header)}</option>`)}</select></label>`)}</div>
    <div class="sample" tabindex="0" role="region" aria-label="The first rows"><table><thead><tr>${found.headers.map((header) => html`<th scope="col" key=${header}>${shownName(header)}</th>`)}</tr></thead>
      <tbody>${found.sample.map((row, place) => html`<tr key=${place}>${row.map((cell, index) => html`<td key=${index}>${shownName(cell)}</td>`)}</tr>`)}</tbody></table></div>
    ${missing.length > 0 && html`<p class="warning" role="status">Say which column is the ${missing.map((field) => field.label).join(", ")}.</p>`}
    <${ProblemNote} problem=${write.problem} />
    <footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy || missing.length > 0}>Take the file</button></footer></form></${Dialog}>`;
}
