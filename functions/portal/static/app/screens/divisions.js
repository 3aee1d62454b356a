// How seats are divided among several lines of one product: every division, whether it still fits, and forgetting one.

import { html, useState } from "../../vendor/htm-preact.js";
import { get, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { changed, useLive } from "../live.js";
import { follow, href } from "../router.js";
import { toast } from "../toasts.js";
import { number, name as shownName } from "../format.js";
import { ROLES } from "../words.js";
import { Status } from "../parts/icon.js";
import { Sure } from "../parts/dialog.js";
import { Empty, Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";

const FITS = { icon: "check", tone: "good", words: "Fits" };
const DOES_NOT = { icon: "fork", tone: "look", words: "Other lines now" };

export function Divisions({ me }) {
  const { changes } = useLive();
  const found = useLoad(async () => (await get("/v1/line-divisions")).items, [changes]);
  const [leaving, setLeaving] = useState(null);
  const write = useWrite();
  const may = (ROLES[me.role] || 0) >= ROLES.preparer;
  const forget = () => write.run(async () => {
    await remove(`/v1/line-divisions/${encodeURIComponent(leaving.psa_account_id)}/${encodeURIComponent(leaving.product_id)}`);
    setLeaving(null);
    toast("Forgotten: its lines are ambiguous again with the next run");
    changed();
  });
  if (found.problem) return html`<${ProblemNote} problem=${found.problem} onRetry=${found.reload} />`;
  if (!found.value) return html`<${Loading} words="Looking at the divisions" />`;
  if (!found.value.length) return html`<${Empty} icon="fork" title="Nothing is divided"><p>Where several lines bill one product, <a href=${href("reconcile", { verdict: "ambiguous" })} onClick=${follow}>open the row</a> and say how its seats are divided.</p></${Empty}>`;
  return html`<ul class="records" aria-label="Divided lines">${found.value.map((one) => html`<li key=${`${one.psa_account_id} ${one.product_id}`}><div class="stack"><span class="strong"><${Name} of=${one.psa_account_name || one.psa_account_id} /></span><span class="second"><code>${shownName(one.product_code || one.product_id)}</code></span></div>
      <div class="stack"><span>${one.fixed.map((line) => html`<span key=${line.line_id}><code>${shownName(line.line_id)}</code> ${number(line.seats)}, </span>`)}<code>${shownName(one.balance)}</code> the rest</span><span class="second">“${shownName(one.reason)}”, <bdi>${shownName(one.by)}</bdi> <${When} at=${one.at} /></span></div>
      <div class="actions"><${Status} of=${one.fits ? FITS : DOES_NOT} />${may && html`<button class="danger" aria-label=${`Forget how ${shownName(one.psa_account_name)} is divided`} onClick=${() => setLeaving(one)}>Forget…</button>`}</div></li>`)}</ul>
    ${leaving && html`<${Sure} title="Forget how the seats are divided?" confirm="Forget" keep="Keep it" isBusy=${write.isBusy} onConfirm=${forget} onClose=${() => { write.clear(); setLeaving(null); }} problem=${html`<${ProblemNote} problem=${write.problem} />`}>
      <p>The lines of <b><${Name} of=${leaving.psa_account_name || leaving.psa_account_id} /></b> are ambiguous again until somebody divides them anew.</p></${Sure}>`}`;
}
