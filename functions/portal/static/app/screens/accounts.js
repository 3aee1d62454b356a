// Which vendor account is which client of the PSA. One table; every decision is stored at once and can be taken back.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { download, getAll, post, postCsv } from "../api.js";
import { useLoad } from "../load.js";
import { useLive } from "../live.js";
import { useKeys } from "../keys.js";
import { show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { count, number, name as shownName } from "../format.js";
import { mapping } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Dialog, Picker } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Steps } from "../parts/steps.js";
import { Name, When } from "../parts/text.js";
import { VirtualTable, focusTable } from "../parts/table.js";
import { ClientPanel } from "./client_panel.js";
import { AccountCell, decisionWords } from "./account_cells.js";
import { useDecisions } from "./account_decisions.js";
import { ExcludeDialog, isReviewDue } from "./exclude_dialog.js";
import { ACCOUNTS, TENANTS } from "./mapping_subjects.js";

const PAGE = 1000;
const TABS = [
  { value: "", words: "All" },
  { value: "open", words: "To decide" },
  { value: "mapped", words: "Mapped" },
  { value: "excluded", words: "Excluded" },
  { value: "review", words: "Review due", isQuiet: true },
];

const REVIEW_DUE = { icon: "clock", tone: "look", words: "Excluded, review due" };

const collator = new Intl.Collator(undefined, { numeric: true });
const isOpen = (entry) => entry.mapping === "unmapped" || entry.mapping === "ambiguous";
const toReview = (entry) => entry.mapping === "excluded" && isReviewDue(entry.decision);
const belongs = { "": () => true, open: isOpen, mapped: (entry) => entry.mapping === "mapped", excluded: (entry) => entry.mapping === "excluded", review: toReview };

// Open first, then by name: what is to be done is at the top, and stays there when it has been decided.
function inOrder(entries) {
  const place = (entry) => (isOpen(entry) ? 0 : 1);
  return [...entries].sort((a, b) => place(a) - place(b) || collator.compare(a.vendor_account_name, b.vendor_account_name));
}

function useAccounts(subject) {
  const { changes } = useLive();
  // Rows as this page last had them stored: a list that was asked for earlier must not put an older state over them.
  const newest = useRef(new Map());
  const kept = (item) => {
    const own = newest.current.get(item.vendor_account_id);
    return own && own.version >= item.version ? own : item;
  };
  const listed = (items) => ({ order: inOrder(items).map((entry) => entry.vendor_account_id), byId: new Map(items.map((entry) => [entry.vendor_account_id, kept(entry)])) });
  const accounts = useLoad(async ({ onPart, isCurrent }) => {
    const all = await getAll(subject.path, { limit: PAGE }, { onPage: (items, _first, isLast) => isLast || onPart(listed([...items])), isCurrent });
    return all && listed(all.items);
  }, [changes]);
  const clients = useLoad(async ({ onPart, isCurrent }) => {
    const all = await getAll("/v1/psa-accounts", { limit: PAGE }, { onPage: (items) => onPart([...items]), isCurrent });
    return all && all.items;
  }, [changes]);
  const place = (entry) => {
    newest.current.set(entry.vendor_account_id, entry);
    accounts.setValue((value) => value && { order: value.order, byId: new Map(value.byId).set(entry.vendor_account_id, entry) });
  };
  return { accounts, clients, place };
}

export const Tenants = () => html`<${Accounts} subject=${TENANTS} />`;

