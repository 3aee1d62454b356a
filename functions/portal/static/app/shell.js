// The frame of every screen: where one can go, how fresh the numbers are, what runs, who is signed in.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/htm-preact.js";
import { useRoute, follow, href, go } from "./router.js";
import { begin, isRunning, refreshIntegrations, startRun, useLive, useNow } from "./live.js";
import { Toasts, toast } from "./toasts.js";
import { activeGroups, useKeys } from "./keys.js";
import { chooseTheme, nextTheme, theme } from "./theme.js";
import { isOnOneMachine } from "./settings.js";
import { signOut } from "./session.js";
import { ago, duration, number, time } from "./format.js";
import { step } from "./words.js";
import { Icon } from "./parts/icon.js";
import { Dialog } from "./parts/dialog.js";
import { ProblemNote, SignedOutHere } from "./parts/problem.js";
import { Integrations } from "./screens/integrations.js";
import { Accounts, Tenants } from "./screens/accounts.js";
import { Services } from "./screens/services.js";
import { Finish } from "./screens/finish.js";
import { Reconcile } from "./screens/reconcile.js";
import { PlanScreen } from "./screens/plan.js";
import { History } from "./screens/history.js";
import { Files } from "./screens/files.js";
import { SettingsScreen } from "./screens/settings_screen.js";
import { later } from "./later.js";

const Orders = later(() => import("./later/orders.js"), "Orders");
const PortalUsers = later(() => import("./later/portal_users.js"), "PortalUsers");
const Months = later(() => import("./later/months.js"), "Months");
const Reports = later(() => import("./later/reports.js"), "Reports");

const SCREENS = [
  { page: "reconcile", words: "Reconcile", icon: "scales", key: "r", screen: Reconcile, group: "The month" },
  { page: "plan", words: "Plan", icon: "plan", key: "p", screen: PlanScreen, group: "The month" },
  { page: "orders", words: "Change orders", icon: "cart", key: "o", screen: Orders, group: "The month" },
  { page: "accounts", words: "Accounts", icon: "people", key: "a", screen: Accounts, group: "Mapping" },
  { page: "services", words: "Services", icon: "box", key: "s", screen: Services, group: "Mapping" },
  { page: "tenants", words: "Tenants", icon: "user", key: "n", screen: Tenants, group: "Mapping", side: "licenses" },
  { page: "integrations", words: "Integrations", icon: "plug", key: "i", screen: Integrations, group: "Set-up" },
  { page: "finish", words: "Finish", icon: "flag", key: "f", screen: Finish, group: "Set-up", hidden: true },
  { page: "files", words: "Files", icon: "upload", key: "l", screen: Files, group: "Set-up" },
  { page: "settings", words: "Settings", icon: "gear", key: "t", screen: SettingsScreen, group: "Set-up" },
  { page: "portal-users", words: "Portal users", icon: "user", key: "u", screen: PortalUsers, group: "Set-up" },
  { page: "months", words: "Months", icon: "lock", key: "m", screen: Months, group: "Record" },
  { page: "reports", words: "Reports", icon: "list", key: "e", screen: Reports, group: "Record" },
  { page: "history", words: "History", icon: "history", key: "h", screen: History, group: "Record" },
];

