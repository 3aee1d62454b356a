// The month: three counts, one verdict in words, what it is worth. What needs a person comes first.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { download, get } from "../api.js";
import { useLoad } from "../load.js";
import { isRunning, useLive } from "../live.js";
import { useKeys } from "../keys.js";
import { follow, href, show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { count, number, period as periodName, name as shownName } from "../format.js";
import { plainWords, verdict } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Count, Money, Name, When } from "../parts/text.js";
import { VirtualTable, focusTable } from "../parts/table.js";
import { SearchField } from "./accounts.js";
import { isHeld } from "./change_parts.js";
import { RowDrawer } from "./row_drawer.js";
import { SavedViews } from "./saved_views.js";
import { grouped, matchesText, ordered, rowWords } from "./reconcile_rows.js";

const FIRST_PAGE = 100;
const PAGE = 1000;
const GROUPS = { "": "No grouping", client: "By client", service: "By service", verdict: "By verdict" };
const isException = (row) => row.verdict !== "in_line";

// Exceptions come first from the API; the rest is only read when somebody wants to see it.
async function readRows(query, { onPart, isCurrent }) {
  const wantsAll = query.view === "all" || query.verdict === "in_line";
  const rows = [];
  let head = null;
  let cursor = null;
  do {
    const page = await get("/v1/reconciliation", { period: query.period, limit: rows.length ? PAGE : FIRST_PAGE, cursor, verdict: query.verdict === "in_line" ? "in_line" : undefined });
    if (!isCurrent()) return null;
    head = head || page;
    rows.push(...page.items);
    cursor = page.next_cursor;
    if (!wantsAll && page.items.length && !isException(page.items[page.items.length - 1])) cursor = null;
    if (cursor) onPart({ head, rows: [...rows] });
  } while (cursor);
  return { head, rows };
}

export function Reconcile() {
  const { query } = useRoute();
  const { changes, run, integrations } = useLive();
  const [active, setActive] = useState(0);
  const found = useLoad((how) => readRows(query, how), [changes, query.period, query.view === "all", query.verdict === "in_line"]);
  const plan = useLoad(async () => (found.value ? planOf(found.value.head) : null), [found.value?.head.run_id, changes]);
  const fresh = useFresh(found.value);
  const rows = useMemo(() => chosenRows(found.value?.rows || [], query), [found.value, query.q, query.verdict, query.view, query.sort, query.group]);
  const changesOf = useMemo(() => byRow(plan.value?.changes || []), [plan.value]);
  const place = query.row ? rows.findIndex((row) => row.id === query.row) : -1;
  const openRow = place >= 0 ? rows[place] : null;
  useLayoutEffect(() => { if (place >= 0) setActive(place); }, [place]);
  useLayoutEffect(() => { if (!query.row) setActive(0); }, [query.verdict, query.q, query.view, query.group]);
  const open = (row) => !row.isGroup && show({ row: row.id });
  const close = () => { show({ row: undefined }); focusTable("reconcile"); };
  const choose = (index) => { setActive(index); if (query.row && rows[index] && !rows[index].isGroup) show({ row: rows[index].id }); };
  useKeys("Reconcile", [
    { key: "Enter", label: "Open the evidence of a row" },
    { key: "Escape", label: "Close it", run: () => query.row && close() },
    { key: "v", label: "Exceptions or all rows", run: () => show({ view: query.view === "all" ? undefined : "all" }) },
  ]);
  if (found.problem?.status === 404) return html`<${NeverCompared} run=${run} integrations=${integrations} period=${query.period} />`;
  const head = found.value?.head;
  return html`<section class=${`screen fill-screen ${openRow ? "has-drawer" : ""}`}>
    <header class="screen-head"><div><h1>${head ? periodName(head.period) : "Reconcile"}</h1>
      <p class="lead">${head ? html`Compared <${When} at=${head.at} /> in run ${head.run_id}. ${count(head.totals.accounts.mapped, "account")} of ${number(head.totals.accounts.all)} mapped.` : "The three counts of every client, side by side."}</p></div>
      ${head && html`<${Worth} totals=${head.totals} />`}</header>
    <${ProblemNote} problem=${found.problem} onRetry=${found.reload} />
    ${!found.value && found.isLoading && html`<${Loading} words="Reading the comparison" />`}
    ${found.value && html`
      <${Filters} query=${query} totals=${head.totals} head=${head} />
      <div class="with-drawer">
        ${rows.length === 0 ? html`<${NoRows} query=${query} totals=${head.totals} />` : html`<${VirtualTable} name="reconcile" label=${`Comparison of ${periodName(head.period)}`} items=${rows} columns=${columnsFor(changesOf, query)}
          keyOf=${(row) => row.id} rowHeight=${56} narrowHeight=${132} active=${active} onActive=${choose} onOpen=${open} opensOnClick
          rowClass=${(row) => `${row.isGroup ? "is-group" : `verdict-${row.verdict}`} ${fresh.has(row.id) ? "is-fresh" : ""} ${row.id === query.row ? "is-open" : ""}`} rowLabel=${rowWords} />`}
        ${openRow && html`<${RowDrawer} key=${openRow.id} row=${openRow} period=${head.period} inPlan=${changesOf.get(openRow.id) || []} plan=${plan.value} onClose=${close} />`}
      </div>
      <${PlanBar} plan=${plan.value} run=${run} />`}
  </section>`;
}

