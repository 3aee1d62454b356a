// What is asked before a plan goes on: approve, apply, release, take back, another date.

import { html, useState } from "../../vendor/htm-preact.js";
import { count, number, name as shownName } from "../format.js";
import { effective } from "../words.js";
import { Icon } from "../parts/icon.js";
import { Dialog, ReasonDialog } from "../parts/dialog.js";
import { ProblemNote } from "../parts/problem.js";
import { Money, Name } from "../parts/text.js";
import { ChangeLine, GuardNotes, grouped, isNewLine, isWritten } from "./change_parts.js";

export function Confirm({ plan, title, verb, words, write, onConfirm, onClose }) {
  const { totals } = plan;
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p class="confirm-sum"><b>${count(totals.ready, "change")}</b>${Object.entries(totals.monthly_money).map(([currency, amount]) => html`<span key=${currency}><${Money} amount=${amount} currency=${currency} sign /> a month</span>`)}${totals.held > 0 && html`<span class="quiet">${number(totals.held)} held back, not part of it</span>`}</p>
    <div class="checksum-block" aria-label="Checksum">${grouped(plan.checksum).map((part, place) => html`<code key=${place}>${part}</code>`)}</div>
    <p class="quiet">${words}</p><${ProblemNote} problem=${write.problem} />
    <footer><button onClick=${onClose}>Cancel</button><button class="primary" autofocus onClick=${onConfirm} disabled=${write.isBusy}>${verb} ${count(totals.ready, "change")}</button></footer>
  </${Dialog}>`;
}

const RELEASE_REASONS = ["Confirmed by the client", "Checked with the account manager", "Seen, and right"];

export function Release({ change, write, onConfirm, onClose }) {
  return html`<${ReasonDialog} title="Release this change?" label="Why it may go" confirm="Release" suggestions=${RELEASE_REASONS} isBusy=${write.isBusy} problem=${html`<${ProblemNote} problem=${write.problem} />`}
      onClose=${onClose} onConfirm=${onConfirm}>
    <p><b><${Name} of=${change.psa_account_name} /></b> <code>${shownName(change.product_code)}</code></p><${ChangeLine} change=${change} /><${GuardNotes} change=${change} />
    <p class="quiet">The plan gets a new checksum: what was approved before is not this plan any more.</p></${ReasonDialog}>`;
}

const UNDO_REASONS = ["The wrong client", "The client did not agree", "Counted wrongly"];

// What of these changes goes back, and what does not, before anybody is asked for a reason.
export function Undo({ changes, write, onConfirm, onClose }) {
  const back = changes.filter((change) => isWritten(change) && !isNewLine(change));
  const made = changes.filter((change) => isWritten(change) && isNewLine(change));
  const unwritten = changes.length - back.length - made.length;
  return html`<${ReasonDialog} title=${changes.length === 1 ? "Take this change back?" : "Take back what this plan wrote?"} label="Why" confirm="Propose to take it back" suggestions=${UNDO_REASONS}
      isBusy=${write.isBusy} problem=${html`<${ProblemNote} problem=${write.problem} />`} onClose=${onClose} onConfirm=${onConfirm}>
    <ul class="bulk-list undo-list" aria-label="What goes back">${back.slice(0, 100).map((change) => html`<li key=${change.id}><span class="stack"><${Name} of=${change.psa_account_name} /><small>${shownName(change.product_code)}</small></span><span class="from-to"><span class="figure">${number(change.to)}</span><${Icon} name="right" /><b class="figure">${number(change.from)}</b></span></li>`)}</ul>
    <p>A new plan of the opposite changes is proposed, in place of the plan that is open this month. It is approved and applied like any other; nothing is written before that. A line goes back only if it still has what was written.</p>
    ${(made.length > 0 || unwritten > 0) && html`<p class="quiet">${made.length > 0 && `${count(made.length, "line")} that ${made.length === 1 ? "was" : "were"} made ${made.length === 1 ? "stays" : "stay"}. `}${unwritten > 0 && `${count(unwritten, "change")} wrote nothing, and ${unwritten === 1 ? "has" : "have"} nothing to take back.`}</p>`}</${ReasonDialog}>`;
}

// Another day from which all changes are to count: both sides are read again, and another plan is proposed.
export function AnotherDate({ psa, write, onConfirm, onClose }) {
  const { offered, default: usual } = psa.changes_count;
  const [rule, setRule] = useState(usual);
  const [day, setDay] = useState("");
  const submit = (event) => {
    event.preventDefault();
    onConfirm(rule === "dated" ? day : rule);
  };
  return html`<${Dialog} title="From when should the changes count?" onClose=${onClose}><form onSubmit=${submit}>
    <fieldset class="choices-field"><legend class="unseen">From when</legend>${offered.map((one) => html`<label class="check" key=${one}><input type="radio" name="rule" value=${one} checked=${rule === one} autofocus=${rule === one} onChange=${() => setRule(one)} />${one === "dated" ? "From a day" : effective(one)}${one === usual ? `, as ${psa.label} does it` : ""}</label>`)}</fieldset>
    ${rule === "dated" && html`<label class="field"><span>Day</span><input type="date" required value=${day} onInput=${(event) => setDay(event.target.value)} /></label>`}
    <p class="quiet">Both sides are read again, and a plan for that date takes the place of this one. A line that cannot have the date is held until somebody accepts ${psa.label}'s own.</p>
    <${ProblemNote} problem=${write.problem} />
    <footer><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy}>Read again</button></footer></form></${Dialog}>`;
}