export function Accounts({ subject = ACCOUNTS }) {
  const { query } = useRoute();
  const { accounts, clients, place } = useAccounts(subject);
  const [active, setActive] = useState(0);
  const [asking, setAsking] = useState(null);
  const [search, setSearch] = useState("");
  const [skipped, setSkipped] = useState(() => new Set());
  const tab = belongs[query.show || ""] ? query.show || "" : "";
  const text = (query.q || "").toLowerCase();
  // A row that was just decided stays where it is until the list is chosen anew: nothing jumps away under the hand.
  const staying = useRef(new Set());
  useLayoutEffect(() => { staying.current = new Set(); setActive(0); }, [tab, text]);
  const rows = useMemo(() => {
    if (!accounts.value) return [];
    const all = accounts.value.order.map((id) => accounts.value.byId.get(id));
    return all.filter((entry) => (belongs[tab](entry) || staying.current.has(entry.vendor_account_id)) && matches(entry, text));
  }, [accounts.value, tab, text]);
  const totals = useMemo(() => totalsOf(accounts.value), [accounts.value]);
  const decide = useDecisions(subject.path, (entry) => {
    staying.current.add(entry.vendor_account_id);
    place(entry);
  });
  const entry = rows[active] || null;
  const next = () => {
    const following = rows.findIndex((one, index) => index > active && isOpen(one));
    setActive(following >= 0 ? following : Math.min(rows.length - 1, active + 1));
  };
  const accept = async (item, suggestion) => {
    if (suggestion) {
      next();
      await decide.map(item, suggestion);
    } else setAsking({ kind: "pick", entry: item });
  };
  const skip = () => { if (entry) { setSkipped(new Set(skipped).add(entry.vendor_account_id)); next(); } };
  useKeys("Account mapping", [
    { key: "Enter", label: "Accept the first suggestion, or choose a client" },
    { key: "1", label: "Accept the first suggestion", run: () => entry?.suggestions[0] && accept(entry, entry.suggestions[0]) },
    { key: "2", label: "Accept the second", run: () => entry?.suggestions[1] && accept(entry, entry.suggestions[1]) },
    { key: "3", label: "Accept the third", run: () => entry?.suggestions[2] && accept(entry, entry.suggestions[2]) },
    { key: "m", label: "Choose any client", run: () => entry && setAsking({ kind: "pick", entry }) },
    { key: "x", label: "Skip: decide later", run: skip },
    { key: "e", label: "Exclude, with a reason", run: () => entry && setAsking({ kind: "exclude", entry }) },
    { key: "Backspace", label: "Take the decision back", run: () => entry && !isOpen(entry) && decide.clear(entry) },
    { key: "z", label: "Undo the last decision", run: decide.undo },
    { key: "f", label: "Look for this name among the clients", run: () => entry && setSearch(firstWord(entry)) },
  ]);
  const taken = useMemo(() => takenClients(accounts.value), [accounts.value]);
  const columns = columnsFor({ subject, accept, decide, setAsking, setSearch, skipped, firstWord });
  const rowProps = (item) => dropTarget((client) => decide.map(item, client));
  return html`<section class="screen fill-screen">
    ${subject.steps && html`<${Steps} at=${subject.steps} />`}
    <header class="screen-head"><div><h1>${subject.title}</h1><p class="lead">${subject.lead}</p></div>
      <${Actions} subject=${subject} rows=${rows} decide=${decide} accounts=${accounts} /></header>
    <div class="filters"><div class="tabs" role="group" aria-label="Show">${TABS.filter((one) => !one.isQuiet || totals[one.value] > 0 || tab === one.value).map((one) => html`<button key=${one.value} aria-pressed=${tab === one.value ? "true" : "false"} onClick=${() => show({ show: one.value }, { replace: false })}>${one.words} <b>${number(totals[one.value])}</b></button>`)}</div>
      <span class="quiet filters-note" role="status">${number(totals.unmapped)} unmapped, ${number(totals.ambiguous)} ambiguous</span>
      <${SearchField} value=${query.q || ""} /></div>
    <${ProblemNote} problem=${accounts.problem || decide.problem} onRetry=${accounts.problem ? accounts.reload : undefined} onDismiss=${decide.problem ? decide.clearProblem : undefined} />
    <div class="two-panes">
      <${ClientPanel} clients=${clients} taken=${taken} search=${search} onSearch=${setSearch} target=${entry}
        onPick=${(client) => { if (entry) { decide.map(entry, client); next(); focusTable("accounts"); } }} />
      ${accounts.value === null && accounts.isLoading ? html`<${Loading} words=${`Reading the ${subject.one}s`} />`
        : rows.length === 0 ? html`<${NoRows} subject=${subject} total=${totals[""]} tab=${tab} text=${text} />`
        : html`<${VirtualTable} name="accounts" label=${subject.table} items=${rows} columns=${columns} keyOf=${(item) => item.vendor_account_id}
            rowHeight=${56} narrowHeight=${128} active=${active} onActive=${setActive} onOpen=${(item) => accept(item, isOpen(item) ? item.suggestions[0] : null)}
            rowProps=${rowProps} rowLabel=${rowLabel} rowClass=${(item) => `is-${item.mapping}${skipped.has(item.vendor_account_id) ? " is-skipped" : ""}`} />`}
    </div>
    ${asking?.kind === "exclude" && html`<${ExcludeDialog} name=${asking.entry.vendor_account_name}
      onClose=${() => setAsking(null)} onConfirm=${(said) => { setAsking(null); next(); decide.exclude(asking.entry, said); focusTable("accounts"); }}>
      <p class="quiet">It is left out of every comparison and stays listed here with the reason.</p></${ExcludeDialog}>`}
    ${asking?.kind === "pick" && html`<${ClientPicker} entry=${asking.entry} clients=${clients.value || []} onClose=${() => setAsking(null)}
      onPick=${(client) => { setAsking(null); next(); decide.map(asking.entry, client); focusTable("accounts"); }} />`}
  </section>`;
}