async function planOf(head) {
  const { items } = await get("/v1/plans", { limit: 20 });
  const newest = items.find((plan) => plan.period === head.period && plan.state !== "superseded");
  return newest ? get(`/v1/plans/${newest.id}`) : null;
}

// After a sync, the rows that say something else than before are marked for a moment, and counted.
function useFresh(value) {
  const before = useRef(null);
  const [fresh, setFresh] = useState(() => new Set());
  useEffect(() => {
    if (!value) return;
    const now = new Map(value.rows.map((row) => [row.id, `${row.verdict} ${row.counts.agreement.seats} ${row.counts.billed.seats}`]));
    if (before.current && before.current.runId !== value.head.run_id) {
      const news = [...now].filter(([id, words]) => before.current.rows.get(id) !== words).map(([id]) => id);
      setFresh(new Set(news));
      toast(news.length ? `${count(news.length, "row")} changed` : "Nothing changed");
    }
    before.current = { runId: value.head.run_id, rows: now };
  }, [value]);
  return fresh;
}

function chosenRows(all, query) {
  const text = (query.q || "").toLowerCase();
  const kept = all.filter((row) => (query.verdict ? row.verdict === query.verdict : query.view === "all" || isException(row)) && matchesText(row, text));
  return grouped(ordered(kept, query.sort || "money"), query.group || "");
}

function Worth({ totals }) {
  const entries = Object.entries(totals.leakage);
  if (!entries.length) return null;
  return html`<dl class="worth">${entries.map(([currency, by]) => {
    return html`<div key=${`${currency}+`}><dt>Not billed</dt><dd><${Money} amount=${by.not_billed} currency=${currency} /><small>a month</small></dd></div>
      <div key=${`${currency}-`}><dt>Billed too much</dt><dd><${Money} amount=${by.billed_too_much} currency=${currency} /><small>a month</small></dd></div>`;
  })}</dl>`;
}

function Filters({ query, totals, head }) {
  const exceptions = Object.entries(totals.verdicts).filter(([name, many]) => many > 0 && name !== "in_line");
  const all = exceptions.reduce((sum, [, many]) => sum + many, 0);
  const tab = (value, view, words, many) => {
    const isOn = (query.verdict || "") === value && (query.view || "") === view;
    return html`<button key=${`${value}${view}`} aria-pressed=${isOn ? "true" : "false"} onClick=${() => show({ verdict: value, view, row: undefined }, { replace: false })}>${words} <b>${number(many)}</b></button>`;
  };
  return html`<div class="filters">
    <div class="tabs" role="group" aria-label="Verdicts">${tab("", "", "Exceptions", all)}${exceptions.map(([name, many]) => tab(name, "", html`<span class=${`tone-${verdict(name).tone} tab-icon`}><${Icon} name=${verdict(name).icon} /></span>${verdict(name).words}`, many))}${tab("in_line", "", "In line", totals.verdicts.in_line || 0)}${tab("", "all", "All", totals.rows)}</div>
    <${SearchField} value=${query.q || ""} placeholder="Client, service or product" />
    <select aria-label="Group" value=${query.group || ""} onChange=${(event) => show({ group: event.target.value })}>${Object.entries(GROUPS).map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select>
    <${SavedViews} query=${query} />
    <button class="quiet-button" onClick=${() => download("/v1/exports/reconciliation.csv", { period: head.period }, `reconciliation-${head.period}.csv`).catch((problem) => toast(problem.detail, { tone: "bad" }))}><${Icon} name="download" />CSV</button>
  </div>`;
}

