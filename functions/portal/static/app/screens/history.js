// What was decided and done, by whom, when; the runs; and whether the record is whole.

import { html, useLayoutEffect, useMemo, useState } from "../../vendor/htm-preact.js";
import { get, getAll } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { useLive } from "../live.js";
import { follow, href, show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { count, number, time, name as shownName } from "../format.js";
import { plainWords, runState, step } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";
import { VirtualTable } from "../parts/table.js";
import { SearchField } from "./accounts.js";

export function History() {
  const { query } = useRoute();
  const isRuns = query.show === "runs";
  return html`<section class="screen fill-screen">
    <header class="screen-head"><div><h1>History</h1><p class="lead">Every decision and every write, each chained to the one before.</p></div><${Proof} /></header>
    <div class="filters"><div class="tabs" role="group" aria-label="Show"><button aria-pressed=${isRuns ? "false" : "true"} onClick=${() => show({ show: undefined })}>Events</button><button aria-pressed=${isRuns ? "true" : "false"} onClick=${() => show({ show: "runs", q: undefined })}>Runs</button></div>
      ${!isRuns && html`<${SearchField} value=${query.q || ""} placeholder="Who, what or which" />`}</div>
    ${isRuns ? html`<${Runs} />` : html`<${Events} text=${(query.q || "").toLowerCase()} />`}
  </section>`;
}

// Is the chain whole? And the whole of it as a file, for whoever audits.
function Proof() {
  const [found, setFound] = useState(null);
  const write = useWrite();
  const verify = () => write.run(async () => setFound(await get("/v1/history/verification")));
  const save = () => write.run(async () => {
    const { items } = await getAll("/v1/history", { limit: 200 });
    const lines = items.reverse().map((event) => JSON.stringify(event)).join("\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines}\n`], { type: "application/jsonl" }));
    link.download = "history.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    toast(`${count(items.length, "event")} saved`);
  });
  return html`<div class="actions">
    ${found && html`<span role="status"><${Status} of=${found.holds ? { icon: "check", tone: "good" } : { icon: "alert", tone: "bad" }} words=${found.holds ? `All ${number(found.events)} events follow from each other` : `The chain is broken at event ${found.first_broken}`} /></span>`}
    ${write.problem && html`<${ProblemNote} problem=${write.problem} onDismiss=${write.clear} />`}
    <button onClick=${verify} disabled=${write.isBusy}><${Icon} name="lock" />Check the chain</button><button onClick=${save} disabled=${write.isBusy}><${Icon} name="download" />Export</button></div>`;
}

function Events({ text }) {
  const { changes } = useLive();
  const [active, setActive] = useState(0);
  const [limit, setLimit] = useState(1);
  const events = useLoad(async ({ onPart, isCurrent }) => {
    const items = [];
    let cursor = null;
    for (let page = 0; page < limit; page += 1) {
      const reply = await get("/v1/history", { limit: 200, cursor });
      if (!isCurrent()) return null;
      items.push(...reply.items);
      cursor = reply.next_cursor;
      if (cursor) onPart({ items: [...items], hasMore: true });
      else break;
    }
    return { items, hasMore: cursor !== null };
  }, [changes, limit]);
  useLayoutEffect(() => setActive(0), [text]);
  const rows = useMemo(() => (events.value?.items || []).filter((event) => !text || `${event.actor} ${event.action} ${event.subject} ${event.why || ""} ${event.after || ""}`.toLowerCase().includes(text)), [events.value, text]);
  if (events.problem) return html`<${ProblemNote} problem=${events.problem} onRetry=${events.reload} />`;
  if (!events.value) return html`<${Loading} words="Reading the history" />`;
  if (!rows.length) return html`<${Empty} icon="history" title=${text ? "Nothing matches" : "Nothing has happened yet"}><p>${text ? "No event that was read has that in it." : "The first connection will be the first event."}</p></${Empty}>`;
  const columns = [
    { key: "at", label: "When", className: "cell-when", render: (event) => html`<div class="stack"><${When} at=${event.at} /><span class="second figure">${time(event.at)}</span></div>` },
    { key: "actor", label: "Who", className: "cell-who", render: (event) => html`<${Name} of=${event.actor} />` },
    { key: "action", label: "What", className: "cell-vendor", render: (event) => html`<div class="stack"><span class="strong">${plainWords(event.action)}</span><span class="second"><code>${shownName(event.subject)}</code></span></div>` },
    { key: "change", label: "From and to", className: "cell-client", render: (event) => html`<div class="stack"><span class="line">${event.before ? html`<${Name} of=${event.before} /><${Icon} name="right" />` : ""}${event.after ? html`<${Name} of=${event.after} />` : ""}</span>${event.why ? html`<span class="second" title=${event.why}>${shownName(event.why)}</span>` : ""}</div>` },
    { key: "hash", label: "Chain", className: "cell-hash", render: (event) => html`<div class="stack"><span class="figure quiet">${number(event.number)}</span><code class="second" title=${event.hash}>${event.hash.slice(0, 10)}</code></div>` },
  ];
  return html`<${VirtualTable} name="history" label="Events" items=${rows} columns=${columns} keyOf=${(event) => event.number} rowHeight=${52} narrowHeight=${112} active=${active} onActive=${setActive} />
    ${events.value.hasMore && html`<p class="more"><button onClick=${() => setLimit(limit + 5)} disabled=${events.isLoading}>Older events</button></p>`}`;
}

function Runs() {
  const { changes } = useLive();
  const runs = useLoad(async () => (await get("/v1/runs", { limit: 100 })).items, [changes]);
  if (runs.problem) return html`<${ProblemNote} problem=${runs.problem} onRetry=${runs.reload} />`;
  if (!runs.value) return html`<${Loading} words="Reading the runs" />`;
  if (!runs.value.length) return html`<${Empty} icon="refresh" title="No run yet"><p>Connect both sides; the first sync is the first run.</p></${Empty}>`;
  return html`<ol class="runs">${runs.value.map((run) => html`<li key=${run.id}><div class="stack"><b class="figure">${run.id}</b><span class="second">by <bdi>${shownName(run.started_by)}</bdi></span></div><${Status} of=${runState(run.state)} />
    <span><${When} at=${run.started_at} /></span><span class="quiet">${run.state === "failed" ? html`${shownName(run.problem?.detail)}. ${shownName(run.problem?.remedy)}` : run.sides.map((side) => `${plainWords(side.side)}: ${count(side.accounts, "account")}`).join(" · ")}${run.state === "running" ? ` · ${step(run.step)}` : ""}</span>
    ${run.plan_id ? html`<a href=${href("plan", { id: run.plan_id })} onClick=${follow}>Plan</a>` : html`<span></span>`}</li>`)}</ol>`;
}