const firstWord = (entry) => shownName(entry.vendor_account_name).split(/[\s,.&]+/).find((word) => word.length > 2) || shownName(entry.vendor_account_name);

function rowLabel(entry) {
  const top = entry.suggestions[0];
  const what = entry.mapping === "mapped" ? `mapped to ${shownName(entry.psa_account_name)}` : entry.mapping;
  return `${shownName(entry.vendor_account_name)}, ${what}${isOpen(entry) && top ? `. Suggestion: ${shownName(top.psa_account_name)}, ${top.reasons.join(", ")}` : ""}`;
}

const searched = new WeakMap();

function matches(entry, text) {
  if (!text) return true;
  if (!searched.has(entry)) searched.set(entry, `${entry.vendor_account_name} ${entry.vendor_account_id} ${entry.psa_account_name || ""} ${entry.psa_account_id || ""}`.toLowerCase());
  return searched.get(entry).includes(text);
}

function totalsOf(value) {
  const totals = { "": 0, open: 0, mapped: 0, excluded: 0, review: 0, unmapped: 0, ambiguous: 0 };
  for (const entry of value ? value.byId.values() : []) {
    totals[""] += 1;
    totals[entry.mapping] += 1;
    if (isOpen(entry)) totals.open += 1;
    if (toReview(entry)) totals.review += 1;
  }
  return totals;
}

function takenClients(value) {
  const taken = new Map();
  for (const entry of value ? value.byId.values() : []) if (entry.psa_account_id) taken.set(entry.psa_account_id, entry);
  return taken;
}

function dropTarget(onDrop) {
  return {
    onDragOver: (event) => {
      if (![...event.dataTransfer.types].includes("text/x-trueup-client")) return;
      event.preventDefault();
      event.currentTarget.classList.add("is-target");
    },
    onDragLeave: (event) => event.currentTarget.classList.remove("is-target"),
    onDrop: (event) => {
      event.preventDefault();
      event.currentTarget.classList.remove("is-target");
      onDrop(JSON.parse(event.dataTransfer.getData("text/x-trueup-client")));
    },
  };
}

