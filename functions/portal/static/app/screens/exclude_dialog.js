// Leaving an account out: why, and if a person wants so, who answers for it and when it is to be looked at again.

import { html, useState } from "../../vendor/htm-preact.js";
import { name as shownName } from "../format.js";
import { ReasonDialog } from "../parts/dialog.js";

const REASONS = ["A trial that ended", "Our own account", "Billed elsewhere", "A test account"];
const DAY_MILLISECONDS = 86_400_000;

// The day as the server has it; the review is due when that day has come.
export const isReviewDue = (decision) => Boolean(decision?.review_on) && decision.review_on <= new Date().toISOString().slice(0, 10);

const tomorrow = () => new Date(Date.now() + DAY_MILLISECONDS).toISOString().slice(0, 10);

// `onConfirm({reason, owner, review_on})`; the two last ones are empty where nothing was said.
export function ExcludeDialog({ title, name, children, isBusy, problem, onConfirm, onClose }) {
  const [owner, setOwner] = useState("");
  const [day, setDay] = useState("");
  const after = html`<div class="pair"><label class="field"><span>Who answers for it <small>if somebody does</small></span><input maxlength="100" value=${owner} onInput=${(event) => setOwner(event.target.value)} /></label>
    <label class="field"><span>Look again on <small>if ever</small></span><input type="date" min=${tomorrow()} value=${day} onInput=${(event) => setDay(event.target.value)} /></label></div>`;
  return html`<${ReasonDialog} title=${title || `Exclude ${shownName(name)}`} confirm="Exclude" suggestions=${REASONS} after=${after} isBusy=${isBusy} problem=${problem}
    onClose=${onClose} onConfirm=${(reason) => onConfirm({ reason, owner: owner.trim(), review_on: day })}>${children}</${ReasonDialog}>`;
}

// What the API is sent; absence is left out.
export const exclusionBody = ({ reason, owner, review_on: day }) => ({ exclude_reason: reason, ...(owner ? { owner } : {}), ...(day ? { review_on: day } : {}) });
