// What a row of the comparison has beside its evidence: the order it needs, its last twelve months, and who is licensed.

import { html, useMemo, useState } from "../../vendor/htm-preact.js";
import { get, getAll } from "../api.js";
import { useLoad } from "../load.js";
import { follow, href } from "../router.js";
import { count, difference, number, name as shownName, time } from "../format.js";
import { plainWords } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { ProblemNote } from "../parts/problem.js";
import { Name } from "../parts/text.js";
import { Chart } from "./chart.js";
import { orderState } from "./order_words.js";
import { seatSeries } from "./trend.js";

const MONTHS = 12;
const PEOPLE_SHOWN = 100;

export function RowMore({ row, period }) {
  return html`<${ToBill} row=${row} />${row.order && html`<${OrderNeed} row=${row} />`}
    ${row.psa_account_id && html`<${LastMonths} row=${row} period=${period} />`}
    ${row.psa_account_id && row.counts.licensed.state === "known" && html`<${People} row=${row} />`}`;
}

function ToBill({ row }) {
  if (row.bill_target === null || row.bill_target === undefined) return null;
  return html`<section><h3>To bill</h3><p class="line"><b class="figure big">${number(row.bill_target)}</b><span class="quiet">by ${row.bill_basis ? plainWords(row.bill_basis).toLowerCase() : "its count"}</span></p></section>`;
}

function OrderNeed({ row }) {
  const { order } = row;
  const found = useLoad(async () => {
    const { items } = await getAll("/v1/change-orders", { state: "open", limit: 200 });
    return items.find((one) => one.vendor_account_id === order.vendor_account_id && one.service_id === order.service_id) || null;
  }, [order.vendor_account_id, order.service_id]);
  return html`<section><h3>To order</h3><p class="line"><span class="from-to"><span class="figure">${number(order.agreement)}</span><${Icon} name="right" /><b class="figure">${number(order.target)}</b></span><span class="quiet">${difference(order.delta)}, ${shownName(order.words)}</span></p>
    ${order.obstacle && html`<p class="warning">${shownName(order.obstacle)}</p>`}<${ProblemNote} problem=${found.problem} onRetry=${found.reload} />
    ${found.value ? html`<p class="line"><${Status} of=${orderState(found.value)} /><a href=${href("orders", { id: found.value.id })} onClick=${follow}>Open the change order</a></p>` : !found.isLoading && !found.problem && !order.obstacle && html`<p class="quiet">No order is open for it; the next run drafts one.</p>`}</section>`;
}

function LastMonths({ row, period }) {
  // As the report names it: by the product's code, or by the vendor's names where no product is mapped.
  const names = row.members.map((one) => one.service_name || one.service_id).filter(Boolean);
  const service = row.product_code || [...new Set(names)].join(" + ") || row.service_name || "";
  const trend = useLoad(() => get("/v1/trend", { months: MONTHS, account: row.psa_account_id, service, period }), [row.id, period]);
  const points = trend.value?.items || [];
  const months = useMemo(() => points.map((point) => point.period), [trend.value]);
  const series = useMemo(() => seatSeries(points), [trend.value]);
  return html`<section><h3>The last twelve months</h3><${ProblemNote} problem=${trend.problem} onRetry=${trend.reload} />
    ${trend.value && html`<${Chart} label="Seats" months=${months} series=${series} write=${number} />`}</section>`;
}

// Everybody in and out, each with the reason; asked for only when somebody wants to see the names.
function People({ row }) {
  const [isOpen, setOpen] = useState(false);
  return html`<section><h3>Who is licensed</h3><details class="permissions" onToggle=${(event) => setOpen(event.currentTarget.open)}><summary>Everybody in and out, with the reason</summary>${isOpen && html`<${Names} account=${row.psa_account_id} />`}</details></section>`;
}

function Names({ account }) {
  const people = useLoad(() => get("/v1/licensed-users", { account, limit: 1000 }), [account]);
  if (people.problem) return html`<${ProblemNote} problem=${people.problem} onRetry=${people.reload} />`;
  if (!people.value) return html`<p class="quiet" role="status">Reading the names…</p>`;
  const { items, users, users_counted: counted, tenants, policy, read_at: readAt } = people.value;
  const failed = tenants.filter((tenant) => tenant.problem);
  const ordered = [...items].sort((a, b) => Number(b.counted) - Number(a.counted) || (a.address < b.address ? -1 : 1));
  return html`<p>${number(counted)} of ${count(users, "licensed user")} counted, read <time datetime=${readAt}>${time(readAt)}</time>${policy.version ? `, by version ${number(policy.version)} of the rules` : ""}.</p>
    ${failed.map((tenant) => html`<p class="warning" key=${tenant.tenant_id}><${Name} of=${tenant.tenant_name} />: ${shownName(tenant.problem)}</p>`)}
    <ul class="people" tabindex="0" aria-label="Licensed users">${ordered.slice(0, PEOPLE_SHOWN).map((one) => html`<li key=${`${one.tenant_id} ${one.user_id}`}><${Icon} name=${one.counted ? "check" : "minus"} /><span class="stack"><span class=${one.counted ? "" : "quiet"}><${Name} of=${one.name || one.address} /></span><small><bdi>${shownName(one.address)}</bdi></small></span><small>${one.counted ? "counted" : "not counted"}: ${shownName(one.reason)}</small></li>`)}</ul>
    ${users > PEOPLE_SHOWN && html`<p class="quiet">The first ${number(PEOPLE_SHOWN)} of ${number(users)}; all of them are over the API and on the command line (trueup tenants users).</p>`}`;
}
