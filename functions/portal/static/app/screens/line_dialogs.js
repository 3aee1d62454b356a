// Lines of the PSA that a person decides on: how seats are divided among several, and on which agreement one is missing.

import { html, useState } from "../../vendor/htm-preact.js";
import { post, put } from "../api.js";
import { useWrite } from "../load.js";
import { toast } from "../toasts.js";
import { count, date, number, name as shownName } from "../format.js";
import { Dialog } from "../parts/dialog.js";
import { ProblemNote } from "../parts/problem.js";
import { Name } from "../parts/text.js";

// The live lines that bill this row, as its evidence names them.
const linesOf = (row) => row.counts.billed.evidence.filter((one) => one.source === "PSA line" && one.reference);

export const canDivide = (row) => row.verdict === "ambiguous" && row.psa_account_id !== null && row.product_id !== null && linesOf(row).length > 1;
export const canAdd = (row) => row.verdict === "new_revenue" && row.agreement_choices.length > 0;

export function DivideLines({ row, onDone, onClose }) {
  const lines = linesOf(row);
  const write = useWrite();
  const [balance, setBalance] = useState(lines[lines.length - 1].reference);
  const [seats, setSeats] = useState(() => Object.fromEntries(lines.map((line) => [line.reference, String(line.seats ?? "")])));
  const [reason, setReason] = useState("");
  const fixed = lines.filter((line) => line.reference !== balance);
  const isWhole = fixed.every((line) => /^\d+$/.test(seats[line.reference]));
  const wanted = row.counts.agreement.state === "known" ? row.counts.agreement.seats : null;
  const rest = wanted !== null && isWhole ? wanted - fixed.reduce((sum, line) => sum + Number(seats[line.reference]), 0) : null;
  const submit = (event) => {
    event.preventDefault();
    write.run(async () => {
      const path = `/v1/line-divisions/${encodeURIComponent(row.psa_account_id)}/${encodeURIComponent(row.product_id)}`;
      await put(path, { fixed: fixed.map((line) => ({ line_id: line.reference, seats: Number(seats[line.reference]) })), balance, reason: reason.trim() });
      toast("Divided. Every run from the next one on keeps to it.");
      onDone();
    });
  };
  return html`<${Dialog} title="How are the seats divided?" onClose=${onClose}><form onSubmit=${submit}>
    <p><b><${Name} of=${row.psa_account_name} /></b> has ${count(lines.length, "line")} of <code>${shownName(row.product_code)}</code>. All but one get a fixed number; one takes the rest${wanted === null ? "" : html` of the ${number(wanted)}`}.</p>
    <ul class="division" aria-label="Lines">${lines.map((line) => html`<li key=${line.reference}>
      <span class="stack"><code>${shownName(line.reference)}</code><small>bills ${line.seats === null ? "no whole number" : number(line.seats)} now</small></span>
      <label class="check"><input type="radio" name="balance" checked=${balance === line.reference} onChange=${() => setBalance(line.reference)} />takes the rest</label>
      ${balance === line.reference ? html`<span class="figure">${rest === null ? "the rest" : number(rest)}</span>`
        : html`<input type="number" min="0" step="1" required inputmode="numeric" aria-label=${`Seats of line ${shownName(line.reference)}`} value=${seats[line.reference]} onInput=${(event) => setSeats({ ...seats, [line.reference]: event.target.value })} />`}</li>`)}</ul>
    ${rest !== null && rest < 0 && html`<p class="warning">More seats are fixed than there are: the row would be held.</p>`}
    <label class="field"><span>Why</span><input required maxlength="500" autofocus value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
    <${ProblemNote} problem=${write.problem} />
    <footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy || !isWhole || !reason.trim()}>Divide</button></footer></form></${Dialog}>`;
}

export function AddLine({ row, plan, onDone, onClose }) {
  const write = useWrite();
  const [chosen, setChosen] = useState(row.agreement_choices.length === 1 ? row.agreement_choices[0].agreement_id : null);
  const submit = (event) => {
    event.preventDefault();
    write.run(async () => {
      const fresh = await post(`/v1/plans/${plan.id}/lines`, { row_id: row.id, agreement_id: chosen });
      toast("Added to the plan. It has a new checksum, and nothing is written before it is applied.");
      onDone(fresh);
    });
  };
  return html`<${Dialog} title="Add the missing line" onClose=${onClose}><form onSubmit=${submit}>
    <p><b><${Name} of=${row.psa_account_name} /></b> gets a line of <code>${shownName(row.product_code)}</code> with ${count(row.counts.agreement.seats, "seat")}, at the price of the PSA's catalog. A person chooses the agreement.</p>
    <fieldset class="choices-field"><legend class="unseen">Agreement</legend>${row.agreement_choices.map((one) => html`<label class="check" key=${one.agreement_id}><input type="radio" name="agreement" required checked=${chosen === one.agreement_id} onChange=${() => setChosen(one.agreement_id)} />
      <span class="stack"><${Name} of=${one.agreement_name} /><small>${shownName(one.type_name || "")}${one.next_invoice_on ? ` · next invoice ${date(one.next_invoice_on)}` : ""}</small></span></label>`)}</fieldset>
    <${ProblemNote} problem=${write.problem} />
    <footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy || chosen === null}>Add to the plan</button></footer></form></${Dialog}>`;
}
