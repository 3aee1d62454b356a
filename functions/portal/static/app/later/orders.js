// Change orders: what is to be ordered from the vendor, how each stands, and the work that a person does with one.

import { html, useLayoutEffect, useMemo, useState } from "../../vendor/htm-preact.js";
import { download, get, getAll } from "../api.js";
import { useLoad } from "../load.js";
import { useLive } from "../live.js";
import { useKeys } from "../keys.js";
import { follow, href, show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { count, difference, number, period as periodName } from "../format.js";
import { Icon, Status } from "../parts/icon.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";
import { VirtualTable, focusTable } from "../parts/table.js";
import { SearchField } from "../screens/accounts.js";
import { OrderDrawer } from "./order_drawer.js";
import { LATE, clientOf, isHeld, matchesOrder, orderLabel, orderState } from "./order_words.js";

const PAGE = 200;
const TABS = [
  { value: "", words: "Open", fits: (order) => order.is_open },
  { value: "decide", words: "To approve", fits: (order) => order.state === "draft" },
  { value: "submit", words: "To submit", fits: (order) => order.state === "approved" },
  { value: "late", words: "Late", fits: (order) => order.is_late },
  { value: "review", words: "To look at", fits: (order) => order.is_open && (order.state === "needs_review" || order.state === "expired") },
  { value: "over", words: "Over", fits: (order) => !order.is_open },
];

export function Orders() {
  const { query } = useRoute();
  const { changes } = useLive();
  const [active, setActive] = useState(0);
  const orders = useLoad(async ({ onPart, isCurrent }) => {
    const all = await getAll("/v1/change-orders", { period: query.period, limit: PAGE }, { onPage: (items, _first, isLast) => isLast || onPart([...items]), isCurrent });
    return all && all.items;
  }, [changes, query.period]);
  const tab = TABS.find((one) => one.value === (query.show || "")) || TABS[0];
  const text = (query.q || "").toLowerCase();
  const fitting = useMemo(() => (orders.value || []).filter((order) => matchesOrder(order, text)), [orders.value, text]);
  const rows = useMemo(() => fitting.filter((order) => tab.fits(order) || order.id === query.id), [fitting, tab, query.id]);
  const place = query.id ? rows.findIndex((order) => order.id === query.id) : -1;
  useLayoutEffect(() => { if (place >= 0) setActive(place); }, [place]);
  useLayoutEffect(() => { if (!query.id) setActive(0); }, [tab.value, text]);
  const open = (order) => show({ id: order.id });
  const close = () => { show({ id: undefined }); focusTable("orders"); };
  const choose = (index) => { setActive(index); if (query.id && rows[index]) show({ id: rows[index].id }); };
  const put = (order) => orders.setValue((all) => all && all.map((one) => (one.id === order.id ? order : one)));
  useKeys("Change orders", [
    { key: "Enter", label: "Open an order" },
    { key: "Escape", label: "Close it", run: () => query.id && close() },
  ]);
  return html`<section class=${`screen fill-screen ${query.id ? "has-drawer" : ""}`}>
    <header class="screen-head"><div><h1>Change orders</h1><p class="lead">Seats to order from the vendor, or to give back. One is done only when a later read shows the new total.</p></div>
      <div class="actions"><button onClick=${() => download("/v1/exports/change-orders.csv", { period: query.period }, `change-orders${query.period ? `-${query.period}` : ""}.csv`).catch((problem) => toast(problem.detail, { tone: "bad" }))}><${Icon} name="download" />CSV</button></div></header>
    <div class="filters"><div class="tabs" role="group" aria-label="Show">${TABS.map((one) => html`<button key=${one.value} aria-pressed=${one === tab ? "true" : "false"} onClick=${() => show({ show: one.value, id: undefined }, { replace: false })}>${one.words} <b>${number(fitting.filter(one.fits).length)}</b></button>`)}</div>
      ${query.period && html`<button class="chip" onClick=${() => show({ period: undefined })}>${periodName(query.period)} only<${Icon} name="x" /><span class="unseen">Show every month</span></button>`}
      <${SearchField} value=${query.q || ""} placeholder="Client, service or order number" /></div>
    <${ProblemNote} problem=${orders.problem} onRetry=${orders.reload} />
    ${orders.value === null ? !orders.problem && html`<${Loading} words="Reading the orders" />` : html`<div class="with-drawer">
      ${rows.length === 0 ? html`<${NoOrders} tab=${tab} text=${query.q} total=${orders.value.length} />` : html`<${VirtualTable} name="orders" label="Change orders" items=${rows} columns=${COLUMNS} keyOf=${(order) => order.id} rowHeight=${56} narrowHeight=${92}
        active=${active} onActive=${choose} onOpen=${open} opensOnClick rowLabel=${orderLabel} rowClass=${(order) => `${order.is_open ? "" : "is-over"} ${order.id === query.id ? "is-open" : ""}`} />`}
      ${query.id && html`<${OneOrder} key=${query.id} id=${query.id} changes=${changes} onChange=${put} onClose=${close} />`}
    </div>`}
  </section>`;
}

const COLUMNS = [
  { key: "client", label: "Client", className: "cell-vendor", render: (order) => html`<div class="stack"><${Name} of=${clientOf(order) || "—"} className="strong" /><span class="second"><${Name} of=${order.service_name} /></span></div>` },
  { key: "state", label: "State", className: "cell-state", render: (order) => html`<div class="stack"><span class="line"><${Status} of=${order.is_late ? { ...LATE, words: `${orderState(order).words}, late` } : orderState(order)} /></span>
    <span class="second">${isHeld(order) ? html`<span class="held-mark"><${Icon} name="lock" />held</span>` : order.remark || (order.submitted?.order_number ? `number ${order.submitted.order_number}` : "")}</span></div>` },
  { key: "seats", label: "Agreement to new total", className: "cell-seats", render: (order) => html`<span class="from-to"><span class="figure">${number(order.from)}</span><${Icon} name="right" /><b class="figure">${number(order.to)}</b></span>` },
  { key: "change", label: "Change", className: "number cell-change", render: (order) => html`<b class="figure">${difference(order.change)}</b>` },
  { key: "age", label: "Drafted", className: "cell-age", render: (order) => html`<div class="stack"><${When} at=${order.drafted.at} /><span class="second">${periodName(order.period)}</span></div>` },
];

// The order with its work item, read for itself: a link to one order works whatever the list shows.
function OneOrder({ id, changes, onChange, onClose }) {
  const order = useLoad(() => get(`/v1/change-orders/${encodeURIComponent(id)}`), [id, changes]);
  if (order.value) return html`<${OrderDrawer} order=${order.value} onChange=${(next) => { order.setValue(next); onChange(next); }} onClose=${onClose} />`;
  return html`<aside class="drawer order-drawer" aria-label="Change order"><header><h2>${id}</h2><button class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
    ${order.problem ? html`<${ProblemNote} problem=${order.problem} onRetry=${order.reload} />` : html`<${Loading} words="Reading the order" />`}</aside>`;
}

function NoOrders({ tab, text, total }) {
  if (text) return html`<${Empty} icon="search" title="Nothing matches"><p>No order here has “${text}” in it. <button class="link" onClick=${() => show({ q: undefined })}>Clear the search</button></p></${Empty}>`;
  if (total > 0) return html`<${Empty} title="None of these"><p>${count(total, "order")} in all. <button class="link" onClick=${() => show({ show: tab.value === "over" ? undefined : "over" })}>${tab.value === "over" ? "Show the open ones" : "Show those that are over"}</button></p></${Empty}>`;
  return html`<${Empty} icon="cart" title="Nothing is to be ordered"><p>A run drafts an order where the licensed users of a client are not what the agreement says. <a href=${href("reconcile")} onClick=${follow}>Look at this month</a></p></${Empty}>`;
}