function columnsFor({ subject, accept, decide, setAsking, setSearch, skipped }) {
  return [
    { key: "vendor", label: subject.column, className: "cell-vendor", render: (entry, isActive) => html`<div class="stack"><span class="line"><${Name} of=${entry.vendor_account_name} className="strong" />
        <button class="icon-button row-button" tabindex=${isActive ? 0 : -1} aria-label=${`Look for ${shownName(entry.vendor_account_name)} among the clients`} title="Look for this name among the clients (F)" onClick=${() => setSearch(firstWord(entry))}><${Icon} name="filter" /></button></span>
      <span class="second"><code>${shownName(entry.vendor_account_id)}</code>${entry.status !== "active" ? ` · ${entry.status_text || entry.status}` : ""}${entry.warnings.length ? html` · <span class="warning" title=${entry.warnings.join("; ")}>${entry.warnings[0]}</span>` : ""}</span></div>` },
    { key: "client", label: "Client in the PSA", className: "cell-client", render: (entry, isActive) => html`<${AccountCell} entry=${entry} isActive=${isActive} accept=${accept} decide=${decide} onPick=${() => setAsking({ kind: "pick", entry })} />` },
    { key: "state", label: "State", className: "cell-state", render: (entry) => html`<div class="stack"><${Status} of=${entry.isSaving ? { icon: "spinner", tone: "act", words: "Saving" }   : toReview(entry) ? REVIEW_DUE : mapping(entry.mapping)} />
      <span class="second">${skipped.has(entry.vendor_account_id) && isOpen(entry) ? "skipped for now" : entry.decision ? html`${decisionWords(entry.decision)} · <${When} at=${entry.decision.at} />` : ""}</span></div>` },
    { key: "do", label: html`<span class="unseen">Actions</span>`, className: "cell-do", render: (entry, isActive) => html`<div class="row-buttons">
      ${isOpen(entry) ? html`<button class="icon-button" tabindex=${isActive ? 0 : -1} title="Exclude (E)" aria-label="Exclude" onClick=${() => setAsking({ kind: "exclude", entry })}><${Icon} name="minus" /></button>` : html`<button class="icon-button" tabindex=${isActive ? 0 : -1} title="Take the decision back (Backspace)" aria-label="Take the decision back" onClick=${() => decide.clear(entry)}><${Icon} name="x" /></button>`}</div>` },
  ];
}

export function SearchField({ value, placeholder = "Search" }) {
  const [text, setText] = useState(value);
  const input = useRef(null);
  // While somebody types the field leads and the address follows; a late address must not take letters away.
  useEffect(() => { if (document.activeElement !== input.current) setText(value); }, [value]);
  return html`<div class="search-field"><${Icon} name="search" /><input type="search" ref=${input} placeholder=${placeholder} aria-label=${placeholder} value=${text}
    onInput=${(event) => { setText(event.target.value); show({ q: event.target.value }); }}
    onKeyDown=${(event) => { if (event.key === "Escape" && !text) event.target.blur(); if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); document.querySelector(".table")?.focus(); } }} /><kbd aria-hidden="true">/</kbd></div>`;
}

function ClientPicker({ entry, clients, onPick, onClose }) {
  const find = async (text) => {
    const wanted = text.trim().toLowerCase();
    return clients.filter((client) => !wanted || `${client.psa_account_name} ${client.identifier || ""} ${client.psa_account_id}`.toLowerCase().includes(wanted)).slice(0, 50);
  };
  return html`<${Picker} title=${`Which client is ${shownName(entry.vendor_account_name)}?`} placeholder="Name, short code or id" find=${find} itemKey=${(client) => client.psa_account_id}
    renderItem=${(client) => html`<${Name} of=${client.psa_account_name} /><small>${shownName(client.identifier || client.psa_account_id)}</small>`}
    onPick=${onPick} onClose=${onClose} emptyWords=${(text) => `No client of the last read has “${text}” in its name, code or id.`} />`;
}

