// What goes on by itself: the newest run and how far it is. Nobody has to press a refresh button.
//
// `changes` grows whenever something a screen may show has become different; screens read again when it does.

import { useEffect, useState } from "../vendor/htm-preact.js";
import { get, post } from "./api.js";
import { createStore, useStore } from "./store.js";

export const live = createStore({ run: null, integrations: null, me: null, problem: null, changes: 0 });

const BUSY_MILLISECONDS = 700;
const IDLE_MILLISECONDS = 15_000;
let timer = 0;
// A reply counts only as long as nothing newer has been asked or noticed.
let turn = 0;

export const useLive = () => useStore(live);
export const isRunning = (run) => run !== null && run.state === "running";

export async function begin() {
  await Promise.all([refreshMe(), refreshIntegrations(), look()]);
}

async function refreshMe() {
  try {
    const me = await get("/v1/me");
    live.set((now) => ({ ...now, me }));
  } catch (problem) {
    live.set((now) => ({ ...now, problem }));
  }
}

export async function refreshIntegrations() {
  try {
    const { items } = await get("/v1/integrations");
    live.set((now) => ({ ...now, integrations: items, problem: null }));
  } catch (problem) {
    live.set((now) => ({ ...now, problem }));
  }
}

export async function startRun(options) {
  const run = await post("/v1/runs", options);
  noticed(run);
  return run;
}

export function noticed(run) {
  turn += 1;
  live.set((now) => ({ ...now, run }));
  schedule(BUSY_MILLISECONDS);
}

export function changed() {
  live.set((now) => ({ ...now, changes: now.changes + 1 }));
}

export const lookSoon = () => schedule(BUSY_MILLISECONDS);

function schedule(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(look, milliseconds);
}

async function look() {
  const before = live.get().run;
  const mine = ++turn;
  try {
    const { items } = await get("/v1/runs", { limit: 1 });
    if (mine !== turn) return;
    const run = items[0] || null;
    const isNews = stamp(run) !== stamp(before);
    if (isNews) live.set((now) => ({ ...now, run, problem: null, changes: now.changes + (hasMoved(before, run) ? 1 : 0) }));
    if (isNews && before && isRunning(before) && !isRunning(run)) refreshIntegrations();
  } catch (problem) {
    if (mine !== turn) return;
    live.set((now) => ({ ...now, problem }));
  }
  schedule(isRunning(live.get().run) && !document.hidden ? BUSY_MILLISECONDS : IDLE_MILLISECONDS);
}

const stamp = (run) => (run === null ? "" : `${run.id} ${run.updated_at} ${run.state} ${run.step}`);

// Progress alone changes no table; a new run, another step or the end may.
function hasMoved(before, run) {
  return before !== null && (before.id !== run.id || before.state !== run.state || before.step !== run.step);
}

document.addEventListener("visibilitychange", () => document.hidden || look());

// Ages on the screen grow older without anybody asking.
export function useNow(milliseconds = 30_000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const ticking = setInterval(() => setNow(Date.now()), milliseconds);
    return () => clearInterval(ticking);
  }, [milliseconds]);
  return now;
}
