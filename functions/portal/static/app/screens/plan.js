// The plan: every change from what to what, what holds it back, approval by checksum, and what became of it.

import { html, useEffect, useLayoutEffect, useMemo, useState } from "../../vendor/htm-preact.js";
import { get, post, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { changed, lookSoon, startRun, useLive } from "../live.js";
import { useKeys } from "../keys.js";
import { follow, go, href, show, useRoute } from "../router.js";
import { toast } from "../toasts.js";
import { settings } from "../settings.js";
import { count, difference, number, period as periodName, periodShort, name as shownName } from "../format.js";
import { ROLES, effective, guard, outcome, planState } from "../words.js";
import { Icon, Status } from "../parts/icon.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Money, Name, When } from "../parts/text.js";
import { VirtualTable, focusTable } from "../parts/table.js";
import { ChangeDrawer } from "./change_drawer.js";
import { FromTo, NextInvoice, effectiveWords, grouped, isHeld, isNewLine, isWritten } from "./change_parts.js";
import { AnotherDate, Confirm, Release, Undo } from "./plan_dialogs.js";

const LOOK_AGAIN_MILLISECONDS = 600;
const FILTERS = {
  "": { words: "All", has: () => true },
  ready: { words: "Ready", has: (change) => !isHeld(change) },
  held: { words: "Held back", has: isHeld },
};

export function PlanScreen() {
  const { query } = useRoute();
  const { changes, me, integrations } = useLive();
  const list = useLoad(async () => (await get("/v1/plans", { limit: 50 })).items, [changes]);
  const id = query.id || list.value?.[0]?.id || null;
  const plan = useLoad(async () => (id ? get(`/v1/plans/${id}`) : null), [id, changes]);
  const runId = plan.value?.run_id;
  const wish = useLoad(async () => (runId ? (await get(`/v1/runs/${runId}`)).effective : null), [runId]);
  const [active, setActive] = useState(0);
  const [asking, setAsking] = useState(null);
  const write = useWrite();
  const isApplying = useApplying(plan);
  const filter = FILTERS[query.show || ""] || FILTERS[""];
  const rows = useMemo(() => (plan.value?.changes || []).filter(filter.has).sort((a, b) => isHeld(b) - isHeld(a) || Math.abs(Number(b.monthly_money || 0)) - Math.abs(Number(a.monthly_money || 0))), [plan.value, query.show]);
  const place = query.change ? rows.findIndex((change) => change.id === query.change) : -1;
  const openChange = place >= 0 ? rows[place] : null;
  useLayoutEffect(() => { if (place >= 0) setActive(place); }, [place]);
  const may = (role) => (me ? (ROLES[me.role] || 0) >= ROLES[role] : false);
  const release = (change, reason) => write.run(async () => {
    plan.setValue(await post(`/v1/plans/${plan.value.id}/changes/${change.id}/release`, { reason }));
    setAsking(null);
    toast(`Released: ${shownName(change.psa_account_name)}`);
  });
  const approve = () => write.run(async () => {
    plan.setValue(await post(`/v1/plans/${plan.value.id}/approve`, { checksum: plan.value.checksum }));
    setAsking(null);
    toast("Approved. Apply it when you are ready.");
  });
  const apply = () => write.run(async () => {
    const begun = await isApplying.begin(plan.value);
    plan.setValue(await post(`/v1/plans/${plan.value.id}/apply`, { checksum: plan.value.checksum }));
    setAsking(null);
    isApplying.follow(begun);
    lookSoon();
  });
  const [stays, setStays] = useState(null);
  const undo = (asked, reason) => write.run(async () => {
    const done = await post(`/v1/plans/${plan.value.id}/undo`, { reason, change_ids: asked.length === 1 ? [asked[0].id] : [] });
    setAsking(null);
    setStays({ id: done.plan.id, reasons: [...new Set(done.left_out.map((one) => one.reason))] });
    toast(`Proposed: ${count(done.plan.changes.length, "change")} would go back`);
    show({ id: done.plan.id, change: undefined, show: undefined }, { replace: false });
    changed();
  });
  const drop = (change) => write.run(async () => {
    plan.setValue(await remove(`/v1/plans/${plan.value.id}/lines/${change.id}`));
    close();
    toast("The line is not part of the plan any more");
  });
  const readAgain = (wish) => write.run(async () => {
    await startRun({ effective: wish });
    setAsking(null);
    toast("Both sides are read again; the new plan comes by itself");
    go("plan");
  });
  const written = (plan.value?.changes || []).filter(isWritten);
  const mayUndo = may("preparer") && written.length > 0 && !isApplying.isOn;
  const psa = (integrations || []).find((one) => one.side === "psa" && one.state !== "not_connected" && one.changes_count);
  const current = rows[active];
  const close = () => { show({ change: undefined }); focusTable("plan"); };
  const closeDialog = () => { write.clear(); setAsking(null); };
  useKeys("Plan", [
    { key: "Enter", label: "Open a change" },
    { key: "r", label: "Release the held change", run: () => current && isHeld(current) && may("approver") && plan.value.state === "proposed" && setAsking({ kind: "release", change: current }) },
    { key: "a", label: "Approve, or apply what is approved", run: () => plan.value && setAsking({ kind: plan.value.state === "proposed" ? "approve" : "apply" }) },
    { key: "u", label: "Take back what the plan wrote", run: () => mayUndo && setAsking({ kind: "undo", changes: plan.value.changes }) },
    { key: "b", label: "Take this one change back", run: () => mayUndo && current && isWritten(current) && !isNewLine(current) && setAsking({ kind: "undo", changes: [current] }) },
    { key: "Escape", label: "Close the change", run: () => query.change && close() },
  ]);
  if (list.value && !list.value.length && !query.id) {
    return html`<section class="screen"><h1>Plan</h1><${Empty} icon="plan" title="No plan yet"><p>A sync compares both sides and proposes one. <a href=${href("reconcile")} onClick=${follow}>Go to this month</a></p></${Empty}></section>`;
  }
  const value = plan.value;
  if (!value) return html`<section class="screen"><h1>Plan</h1><${ProblemNote} problem=${plan.problem || list.problem} onRetry=${plan.problem ? plan.reload : list.reload} />${plan.isLoading && html`<${Loading} />`}</section>`;
  return html`<section class=${`screen fill-screen ${openChange ? "has-drawer" : ""}`}>
    <${Head} plan=${value} list=${list.value || []} applying=${isApplying.isOn} wish=${wish.value} onDate=${psa && value.state === "proposed" && may("preparer") && psa.changes_count.offered.length > 1 ? () => setAsking({ kind: "date" }) : null} />
    <${ProblemNote} problem=${plan.problem || isApplying.problem || (asking ? null : write.problem)} onDismiss=${() => { write.clear(); isApplying.clear(); }} />
    ${stays && stays.id === value.id && stays.reasons.length > 0 && html`<div class="note" role="note"><${Icon} name="note" /><div>Not everything goes back:<ul class="reasons">${stays.reasons.map((reason) => html`<li key=${reason}>${shownName(reason)}</li>`)}</ul></div></div>`}
    ${value.changes.length === 0 ? html`<${Empty} title="Nothing to change"><p>Every line that can be corrected is right as it is.</p></${Empty}>` : html`
      <div class="filters"><div class="tabs" role="group" aria-label="Show">${Object.entries(FILTERS).map(([name, one]) => html`<button key=${name} aria-pressed=${filter === one ? "true" : "false"} onClick=${() => show({ show: name, change: undefined })}>${one.words} <b>${number(value.changes.filter(one.has).length)}</b></button>`)}</div></div>
      <div class="with-drawer">
        ${rows.length === 0 ? html`<${Empty} title="None of these"><p>No change of this plan is ${filter.words.toLowerCase()}.</p></${Empty}>` : html`<${VirtualTable} name="plan" label="Changes of the plan" items=${rows} columns=${columnsFor(value, isApplying.isOn, (change) => setAsking({ kind: "release", change }), may("approver"))} keyOf=${(change) => change.id}
          rowHeight=${56} narrowHeight=${132} active=${active} onActive=${(index) => { setActive(index); if (query.change) show({ change: rows[index].id }); }} onOpen=${(change) => show({ change: change.id })} opensOnClick
          rowClass=${(change) => `${isHeld(change) ? "is-held" : ""} ${change.id === query.change ? "is-open" : ""}`} rowLabel=${changeWords} />`}
        ${openChange && html`<${ChangeDrawer} change=${openChange} plan=${value} may=${may("approver")} onRelease=${() => setAsking({ kind: "release", change: openChange })} onClose=${close}
          onUndo=${mayUndo && isWritten(openChange) && !isNewLine(openChange) ? () => setAsking({ kind: "undo", changes: [openChange] }) : null} onDrop=${isNewLine(openChange) && value.state === "proposed" && may("preparer") ? () => drop(openChange) : null} />`}
      </div>
      <${ActionBar} plan=${value} me=${me} may=${may("approver")} applying=${isApplying.isOn} onApprove=${() => setAsking({ kind: "approve" })} onApply=${() => setAsking({ kind: "apply" })}
        onUndo=${mayUndo ? () => setAsking({ kind: "undo", changes: value.changes }) : null} />`}
    ${asking?.kind === "release" && html`<${Release} change=${asking.change} write=${write} onClose=${closeDialog} onConfirm=${(reason) => release(asking.change, reason)} />`}
    ${asking?.kind === "undo" && html`<${Undo} changes=${asking.changes} write=${write} onClose=${closeDialog} onConfirm=${(reason) => undo(asking.changes, reason)} />`}
    ${asking?.kind === "date" && html`<${AnotherDate} psa=${psa} write=${write} onClose=${closeDialog} onConfirm=${readAgain} />`}
    ${asking?.kind === "approve" && value.state === "proposed" && html`<${Confirm} plan=${value} title="Approve exactly this" verb="Approve" write=${write} onConfirm=${approve} onClose=${closeDialog}
      words="Nothing is written yet. If anything of the plan changes, the checksum does, and this approval does not count for it." />`}
    ${asking?.kind === "apply" && value.state === "approved" && html`<${Confirm} plan=${value} title="Apply the plan" verb="Apply" write=${write} onConfirm=${apply} onClose=${closeDialog}
      words="Each line is read again, written once, and read back. A line that was changed meanwhile is left alone." />`}
  </section>`;
}

const changeWords = (change) => `${shownName(change.psa_account_name)}, ${shownName(change.product_code)}: from ${change.from} to ${change.to}${isHeld(change) ? ", held back" : ""}${change.result ? `, ${outcome(change.result.outcome).words}` : ""}`;

// While the plan is applied the results come one by one; nobody has to ask for them. An apply that ends before the last
// change (the PSA was away, say) tells so by its run.
function useApplying(plan) {
  const [on, setOn] = useState(null);
  const [problem, setProblem] = useState(null);
  const isOn = on !== null && plan.value?.id === on.id;
  useEffect(() => {
    if (!isOn) return undefined;
    const timer = setTimeout(async () => {
      try {
        const run = await get(`/v1/runs/${plan.value.run_id}`);
        const fresh = await get(`/v1/plans/${plan.value.id}`);
        if (fresh.state === "applied") {
          setOn(null);
          lookSoon();
          tellResult(fresh);
        } else if (run.state === "failed" && run.updated_at > on.since) {
          setOn(null);
          setProblem(run.problem);
        }
        plan.setValue((now) => (now && now.id === fresh.id ? fresh : now));
      } catch (lost) {
        plan.setValue((now) => ({ ...now }));
      }
    }, LOOK_AGAIN_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [isOn, plan.value]);
  const begin = async (value) => {
    setProblem(null);
    const run = await get(`/v1/runs/${value.run_id}`);
    return { id: value.id, since: run.updated_at };
  };
  return { isOn, problem, begin, follow: setOn, clear: () => setProblem(null) };
}

function tellResult({ totals }) {
  const good = (totals.results.applied || 0) + (totals.results.already || 0);
  const bad = totals.ready - good;
  toast(bad > 0 ? `${count(good, "change")} applied, ${number(bad)} not` : `${count(good, "change")} applied and read back`, { tone: bad > 0 ? "bad" : "good" });
}

function Head({ plan, list, applying, wish, onDate }) {
  const { totals } = plan;
  const done = plan.changes.filter((change) => change.result).length;
  const takesBack = plan.changes.find((change) => change.undoes)?.undoes.split("/")[0];
  return html`<header class="screen-head"><div><h1>Plan for ${periodName(plan.period)}</h1>
      <p class="lead line"><${Status} of=${applying ? { icon: "spinner", tone: "act", words: `Applying: ${number(done)} of ${number(totals.ready)}` } : planState(plan.state)} />
        <span><${When} at=${plan.created_at} /> by <bdi>${shownName(plan.prepared_by)}</bdi>${plan.approved_by ? html`, approved <${When} at=${plan.approved_at} /> by <bdi>${shownName(plan.approved_by)}</bdi>` : ""}</span></p>
      <p class="checksum"><span class="quiet">Checksum</span> <code>${grouped(plan.checksum).slice(0, 4).join(" ")} …</code>${wish ? html` <span class="quiet">Asked to count ${effective(wish)}.</span>` : ""}${onDate && html` <button class="link" onClick=${onDate}>Another date…</button>`}
      ${takesBack && html` <span>Takes back <a href=${href("plan", { id: takesBack })} onClick=${follow}>an earlier plan</a>.</span>`}</p></div>
    <div class="head-side"><dl class="worth"><div><dt>Ready</dt><dd><span class="figure">${number(totals.ready)}</span><small>${totals.ready === 1 ? "change" : "changes"}</small></dd></div><div><dt>Held back</dt><dd><span class="figure">${number(totals.held)}</span></dd></div>
      ${Object.entries(totals.monthly_money).map(([currency, amount]) => html`<div key=${currency}><dt>Worth</dt><dd><${Money} amount=${amount} currency=${currency} sign /><small>a month</small></dd></div>`)}</dl>
    ${list.length > 1 && html`<select aria-label="Other plans" value=${plan.id} onChange=${(event) => show({ id: event.target.value, change: undefined, show: undefined }, { replace: false })}>${list.map((one) => html`<option key=${one.id} value=${one.id}>${periodShort(one.period)}, run ${one.run_id.split("-").pop()}, ${planState(one.id === plan.id ? plan.state : one.state).words.toLowerCase()}</option>`)}</select>`}</div></header>`;
}

function columnsFor(plan, applying, onRelease, mayRelease) {
  return [
    { key: "client", label: "Client", className: "cell-vendor", render: (change) => html`<div class="stack"><${Name} of=${change.psa_account_name} className="strong" /><span class="second"><${Name} of=${change.agreement_name} /></span></div>` },
    { key: "product", label: "Product", className: "cell-product", render: (change) => html`<code>${shownName(change.product_code || change.product_id)}</code>` },
    { key: "change", label: "Before and after", className: "number cell-change", render: (change) => html`<div class="stack end"><${FromTo} change=${change} /><span class="second">${isNewLine(change) ? "new line" : difference(change.to - Number(change.from))}, ${effectiveWords(change)}</span></div>` },
    { key: "invoice", label: "Next invoice", className: "number cell-invoice", render: (change) => html`<${NextInvoice} change=${change} />` },
    { key: "money", label: "A month", className: "number cell-money", render: (change) => html`<${Money} amount=${change.monthly_money} currency=${change.currency} sign />` },
    { key: "guard", label: plan.state === "applied" || applying ? "Result" : "Guard", className: "cell-guard", render: (change, isActive) => html`<${GuardCell} change=${change} plan=${plan} applying=${applying} isActive=${isActive} onRelease=${onRelease} mayRelease=${mayRelease} />` },
  ];
}

function GuardCell({ change, plan, applying, isActive, onRelease, mayRelease }) {
  if (change.result) return html`<div class="stack"><${Status} of=${outcome(change.result.outcome)} /><span class="second" title=${change.result.reason}>${shownName(change.result.reason)}</span></div>`;
  if (applying && !isHeld(change)) return html`<${Status} of=${{ icon: "clock", tone: "act", words: "To be written" }} />`;
  if (isHeld(change)) return html`<div class="line guard-line"><div class="stack"><span class="status tone-look"><${Icon} name="lock" /><span>${guard(change.guard.name)}</span></span><span class="second">${shownName(change.guard.holds[0].figures).replace("->", "→")}</span></div>
    ${plan.state === "proposed" && mayRelease && html`<button class="chip" tabindex=${isActive ? 0 : -1} onClick=${() => onRelease(change)}>Release</button>`}</div>`;
  if (change.guard) return html`<div class="stack"><${Status} of=${{ icon: "check", tone: "good", words: "Released" }} /><span class="second" title=${change.guard.released.reason}>“${shownName(change.guard.released.reason)}”</span></div>`;
  return html`<span class="quiet">Ready</span>`;
}

function ActionBar({ plan, me, may, applying, onApprove, onApply, onUndo }) {
  const { totals } = plan;
  const isOwn = settings.two_person_approval && me && me.name === plan.prepared_by && settings.sign_in !== null;
  const note = !may ? "An approver decides." : isOwn && plan.state === "proposed" ? "Somebody else than who prepared it must approve." : totals.held ? `${count(totals.held, "held change")} ${totals.held === 1 ? "is" : "are"} not part of it.` : "";
  return html`<footer class="plan-bar" aria-label="Decide"><span class="plan-bar-words"><b>${count(totals.ready, "change")}</b>${Object.entries(totals.monthly_money).map(([currency, amount]) => html`<span key=${currency}><${Money} amount=${amount} currency=${currency} sign /> a month</span>`)}<span class="quiet">${note}</span></span>
    ${onUndo && html`<button onClick=${onUndo}><${Icon} name="undo" />Take back…</button>`}
    ${plan.state === "proposed" && html`<button class="primary" disabled=${!may || totals.ready === 0 || isOwn} onClick=${onApprove}>Approve…</button>`}
    ${plan.state === "approved" && !applying && html`<button class="primary" disabled=${!may} onClick=${onApply}>Apply…</button>`}
    ${applying && html`<span role="status" class="line"><span class="spinner" aria-hidden="true"></span>Applying</span>`}</footer>`;
}