// Everything at once: one class of reasons, or a file. All of it or nothing of it is stored.
function Actions({ subject, rows, decide, accounts }) {
  const [problem, setProblem] = useState(null);
  const file = useRef(null);
  const classes = useMemo(() => reasonClasses(rows), [rows]);
  const [asked, setAsked] = useState(null);
  const choose = (event) => {
    setAsked(classes.find((one) => one.reason === event.target.value) || null);
    event.target.value = "";
  };
  const acceptClass = async (chosen) => {
    setAsked(null);
    try {
      const decisions = chosen.entries.map((entry) => ({ vendor_account_id: entry.vendor_account_id, psa_account_id: entry.suggestions[0].psa_account_id, reason: chosen.reason }));
      const done = await post(subject.path, { decisions });
      toast(`${count(done.changed, subject.one)} mapped`);
      accounts.reload();
    } catch (trouble) {
      setProblem(trouble);
    }
  };
  const importFile = async (event) => {
    const chosen = event.target.files[0];
    event.target.value = "";
    if (!chosen) return;
    try {
      const done = await postCsv(`${subject.path}/import`, await chosen.text());
      toast(`${count(done.changed, "decision")} taken from ${count(done.rows, "row")}`);
      accounts.reload();
    } catch (trouble) {
      setProblem(trouble);
    }
  };
  return html`<div class="actions">
    ${classes.length > 0 && html`<select aria-label="Accept all suggestions with one reason" onChange=${choose}><option value="">Accept all with…</option>${classes.map((one) => html`<option key=${one.reason} value=${one.reason}>${one.reason} (${one.entries.length})</option>`)}</select>`}
    <button onClick=${decide.undo}><${Icon} name="undo" />Undo</button>
    <button onClick=${() => file.current.click()}><${Icon} name="upload" />Import</button>
    <input class="unseen" type="file" accept=".csv,text/csv" ref=${file} tabindex="-1" aria-label="A mapping file" onChange=${importFile} />
    <button onClick=${() => download(`/v1/exports/${subject.file}`, {}, subject.file).catch(setProblem)}><${Icon} name="download" />Export</button>
    ${asked && html`<${Dialog} title=${`Map ${count(asked.entries.length, subject.one)} at once?`} onClose=${() => setAsked(null)}>
      <p>The first suggestion of each has this reason: ${asked.reason}.</p>
      <ul class="bulk-list">${asked.entries.slice(0, 200).map((entry) => html`<li key=${entry.vendor_account_id}><${Name} of=${entry.vendor_account_name} /><${Icon} name="right" /><${Name} of=${entry.suggestions[0].psa_account_name} /></li>`)}</ul>
      <footer><button onClick=${() => setAsked(null)}>Cancel</button><button class="primary" autofocus onClick=${() => acceptClass(asked)}>Map ${number(asked.entries.length)}</button></footer></${Dialog}>`}
    ${problem && html`<div class="actions-problem"><${ProblemNote} problem=${problem} onDismiss=${() => setProblem(null)} /></div>`}
  </div>`;
}

// The open rows by the first reason of their first suggestion, where nothing speaks against it.
function reasonClasses(rows) {
  const classes = new Map();
  for (const entry of rows) {
    const top = entry.mapping === "unmapped" ? entry.suggestions[0] : null;
    if (!top || !top.reasons.length) continue;
    const kind = top.reasons[0].replace(/[“"'].*?[”"']/g, "…").replace(/\d+/g, "n");
    if (!classes.has(kind)) classes.set(kind, { reason: kind, entries: [] });
    classes.get(kind).entries.push(entry);
  }
  return [...classes.values()].sort((a, b) => b.entries.length - a.entries.length).slice(0, 8);
}

function NoRows({ subject, total, tab, text }) {
  if (total === 0) return html`<${Empty} icon="people" title=${`No ${subject.one}s yet`}><p>${subject.empty}</p></${Empty}>`;
  if (text) return html`<${Empty} icon="search" title="Nothing matches"><p>No ${subject.one} has “${text}” in its name, code or client. <button class="link" onClick=${() => show({ q: "" })}>Clear the search</button></p></${Empty}>`;
  if (tab === "open") return html`<${Empty} title=${`Every ${subject.one} is decided`}><p>New ${subject.one}s show up here after the next sync.</p></${Empty}>`;
  return html`<${Empty} icon="list" title="None of these"><p>No ${subject.one} is in this state.</p></${Empty}>`;
}
