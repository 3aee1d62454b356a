// Which vendor service is which product of the PSA. Products are found by Product ID or by name.

import { html, useLayoutEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { get, put, remove } from "../api.js";
import { useLoad } from "../load.js";
import { useLive } from "../live.js";
import { useKeys } from "../keys.js";
import { show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { count, name as shownName, number } from "../format.js";
import { settings } from "../settings.js";
import { mapping, plainWords } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Picker, ReasonDialog } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Steps } from "../parts/steps.js";
import { Money, Name, When } from "../parts/text.js";
import { VirtualTable, focusTable } from "../parts/table.js";
import { SearchField } from "./accounts.js";
import { decisionWords } from "./account_cells.js";

const TABS = [
  { value: "", words: "All", has: () => true },
  { value: "open", words: "To decide", has: (entry) => entry.mapping === "unmapped" },
  { value: "mapped", words: "Mapped", has: (entry) => entry.mapping === "mapped" },
  { value: "excluded", words: "Not billed", has: (entry) => entry.mapping === "excluded" },
];
const REASONS = ["Included in another service", "We do not bill this", "Our own use"];

export function Services() {
  const { changes } = useLive();
  const { query } = useRoute();
  const services = useLoad(async () => (await get("/v1/service-mappings")).items, [changes]);
  const [active, setActive] = useState(0);
  const [asking, setAsking] = useState(null);
  const decide = useServiceDecisions(services);
  const tab = TABS.find((one) => one.value === (query.show || "")) || TABS[0];
  const text = (query.q || "").toLowerCase();
  const all = services.value || [];
  const rows = all.filter((entry) => tab.has(entry) && `${entry.service_name} ${entry.service_id} ${entry.product_code || ""} ${entry.product_name || ""}`.toLowerCase().includes(text))
    .sort((a, b) => b.accounts - a.accounts || (a.service_name < b.service_name ? -1 : 1));
  const entry = rows[active] || null;
  useLayoutEffect(() => setActive(0), [query.show, query.q]);
  useKeys("Service mapping", [
    { key: "Enter", label: "Choose the product by Product ID or name" },
    { key: "e", label: "Not billed: exclude, with a reason", run: () => entry && setAsking({ kind: "exclude", entry }) },
    { key: "Backspace", label: "Take the decision back", run: () => entry && entry.mapping !== "unmapped" && decide.clear(entry) },
    { key: "z", label: "Undo the last decision", run: decide.undo },
  ]);
  const columns = [
    { key: "service", label: "Service", className: "cell-vendor", render: (item) => html`<div class="stack"><${Name} of=${item.service_name} className="strong" /><span class="second"><code>${shownName(item.service_id)}</code> · ${plainWords(item.kind).toLowerCase()}</span></div>` },
    { key: "accounts", label: "Accounts", className: "number", render: (item) => html`<span class="figure">${number(item.accounts)}</span>` },
    { key: "product", label: "Product in the PSA", className: "cell-client", render: (item, isActive) => html`<${ProductCell} entry=${item} isActive=${isActive} onPick=${() => setAsking({ kind: "pick", entry: item })} />` },
    { key: "state", label: "State", className: "cell-state", render: (item) => html`<div class="stack"><${Status} of=${item.isSaving ? { icon: "spinner", tone: "act", words: "Saving" } : mapping(item.mapping)} />
      <span class="second">${item.decision ? html`${decisionWords(item.decision)} · <${When} at=${item.decision.at} />` : ""}</span></div>` },
    { key: "do", label: html`<span class="unseen">Actions</span>`, className: "cell-do", render: (item, isActive) => item.mapping !== "excluded" && html`<button class="icon-button" tabindex=${isActive ? 0 : -1} aria-label="Not billed" title="Not billed (E)" onClick=${() => setAsking({ kind: "exclude", entry: item })}><${Icon} name="minus" /></button>` },
  ];
  return html`<section class="screen fill-screen">
    <${Steps} at="services" />
    <header class="screen-head"><div><h1>Services</h1><p class="lead">Which product bills which service. Enter searches the PSA's catalog.</p></div>
      <div class="actions"><button onClick=${decide.undo}><${Icon} name="undo" />Undo</button></div></header>
    <div class="filters"><div class="tabs" role="group" aria-label="Show">${TABS.map((one) => html`<button key=${one.value} aria-pressed=${tab === one ? "true" : "false"} onClick=${() => show({ show: one.value }, { replace: false })}>${one.words} <b>${all.filter(one.has).length}</b></button>`)}</div>
      <${SearchField} value=${query.q || ""} /></div>
    <${ProblemNote} problem=${services.problem || decide.problem} onRetry=${services.problem ? services.reload : undefined} onDismiss=${decide.problem ? decide.clearProblem : undefined} />
    ${services.value === null && services.isLoading ? html`<${Loading} words="Reading the services" />`
      : rows.length === 0 ? html`<${Empty} icon="box" title=${all.length ? "None of these" : "No services yet"}><p>${all.length ? "No service is in this state or has that text." : "They come with the first sync, once both sides are connected."}</p></${Empty}>`
      : html`<${VirtualTable} name="services" label="Vendor services" items=${rows} columns=${columns} keyOf=${(item) => item.service_id} rowHeight=${56} narrowHeight=${124}
          active=${active} onActive=${setActive} onOpen=${(item) => setAsking({ kind: "pick", entry: item })} rowClass=${(item) => `is-${item.mapping}`} />`}
    ${asking?.kind === "pick" && html`<${ProductPicker} entry=${asking.entry} onClose=${() => setAsking(null)} onPick=${(product) => { setAsking(null); decide.map(asking.entry, product); focusTable("services"); }} />`}
    ${asking?.kind === "exclude" && html`<${ReasonDialog} title=${`${shownName(asking.entry.service_name)} is not billed`} confirm="Exclude" suggestions=${REASONS} onClose=${() => setAsking(null)}
      onConfirm=${(reason) => { setAsking(null); decide.exclude(asking.entry, reason); focusTable("services"); }}><p class="quiet">${count(asking.entry.accounts, "account")} with this service will not be compared on it.</p></${ReasonDialog}>`}
  </section>`;
}

