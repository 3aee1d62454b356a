// The last look before the first month: what is mapped, what is not, and what finishing does.

import { html } from "../../vendor/htm-preact.js";
import { get, getAll, post } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { noticed, refreshIntegrations, useLive } from "../live.js";
import { follow, go, href } from "../router.js";
import { toast } from "../toasts.js";
import { count, number } from "../format.js";
import { Icon, Status } from "../parts/icon.js";
import { Loading, ProblemNote } from "../parts/problem.js";
import { Steps } from "../parts/steps.js";
import { mapping } from "../words.js";

export function Finish() {
  const { integrations, changes } = useLive();
  const found = useLoad(async ({ isCurrent }) => {
    const [accounts, services] = await Promise.all([getAll("/v1/account-mappings", { limit: 1000 }, { isCurrent }), get("/v1/service-mappings")]);
    return { accounts: tally(accounts ? accounts.items : []), services: tally(services.items) };
  }, [changes]);
  const write = useWrite();
  const pending = (integrations || []).filter((one) => one.state === "pending");
  const isReady = found.value && found.value.accounts.mapped > 0 && found.value.services.mapped > 0 && pending.length > 0;
  const finish = () => write.run(async () => {
    const done = await post(`/v1/integrations/${pending[0].name}/finish`);
    noticed(done.run);
    await refreshIntegrations();
    toast("Both sides are active. The first sync has begun.");
    go("reconcile");
  });
  return html`<section class="screen narrow-screen">
    <${Steps} at="finish" />
    <header class="screen-head"><div><h1>Review and finish</h1><p class="lead">Finishing makes both connections active and reads both sides once more. Nothing is written to the PSA.</p></div></header>
    <${ProblemNote} problem=${found.problem || write.problem} onRetry=${found.problem ? found.reload : undefined} />
    ${found.value === null ? html`<${Loading} />` : html`<div class="review">
      <${Part} title="Accounts" page="accounts" totals=${found.value.accounts} open="are left out until somebody decides" />
      <${Part} title="Services" page="services" totals=${found.value.services} open="are not compared until they have a product" />
    </div>
    <footer class="screen-foot">
      ${pending.length === 0 && integrations !== null && html`<span class="status tone-good"><${Icon} name="check" /><span>Finished already. <a href=${href("reconcile")} onClick=${follow}>Go to this month</a></span></span>`}
      ${!isReady && pending.length > 0 && html`<span class="quiet">At least one account and one service must be mapped.</span>`}
      <button class="primary big" onClick=${finish} disabled=${!isReady || write.isBusy}>Finish and start the sync</button>
    </footer>`}
  </section>`;
}

function tally(items) {
  const totals = { all: items.length, mapped: 0, excluded: 0, ambiguous: 0, unmapped: 0 };
  for (const item of items) totals[item.mapping] += 1;
  return totals;
}

function Part({ title, page, totals, open }) {
  const left = totals.unmapped + totals.ambiguous;
  return html`<section class="card"><header><h2>${title}</h2><a href=${href(page, left ? { show: "open" } : {})} onClick=${follow}>${left ? "Decide the rest" : "Look again"}</a></header>
    <dl class="tally">${["mapped", "excluded", "ambiguous", "unmapped"].map((state) => html`<div key=${state}><dt><${Status} of=${mapping(state)} /></dt><dd>${number(totals[state])}</dd></div>`)}</dl>
    <p class="quiet">${left ? `${count(left, title.toLowerCase().slice(0, -1))} ${open}.` : "Everything is decided."}</p></section>`;
}