function columnsFor(changesOf, query) {
  const sorter = (name) => ({ direction: (query.sort || "money") === name ? (name === "client" ? "ascending" : "descending") : undefined, toggle: () => show({ sort: name }) });
  const blank = (render) => (row, ...rest) => (row.isGroup ? null : render(row, ...rest));
  return [
    { key: "client", label: "Client", className: "cell-vendor", sort: sorter("client"), render: (row) => (row.isGroup ? html`<span class="group-title"><bdi>${shownName(row.title)}</bdi> <span class="quiet">${count(row.rows, "row")}</span></span>` : html`<div class="stack"><${Name} of=${row.psa_account_name || row.vendor_account_name || "—"} className="strong" />
      <span class="second"><${Name} of=${row.service_name || row.product_code || "no service"} /></span></div>`) },
    { key: "agreement", label: "Agreement", className: "number cell-agreement", render: blank((row) => html`<${Count} count=${row.counts.agreement} />`) },
    { key: "licensed", label: "Licensed", className: "number cell-licensed", render: blank((row) => html`<${Count} count=${row.counts.licensed} />`) },
    { key: "billed", label: "Billed", className: "number cell-billed", render: blank((row) => html`<${Count} count=${row.counts.billed} />`) },
    { key: "verdict", label: "Verdict", className: "cell-verdict", render: blank((row) => html`<div class="stack"><${Status} of=${verdict(row.verdict)} words=${rowWords(row, true)} /><span class="second" title=${row.reasons.join("; ")}><${Held} changes=${changesOf.get(row.id)} />${shownName(row.reasons[0] || plainWords(row.agreement_name || ""))}</span></div>`) },
    { key: "money", label: "A month", className: "number cell-money", sort: sorter("money"), render: (row) => (row.isGroup ? (row.money.length === 1 ? html`<${Money} amount=${row.money[0][1].toFixed(2)} currency=${row.money[0][0]} sign />` : null) : row.verdict === "in_line" ? html`<span class="quiet">—</span>` : html`<${Money} amount=${row.monthly_money} currency=${row.currency} sign />`) },
  ];
}

// A row has one change, or one for each line that its seats are divided among.
function byRow(changes) {
  const found = new Map();
  for (const change of changes) found.set(change.row_id, [...(found.get(change.row_id) || []), change]);
  return found;
}

function Held({ changes }) {
  if (!(changes || []).some(isHeld)) return null;
  return html`<span class="held-mark"><${Icon} name="lock" />held · </span>`;
}

// What the month comes to, always in sight.
function PlanBar({ plan, run }) {
  if (isRunning(run) || !plan || plan.changes.length === 0) return null;
  const { ready, held, monthly_money: sums, results } = plan.totals;
  const applied = (results.applied || 0) + (results.already || 0);
  const words = plan.state === "applied" ? `${count(applied, "change")} applied` : plan.state === "approved" ? `${count(ready, "change")} approved` : `${count(ready, "change")} ready`;
  return html`<footer class="plan-bar" aria-label="Plan"><span class="plan-bar-words"><b>${words}</b>${held > 0 && html`<span class="held-mark"><${Icon} name="lock" />${number(held)} held back</span>`}
    ${Object.entries(sums).map(([currency, amount]) => html`<span key=${currency}><${Money} amount=${amount} currency=${currency} sign /> a month</span>`)}</span>
    <a class="button primary" href=${href("plan", { id: plan.id })} onClick=${follow}>${plan.state === "proposed" ? "Review the plan" : "Open the plan"}<${Icon} name="right" /></a></footer>`;
}

function NoRows({ query, totals }) {
  if (query.q) return html`<${Empty} icon="search" title="Nothing matches"><p>No row here has “${query.q}” in it. <button class="link" onClick=${() => show({ q: undefined })}>Clear the search</button></p></${Empty}>`;
  if (!query.verdict && totals.rows > 0) return html`<${Empty} title="Everything is in line"><p>${count(totals.verdicts.in_line || 0, "row")} compared, and every one is billed as agreed. <button class="link" onClick=${() => show({ view: "all" })}>Show them</button></p></${Empty}>`;
  return html`<${Empty} icon="scales" title="No rows"><p>Map accounts and services first; what is mapped is compared with the next sync.</p></${Empty}>`;
}

function NeverCompared({ run, integrations, period }) {
  const isActive = (integrations || []).some((one) => one.state === "active");
  const next = isRunning(run) ? html`<p>Both sides are being read; the rows come by themselves.</p>`
    : isActive ? html`<p>Press <b>Sync now</b> above: both sides are read, and every client is compared.</p>`
    : html`<p><a class="button primary" href=${href("integrations")} onClick=${follow}>Connect both sides</a></p>`;
  return html`<section class="screen"><h1>Reconcile</h1><${Empty} icon=${isRunning(run) ? "clock" : "scales"} title=${period ? `${periodName(period)} was never compared` : "Nothing has been compared yet"}>${next}</${Empty}></section>`;
}