function ProductCell({ entry, isActive, onPick }) {
  if (entry.mapping === "mapped") return html`<div class="stack"><span class="line"><${Name} of=${entry.product_name || entry.product_code} /></span><span class="second"><code>${shownName(entry.product_code || entry.product_id)}</code></span></div>`;
  if (entry.mapping === "excluded") return html`<div class="stack"><span class="quiet">Not billed</span><span class="second">“${shownName(entry.decision?.reason)}”</span></div>`;
  return html`<button class="chip" tabindex=${isActive ? 0 : -1} onClick=${onPick}><${Icon} name="search" />Choose a product</button>`;
}

function ProductPicker({ entry, onPick, onClose }) {
  const find = async (text) => (text.trim() ? (await get("/v1/products", { search: text.trim(), limit: 25 })).items : []);
  return html`<${Picker} title=${`Which product bills ${shownName(entry.service_name)}?`} placeholder="Product ID or name" find=${find} itemKey=${(product) => product.product_id}
    renderItem=${(product) => html`<span class="line"><code>${shownName(product.product_code)}</code> <${Name} of=${product.product_name} />${product.inactive ? html` <span class="quiet">inactive</span>` : ""}</span><small><${Money} amount=${product.price} currency=${settings.currency} /></small>`}
    onPick=${onPick} onClose=${onClose} emptyWords=${(text) => (text.trim() ? `No product has “${text}” in its Product ID or name.` : "Type a Product ID or a name.")} />`;
}

function useServiceDecisions(services) {
  const [problem, setProblem] = useState(null);
  const done = useRef([]);
  const place = (entry) => services.setValue((all) => (all || []).map((one) => (one.service_id === entry.service_id ? entry : one)));
  const send = async (before, optimistic, body, remember = true) => {
    const path = `/v1/service-mappings/${encodeURIComponent(before.service_id)}`;
    setProblem(null);
    place({ ...before, ...optimistic, isSaving: true });
    try {
      place(body === null ? await remove(path) : await put(path, body));
      if (remember) done.current.push(before);
    } catch (trouble) {
      place(before);
      setProblem(trouble);
    }
  };
  const map = (entry, product, remember) => send(entry, { mapping: "mapped", product_name: product.product_name, product_code: product.product_code }, { product_id: product.product_id }, remember);
  const exclude = (entry, reason, remember) => send(entry, { mapping: "excluded" }, { exclude_reason: reason }, remember);
  const clear = (entry, remember) => send(entry, { mapping: "unmapped" }, null, remember);
  const undo = async () => {
    const before = done.current.pop();
    if (!before) return toast("There is nothing to undo", { tone: "act" });
    if (before.mapping === "mapped") await map(before, before, false);
    else if (before.mapping === "excluded") await exclude(before, before.decision.reason, false);
    else await clear(before, false);
    return toast(`Undone: ${shownName(before.service_name)}`);
  };
  return { map, exclude, clear, undo, problem, clearProblem: () => setProblem(null) };
}
