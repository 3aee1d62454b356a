// Who is to be a user of the vendor's partner portal: whether each can be, what stands in the way, and the mail that asks.

import { html, useEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { download, get, post, postCsv, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { useLive } from "../live.js";
import { useKeys } from "../keys.js";
import { show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { count, number, name as shownName, time } from "../format.js";
import { ROLES } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Dialog, Sure } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";
import { SearchField } from "../screens/accounts.js";
import { Copy } from "./copy.js";

const STATES = {
  ready: { icon: "check", tone: "good", words: "Ready" },
  blocked: { icon: "x", tone: "bad", words: "Blocked" },
  unknown: { icon: "question", tone: "look", words: "Unknown" },
  unchecked: { icon: "clock", tone: "quiet", words: "Not checked" },
};
const TABS = [{ value: "", words: "All" }, ...Object.entries(STATES).map(([value, of]) => ({ value, words: of.words }))];
const withTotals = (book) => ({ ...book, totals: { ...book.totals, ...Object.fromEntries(Object.keys(STATES).map((state) => [state, book.items.filter((user) => user.state === state).length])) } });
const path = (user, step = "") => `/v1/portal-users/${encodeURIComponent(user.address)}${step}`;

export function PortalUsers() {
  const { query } = useRoute();
  const { me } = useLive();
  const may = me ? (ROLES[me.role] || 0) >= ROLES.preparer : false;
  const book = useLoad(() => get("/v1/portal-users"), []);
  const [asking, setAsking] = useState(null);
  const write = useWrite();
  const text = (query.q || "").toLowerCase();
  const all = book.value?.items || [];
  const rows = useMemo(() => all.filter((user) => (!query.show || user.state === query.show) && (!text || `${user.name} ${user.address} ${user.role || ""}`.toLowerCase().includes(text))), [book.value, query.show, text]);
  const checkAll = () => write.run(async () => {
    const found = await post("/v1/portal-users/check");
    book.setValue(found);
    toast(`${number(found.totals.ready)} ready, ${number(found.totals.blocked)} blocked, ${number(found.totals.unknown)} unknown`);
  });
  const close = () => { setAsking(null); book.reload(); };
  const put = (user) => book.setValue((now) => now && withTotals({ ...now, items: now.items.map((one) => (one.address === user.address ? user : one)) }));
  useKeys("Portal users", [
    may && { key: "n", label: "Add somebody", run: () => setAsking({ kind: "add" }) },
    may && all.length > 0 && { key: "c", label: "Check everybody", run: () => write.isBusy || checkAll() },
    all.length > 0 && { key: "m", label: "The mail to the account manager", run: () => setAsking({ kind: "mail" }) },
  ]);
  return html`<section class="screen narrow-screen">
    <header class="screen-head"><div><h1>Portal users</h1><p class="lead">Who is to be a user of the Mimecast partner portal. Looked up on your own account, which is only read.</p></div></header>
    <div class="filters">${all.length > 0 && html`<div class="tabs" role="group" aria-label="Show">${TABS.map((one) => html`<button key=${one.value} aria-pressed=${(query.show || "") === one.value ? "true" : "false"} onClick=${() => show({ show: one.value }, { replace: false })}>${one.words} <b>${number(one.value ? book.value.totals[one.value] || 0 : all.length)}</b></button>`)}</div><${SearchField} value=${query.q || ""} placeholder="Name or address" />`}
      <${Actions} may=${may} isBusy=${write.isBusy} hasUsers=${all.length > 0} onAsk=${setAsking} onCheck=${checkAll} onImported=${book.reload} /></div>
    ${write.isBusy && html`<div class="checking" role="status"><span>Asking Mimecast about ${count(all.length, "user")}…</span><progress aria-label="Checking portal users"></progress></div>`}
    <${ProblemNote} problem=${book.problem} onRetry=${book.reload} /><${ProblemNote} problem=${write.problem} onDismiss=${write.clear} />
    ${book.value === null ? !book.problem && html`<${Loading} words="Reading the list" />` : html`
      ${book.value.check && html`<${AccountFound} check=${book.value.check} />`}
      ${all.length === 0 ? html`<${Empty} icon="user" title="Nobody is on the list"><p>Add the colleagues who are to use the partner portal, or import a file with the columns name and address. Then check whether they can be set up.</p></${Empty}>`
        : rows.length === 0 ? html`<${Empty} icon="search" title="Nobody of these"><p><button class="link" onClick=${() => show({ show: undefined, q: undefined })}>Show everybody</button></p></${Empty}>`
        : html`<ul class="records portal-users" aria-label="Portal users">${rows.map((user) => html`<${One} key=${user.address} user=${user} may=${may} onChange=${put} onRemove=${() => setAsking({ kind: "remove", user })} />`)}</ul>`}`}
    ${asking?.kind === "add" && html`<${AddUser} onClose=${close} />`}
    ${asking?.kind === "mail" && html`<${Mail} users=${all} onClose=${() => setAsking(null)} />`}
    ${asking?.kind === "remove" && html`<${Remove} user=${asking.user} onClose=${close} />`}
  </section>`;
}

function Actions({ may, isBusy, hasUsers, onAsk, onCheck, onImported }) {
  const file = useRef(null);
  const write = useWrite();
  const take = (event) => {
    const [chosen] = event.target.files;
    event.target.value = "";
    if (chosen) write.run(async () => {
      const done = await postCsv("/v1/portal-users/import", await chosen.text());
      toast(`${number(done.added)} added, ${number(done.renamed)} renamed, of ${count(done.rows, "row")}`);
      onImported();
    });
  };
  return html`<div class="actions">
    ${may && html`<button onClick=${() => onAsk({ kind: "add" })}><${Icon} name="plus" />Add</button>
      <button onClick=${() => file.current.click()} disabled=${write.isBusy}><${Icon} name="upload" />Import</button><input class="unseen" type="file" accept=".csv,text/csv" ref=${file} tabindex="-1" aria-label="A file of portal users" onChange=${take} />`}
    ${hasUsers && html`<button onClick=${() => download("/v1/exports/portal-users.csv", {}, "portal-users.csv").catch((problem) => toast(problem.detail, { tone: "bad" }))}><${Icon} name="download" />Export</button>
      <button onClick=${() => onAsk({ kind: "mail" })}><${Icon} name="note" />Mail…</button>
      ${may && html`<button class="primary" onClick=${onCheck} disabled=${isBusy}><${Icon} name=${isBusy ? "spinner" : "refresh"} />Check all</button>`}`}
    ${write.problem && html`<div class="actions-problem"><${ProblemNote} problem=${write.problem} onDismiss=${write.clear} /></div>`}</div>`;
}

// What was found of the account itself: directories decide who is listed at all.
function AccountFound({ check }) {
  return html`<details class="permissions" open=${check.warnings.length > 0}><summary>Checked <time datetime=${check.at}>${time(check.at)}</time> by <bdi>${shownName(check.by)}</bdi>${check.account ? html` on account <code>${shownName(check.account)}</code>` : ""}</summary>
    ${check.warnings.length > 0 && html`<ul class="reasons warning">${check.warnings.map((one) => html`<li key=${one}>${shownName(one)}</li>`)}</ul>`}
    ${check.notes.length > 0 && html`<ul class="reasons quiet">${check.notes.map((one) => html`<li key=${one}>${shownName(one)}</li>`)}</ul>`}
    ${check.directories && html`<ul>${check.directories.map((one, place) => html`<li key=${place}><${Status} of=${one.enabled === false ? { icon: "minus", tone: "look", words: "Disabled" } : { icon: "refresh", tone: "quiet", words: one.status || "No status told" }} /><span class="quiet">${shownName(one.name || "a directory")}${one.kind ? `, ${shownName(one.kind)}` : ""} · synchronized <${When} at=${one.last_sync_at} />${one.running ? ", running now" : ""}</span></li>`)}</ul>`}</details>`;
}

function One({ user, may, onChange, onRemove }) {
  const write = useWrite();
  const who = shownName(user.name);
  // What was just ticked stands while it is stored.
  const [ticking, setTicking] = useState(null);
  const tick = async (item, done) => {
    setTicking({ item, done });
    await write.run(async () => onChange(await post(path(user, "/tick"), { item, done })));
    setTicking(null);
  };
  const invite = () => write.run(async () => { onChange(await post(path(user, "/invite"))); toast(`${who} was checked again; the invite is noted`); });
  const facts = [user.role, user.cloud_password === true && "a cloud password seems to be set", user.cloud_password === false && "no cloud password seems to be set"].filter(Boolean);
  return html`<li><div class="stack"><span class="strong"><${Name} of=${user.name} /></span><span class="second"><${Name} of=${user.address} /></span>${facts.length > 0 && html`<span class="second">${facts.map(shownName).join(" · ")}</span>`}</div>
    <div class="stack portal-found"><${Status} of=${STATES[user.state] || STATES.unknown} /><span>${shownName(user.reason)}</span>
      ${user.fix && html`<span><b>Do:</b> ${shownName(user.fix)}</span>`}
      ${user.permission && html`<span><b>Missing permission:</b> ${shownName(user.permission)}</span>`}
      ${user.primary_address && user.primary_address !== user.address && html`<span>Primary address: <${Name} of=${user.primary_address} /></span>`}
      ${user.warnings.map((one) => html`<span class="warning" key=${one}>${shownName(one)}</span>`)}
      <span class="second">${user.checked_at ? html`checked <${When} at=${user.checked_at} />` : "never checked"}${user.invited_at ? html` · invited <${When} at=${user.invited_at} /> by <bdi>${shownName(user.invited_by)}</bdi>` : ""}</span></div>
    <div class="portal-do"><fieldset class="choices-field"><legend class="unseen">What no API tells of ${who}</legend>${user.checklist.map((one) => html`<label class="check" key=${one.item} title=${one.done ? `${shownName(one.by)}, ${time(one.at)}` : undefined}><input type="checkbox" checked=${ticking?.item === one.item ? ticking.done : one.done} disabled=${!may || write.isBusy} onChange=${(event) => tick(one.item, event.target.checked)} />${one.label}</label>`)}</fieldset>
      ${may && html`<div class="actions"><button onClick=${invite} disabled=${write.isBusy} aria-label=${`${user.invited_at ? "Invite again" : "Invite"}: ${who}`}>${user.invited_at ? "Invite again" : "Invite"}</button><button class="danger" onClick=${onRemove} aria-label=${`Remove ${who}`}>Remove…</button></div>`}</div>
    ${write.problem && html`<div class="whole"><${ProblemNote} problem=${write.problem} onDismiss=${write.clear} /></div>`}</li>`;
}

function AddUser({ onClose }) {
  const write = useWrite();
  const [name, setName] = useState("");
  const [address, setAddress] = useState("");
  const submit = (event) => {
    event.preventDefault();
    write.run(async () => {
      await post("/v1/portal-users", { name: name.trim(), address: address.trim() });
      onClose();
      toast(`${shownName(name.trim())} is on the list; check next`);
    });
  };
  return html`<${Dialog} title="Add a portal user" onClose=${onClose}><form onSubmit=${submit} autocomplete="off">
    <label class="field"><span>Name</span><input required autofocus maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label class="field"><span>Address</span><small>The primary address at your own domain; an alias cannot sign in.</small><input type="email" required maxlength="254" spellcheck="false" value=${address} onInput=${(event) => setAddress(event.target.value)} /></label>
    <${ProblemNote} problem=${write.problem} /><footer><button type="button" onClick=${onClose}>Close</button><button class="primary" disabled=${write.isBusy || !name.trim() || !address.trim()}>Add</button></footer></form></${Dialog}>`;
}

function Remove({ user, onClose }) {
  const write = useWrite();
  const confirm = () => write.run(async () => { await remove(path(user)); onClose(); toast(`${shownName(user.name)} is off the list`); });
  return html`<${Sure} title=${`Take ${shownName(user.name)} off the list?`} confirm="Remove" keep="Keep" isBusy=${write.isBusy} onConfirm=${confirm} onClose=${onClose} problem=${html`<${ProblemNote} problem=${write.problem} />`}>
    <p>Only this list forgets the person. Whoever is a portal user already stays one.</p></${Sure}>`;
}

// The mail is written by the API; nothing is sent from here.
function Mail({ users, onClose }) {
  const ready = users.filter((user) => user.state === "ready");
  if (ready.length) return html`<${ReadyMail} isNew=${ready.some((user) => !user.invited_at)} onClose=${onClose} />`;
  return html`<${Dialog} title="The mail to your account manager" onClose=${onClose}><p>Nobody is ready yet, so nobody can be named in it. Check everybody; then do what the list says of those who are blocked.</p>
    <footer><button autofocus onClick=${onClose}>Close</button></footer></${Dialog}>`;
}

function ReadyMail({ isNew, onClose }) {
  const [to, setTo] = useState("");
  const [asked, setAsked] = useState("");
  const [withInvited, setWithInvited] = useState(!isNew);
  const mail = useLoad(() => get("/v1/portal-users/mail", { to: asked, with_invited: withInvited || undefined }), [asked, withInvited]);
  useEffect(() => { const timer = setTimeout(() => setAsked(/^\S+@\S+\.\S+$/.test(to.trim()) ? to.trim() : ""), 250); return () => clearTimeout(timer); }, [to]);
  const shown = mail.value;
  return html`<${Dialog} title="The mail to your account manager" onClose=${onClose} wide>
    <div class="pair"><label class="field"><span>To</span><input type="email" autofocus spellcheck="false" value=${to} onInput=${(event) => setTo(event.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${withInvited} onChange=${(event) => setWithInvited(event.target.checked)} />Also those who were invited already</label></div>
    <${ProblemNote} problem=${mail.problem} onRetry=${mail.reload} />
    ${shown && html`<label class="field"><span>Subject</span><input readonly value=${shown.subject} /></label>
      <label class="field"><span>Text</span><textarea class="mail-text" readonly rows="14" value=${shown.text}></textarea></label>`}
    <footer><span class="quiet">${shown ? `${count(shown.addresses.length, "person", "people")} in it. Nothing is sent from here.` : ""}</span>
      <button onClick=${onClose}>Close</button>${shown && html`<${Copy} value=${shown.text} label="the text" words="Copy the text" />`}
      ${shown?.mailto && html`<a class="button primary" href=${shown.mailto}>Open in your mail program</a>`}</footer></${Dialog}>`;
}
