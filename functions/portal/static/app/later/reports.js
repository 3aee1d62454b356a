// The report of a month and the trend of a year: what was found, what of it was corrected, what is outstanding.

import { html, useMemo } from "../../vendor/htm-preact.js";
import { download, get } from "../api.js";
import { useLoad } from "../load.js";
import { useLive } from "../live.js";
import { follow, href, show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { count, money, number, name as shownName, period as periodName } from "../format.js";
import { plainWords } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Money, Name, When } from "../parts/text.js";
import { Chart } from "./chart.js";
import { moneySeries, seatSeries } from "./trend.js";

const MONTHS = 12;
const DIRECTIONS = [
  { key: "underbilled", words: "Not billed" },
  { key: "overbilled", words: "Billed too much" },
];
const PARTS = ["found", "corrected", "settled", "outstanding"];
const HEADS = { found: "Found", corrected: "Corrected", settled: "Settled elsewhere", outstanding: "Outstanding" };

export function Reports() {
  const { query } = useRoute();
  const { changes } = useLive();
  const trend = useLoad(() => get("/v1/trend", { months: MONTHS }), [changes]);
  const points = trend.value?.items || [];
  const told = points.filter((point) => point.state !== "missing").map((point) => point.period).reverse();
  const chosen = query.period || told[0];
  return html`<section class="screen report-screen">
    <header class="screen-head"><div><h1>Reports</h1><p class="lead">A month: found is always corrected, settled elsewhere or outstanding.</p></div>
      ${chosen && html`<div class="actions"><select aria-label="Month" value=${chosen} onChange=${(event) => show({ period: event.target.value }, { replace: false })}>${[...new Set([chosen, ...told])].sort().reverse().map((one) => html`<option key=${one} value=${one}>${periodName(one)}</option>`)}</select>
        <${Save} period=${chosen} format="html" words="HTML" /><${Save} period=${chosen} format="csv" words="CSV" /></div>`}</header>
    <${ProblemNote} problem=${trend.problem} onRetry=${trend.reload} />
    ${trend.value === null && !trend.problem && html`<${Loading} words="Reading the months" />`}
    ${trend.value && !chosen && html`<${Empty} icon="scales" title="No month has been compared yet"><p>The first comparison is the first report. <a href=${href("reconcile")} onClick=${follow}>Go to this month</a></p></${Empty}>`}
    ${chosen && html`<${MonthReport} key=${chosen} period=${chosen} changes=${changes} />`}
    ${told.length > 0 && html`<${Trend} points=${points} />`}
  </section>`;
}

function Save({ period, format, words }) {
  const save = () => download(`/v1/reports/${period}`, { format }, `report-${period}.${format}`).then(() => toast(`The report of ${periodName(period)} is saved`), (problem) => toast(problem.detail, { tone: "bad" }));
  return html`<button onClick=${save} aria-label=${`Save the report as ${words}`}><${Icon} name="download" />${words}</button>`;
}

