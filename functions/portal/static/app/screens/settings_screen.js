// What administrators and preparers set once: keys for machines, callbacks of the PSA, how seats are divided.

import { html } from "../../vendor/htm-preact.js";
import { show, useRoute } from "../router.js";
import { useLive } from "../live.js";
import { ROLES } from "../words.js";
import { Empty } from "../parts/problem.js";
import { ApiKeys } from "./api_keys.js";
import { Callbacks } from "./callbacks.js";
import { Divisions } from "./divisions.js";
import { later } from "../later.js";

const NoticeChannels = later(() => import("../later/notices.js"), "NoticeChannels");
const Counting = later(() => import("../later/counting.js"), "Counting");

// One entry a part; `role` is who may see it.
const PARTS = [
  { value: "", words: "API keys", role: "admin", part: ApiKeys },
  { value: "callbacks", words: "Callbacks", role: "admin", part: Callbacks },
  { value: "lines", words: "Divided lines", role: "viewer", part: Divisions },
  { value: "notices", words: "Notices", role: "admin", part: NoticeChannels },
  { value: "counting", words: "Who counts", role: "viewer", part: Counting },
];

export function SettingsScreen() {
  const { query } = useRoute();
  const { me } = useLive();
  const chosen = PARTS.find((one) => one.value === (query.show || "")) || PARTS[0];
  const may = me && (ROLES[me.role] || 0) >= ROLES[chosen.role];
  return html`<section class="screen narrow-screen">
    <header class="screen-head"><div><h1>Settings</h1><p class="lead">Set once: what machines may do here, when the PSA calls, who is told, and how users and seats are counted.</p></div></header>
    <div class="filters"><div class="tabs" role="group" aria-label="Show">${PARTS.map((one) => html`<button key=${one.value} aria-pressed=${one === chosen ? "true" : "false"} onClick=${() => show({ show: one.value }, { replace: false })}>${one.words}</button>`)}</div></div>
    ${me && (may ? html`<${chosen.part} me=${me} />` : html`<${Empty} icon="lock" title="For administrators"><p>Ask an administrator to look here.</p></${Empty}>`)}
  </section>`;
}