export function Shell() {
  const { page } = useRoute();
  const now = useLive();
  const main = useRef(null);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [farewell, setFarewell] = useState(null);
  useEffect(() => { begin(); }, []);
  useStart(page, now.integrations);
  const chosen = SCREENS.find((one) => one.page === page);
  const needsFinish = isSetUp(now.integrations) && now.integrations.some((one) => one.state === "pending");
  useFocusOnArrival(page, main);
  useEffect(() => { document.title = chosen ? `${chosen.words} · Trueup` : "Trueup"; }, [page]);
  useKeys("Everywhere", [
    { key: "?", label: "Show this list", run: () => setHelpOpen(true) },
    { key: "/", label: "Search", run: focusSearch },
    { key: "ArrowDown", label: "Into the table; then up and down its rows", run: () => document.querySelector("#main .table")?.focus() },
    ...SCREENS.map((one) => ({ key: `g ${one.key}`, label: `Go to ${one.words}`, run: () => go(one.page) })),
  ]);
  if (farewell) return html`<${SignedOutHere} trouble=${farewell} />`;
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>Skip to content</a>
    <div class="frame">
      <${Rail} page=${page} sides=${connectedSides(now.integrations)} me=${now.me} needsFinish=${needsFinish} onHelp=${() => setHelpOpen(true)} onLeave=${() => signOut().catch(setFarewell)} />
      <div class="stage">
        <header>
          ${isOnOneMachine && html`<p class="machine" role="note"><${Icon} name="screen" /> No sign-in on this machine: whoever uses it is the administrator.</p>`}
          <${Bar} run=${now.run} integrations=${now.integrations} />
        </header>
        <main id="main" tabindex="-1" ref=${main}>
          <${ProblemNote} problem=${now.problem} onRetry=${begin} />
          ${chosen ? html`<${chosen.screen} key=${chosen.page} />` : page === "" ? null : html`<${NotHere} />`}
        </main>
      </div>
    </div>
    ${isHelpOpen && html`<${KeyHelp} onClose=${() => setHelpOpen(false)} />`}
    <${Toasts} />`;
}

// The bare address leads to what is next: connecting, or this month.
function useStart(page, integrations) {
  useEffect(() => {
    if (page !== "" || integrations === null) return;
    const isActive = integrations.some((one) => one.state === "active");
    history.replaceState(null, "", href(isActive ? "reconcile" : "integrations"));
    dispatchEvent(new PopStateEvent("popstate"));
  }, [page, integrations]);
}

export const isSetUp = (integrations) =>
  integrations !== null && ["vendor", "psa"].every((side) => integrations.some((one) => one.side === side && one.state !== "not_connected"));

const connectedSides = (integrations) => new Set((integrations || []).filter((one) => one.state !== "not_connected").map((one) => one.side));

function useFocusOnArrival(page, main) {
  const isFirst = useRef(true);
  useLayoutEffect(() => {
    if (isFirst.current) isFirst.current = false;
    else main.current.focus({ preventScroll: true });
  }, [page]);
}

function focusSearch() {
  const field = document.querySelector('#main input[type="search"]');
  if (field) {
    field.focus();
    field.select();
  }
}

function Rail({ page, sides, me, needsFinish, onHelp, onLeave }) {
  const [chosen, setChosen] = useState(theme());
  const change = () => { chooseTheme(nextTheme()); setChosen(theme()); };
  const groups = [...new Set(SCREENS.map((one) => one.group))];
  const icon = { system: "screen", light: "sun", dark: "moon" }[chosen];
  return html`<nav class="rail" aria-label="Main">
    <a class="brand" href="/" aria-label="Trueup, start" onClick=${follow}><svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M8 10.5h16M8 16h16M8 21.5h16" /><circle cx="20.5" cy="16" r="3.4" /></svg><span>Trueup</span></a>
    <div class="rail-groups">${groups.map((group) => html`<div class="rail-group" key=${group}>
      <h2>${group}</h2>
      <ul>${SCREENS.filter((one) => one.group === group && (page === one.page || (one.side ? sides.has(one.side) : !one.hidden || needsFinish))).map((one) => html`<li key=${one.page}>
        <a href=${href(one.page)} aria-current=${page === one.page ? "page" : undefined} onClick=${follow}><${Icon} name=${one.icon} /><span>${one.words}</span></a></li>`)}</ul>
    </div>`)}</div>
    <div class="rail-foot">
      <button class="quiet-button" onClick=${onHelp}><${Icon} name="keyboard" /><span>Shortcuts</span><kbd>?</kbd></button>
      <button class="quiet-button" onClick=${change} aria-label=${`Theme: ${chosen}. Change`}><${Icon} name=${icon} /><span>Theme: ${chosen}</span></button>
      ${me && html`<div class="me"><${Icon} name="user" /><span><bdi>${me.name}</bdi><small>${me.role || "no role"}</small></span>
        ${!isOnOneMachine && html`<button class="link" onClick=${onLeave}>Sign out</button>`}</div>`}
    </div>
  </nav>`;
}

// Freshness and progress: the newest run, side by side with the button that starts one.
function Bar({ run, integrations }) {
  const now = useNow(5000);
  const canRun = isSetUp(integrations) && !isRunning(run);
  const begin = async () => {
    try {
      await startRun();
    } catch (problem) {
      toast(`${problem.detail}. ${problem.remedy}`, { tone: "bad" });
    }
  };
  return html`<div class="bar">
    <div class="bar-news">${run === null ? html`<span class="quiet">Nothing has been read yet</span>` : isRunning(run) ? html`<${Progress} run=${run} integrations=${integrations} now=${now} />` : html`<${LastRun} run=${run} integrations=${integrations} now=${now} />`}</div>
    ${isSetUp(integrations) && html`<button onClick=${begin} disabled=${!canRun} class="sync-button"><${Icon} name=${isRunning(run) ? "spinner" : "refresh"} />${isRunning(run) ? "Syncing" : "Sync now"}</button>`}
  </div>`;
}

// A run may wait for days and be applied then; nothing it read is younger than its start.
function LastRun({ run, integrations, now }) {
  if (run.state === "failed") {
    return html`<span class="status tone-bad"><${Icon} name="alert" /><span>Run ${run.id} failed: ${run.problem?.detail}. ${run.problem?.remedy}</span></span>`;
  }
  const away = run.sides.find((side) => side.problem);
  const words = away ? `${labelOf(integrations, away.side)} was not read; the others were read` : run.sides.length > 2 ? "All sides read" : "Both sides read";
  return html`<span class=${`status tone-${away ? "act" : "good"}`} title=${away ? `${away.problem.detail}. ${away.problem.remedy}` : null}><${Icon} name=${away ? "alert" : "check"} /><span>${words} <time datetime=${run.started_at} title=${time(run.started_at)}>${ago(run.started_at, now)}</time></span></span>
    ${run.sides.filter((side) => !side.problem).map((side) => html`<span class="bar-side quiet" key=${side.side}>${labelOf(integrations, side.side)} <b>${number(side.accounts)}</b> ${side.side === "licenses" ? "tenants" : "accounts"}${side.failed > 0 && html`, <b>${number(side.failed)}</b> could not be read`}</span>`)}
    ${run.state === "waiting_for_approval" && run.plan_id && html`<a href=${href("plan", { id: run.plan_id })} onClick=${follow}>A plan waits for approval</a>`}`;
}

function Progress({ run, integrations, now }) {
  if (run.step !== "sync") return html`<span class="status tone-act"><span class="spinner" aria-hidden="true"></span><span>${step(run.step)}…</span></span>`;
  return run.sides.map((side) => html`<${SideProgress} key=${side.side} side=${side} label=${labelOf(integrations, side.side)} startedAt=${run.started_at} now=${now} />`);
}

const labelOf = (integrations, side) =>
  (integrations || []).find((one) => one.side === side && one.state !== "not_connected")?.label || side;

function SideProgress({ side, label, startedAt, now }) {
  const total = side.accounts_total;
  const share = side.done ? 1 : total ? Math.min(1, side.accounts / total) : null;
  const elapsed = (now - new Date(startedAt).getTime()) / 1000;
  const left = share && share < 1 && elapsed > 2 ? duration((elapsed * (1 - share)) / share) : null;
  const words = side.done ? `${number(side.accounts)} accounts` : total ? `${number(side.accounts)} of ${number(total)}` : side.pages ? `page ${number(side.pages)}` : "starting";
  return html`<div class="side-progress">
    <span><b>${label}</b> ${words}${left && html`<span class="quiet"> · ${left} left</span>`}</span>
    <progress max="1" value=${share === null ? undefined : share} aria-label=${`Reading ${label}`}></progress>
  </div>`;
}

function KeyHelp({ onClose }) {
  const groups = activeGroups().map((group) => ({ title: group.title, keys: group.keys() })).reverse();
  return html`<${Dialog} title="Keyboard shortcuts" onClose=${onClose} wide>
    <div class="key-help">${groups.map((group) => html`<section key=${group.title}><h3>${group.title}</h3><dl>${group.keys.map(
      (entry) => html`<div key=${entry.key}><dt>${entry.key.split(" ").map((key) => html`<kbd>${KEY_NAMES[key] || key.toUpperCase()}</kbd>`)}</dt><dd>${entry.label}</dd></div>`)}</dl></section>`)}</div>
  </${Dialog}>`;
}

const KEY_NAMES = { ArrowDown: "↓", ArrowUp: "↑", "?": "?", "/": "/", Enter: "Enter", Escape: "Esc", Backspace: "⌫" };

function NotHere() {
  return html`<section class="screen"><h1>There is no such page</h1><p><a href="/" onClick=${follow}>Go to the start</a></p></section>`;
}

export { refreshIntegrations };