function MonthReport({ period, changes }) {
  const report = useLoad(() => get(`/v1/reports/${period}`), [period, changes]);
  if (report.problem) return html`<${ProblemNote} problem=${report.problem} onRetry=${report.reload} />`;
  if (!report.value) return html`<${Loading} words="Adding the month up" />`;
  const found = report.value;
  const orders = Object.entries(found.orders).filter(([, many]) => many > 0);
  return html`<section class="report" aria-label=${`Report of ${periodName(period)}`}>
    <p class="line report-state"><${Status} of=${found.state === "closed" ? { icon: "lock", tone: "good", words: `Closed, version ${number(found.version)}` } : { icon: "clock", tone: "act", words: "Open" }} /><span class="quiet">${count(found.comparisons, "comparison")}, the last <${When} at=${found.compared_at} /></span></p>
    ${found.totals.length === 0 ? html`<${Empty} title="Nothing was found"><p>Every row of ${periodName(period)} that could be compared was billed as it should be.</p></${Empty}>` : html`
      <${Sums} caption="The month" sums=${found.totals} lead="Currency" named=${(sum) => sum.currency} />
      <${Sums} caption="By client" sums=${found.by_client} lead="Client" />
      <${Sums} caption="By service" sums=${found.by_service} lead="Service" />
      ${found.outstanding.length > 0 && html`<div class="wide-table" tabindex="0" role="region" aria-label="Why something is outstanding, as a table"><table><caption>Why something is outstanding</caption><thead><tr><th scope="col">Why</th><th scope="col" class="number">Rows</th><th scope="col" class="number">Not billed</th><th scope="col" class="number">Billed too much</th></tr></thead>
        <tbody>${found.outstanding.map((one) => html`<tr key=${`${one.why} ${one.currency}`}><th scope="row">${shownName(one.why)}</th><td class="number">${number(one.rows)}</td><td class="number"><${Money} amount=${one.underbilled} currency=${one.currency} /></td><td class="number"><${Money} amount=${one.overbilled} currency=${one.currency} /></td></tr>`)}</tbody></table></div>`}`}
    ${(found.rows_without_price > 0 || found.rows_unknown > 0) && html`<p class="warning">${[found.rows_without_price > 0 && `${count(found.rows_without_price, "row")} without a price`, found.rows_unknown > 0 && `${count(found.rows_unknown, "row")} of which nobody can say the difference`].filter(Boolean).join(", ")}: in no sum here.</p>`}
    ${orders.length > 0 && html`<p><a href=${href("orders", { period })} onClick=${follow}>Change orders</a>: ${orders.map(([state, many]) => `${number(many)} ${plainWords(state).toLowerCase()}`).join(", ")}.</p>`}
    ${found.adjustments.length > 0 && html`<details class="permissions"><summary>${count(found.adjustments.length, "count")} changed after the month was closed</summary><ul>${found.adjustments.map((one, place) => html`<li key=${place}><${Name} of=${one.client_name} /><span class="quiet"><${Name} of=${one.service} />: ${number(one.sealed_seats)} → ${number(one.seats)}</span></li>`)}</ul></details>`}
  </section>`;
}

function Sums({ caption, sums, lead, named }) {
  return html`<div class="wide-table" tabindex="0" role="region" aria-label=${`${caption}, as a table`}><table class="sums"><caption>${caption}</caption>
    <thead><tr><th scope="col" rowspan="2">${lead}</th>${DIRECTIONS.map((one) => html`<th scope="colgroup" colspan="4" key=${one.key}>${one.words}, a month</th>`)}</tr>
      <tr>${DIRECTIONS.flatMap((one) => PARTS.map((part) => html`<th scope="col" class=${`number ${part === "found" ? "is-first" : ""}`} key=${`${one.key} ${part}`}>${HEADS[part]}</th>`))}</tr></thead>
    <tbody>${sums.map((sum) => html`<tr key=${`${sum.id} ${sum.currency}`}><th scope="row">${named ? named(sum) : html`<${Name} of=${sum.name || "not named"} />`}</th>
      ${DIRECTIONS.flatMap((one) => PARTS.map((part) => html`<td class=${`number ${part === "found" ? "is-first" : ""} ${part === "outstanding" && Number(sum[one.key][part]) ? "is-outstanding" : ""}`} key=${`${one.key} ${part}`}>${Number(sum[one.key][part]) ? money(sum[one.key][part], sum.currency) : html`<span class="quiet">—<span class="unseen"> nothing</span></span>`}</td>`))}</tr>`)}</tbody></table></div>`;
}

function Trend({ points }) {
  const months = useMemo(() => points.map((point) => point.period), [points]);
  const seats = useMemo(() => seatSeries(points), [points]);
  const currencies = useMemo(() => moneySeries(points), [points]);
  return html`<section class="report" aria-label="Trend"><h2>The last ${count(months.length, "month")}</h2>
    <div class="charts"><${Chart} label="Seats" months=${months} series=${seats} write=${number} />
      ${currencies.map(({ currency, series }) => html`<${Chart} key=${currency} label=${`Not billed, in ${currency}`} months=${months} series=${series} write=${(value, isShort) => money(String(isShort ? Math.round(value) : value), currency)} />`)}</div></section>`;
}
