// What stands beside a vendor account: the client it is mapped to, the suggestions with why, or two people's words.

import { html } from "../../vendor/htm-preact.js";
import { date, name as shownName } from "../format.js";
import { Icon } from "../parts/icon.js";
import { Name } from "../parts/text.js";
import { isReviewDue } from "./exclude_dialog.js";

const RULES = {
  exact: "same name",
  safe_key: "same name but for legal form",
  person: "",
  import: "from a file",
  stored_id: "id kept in the PSA",
  former_name: "same name as before",
};

export function decisionWords(decision) {
  const rule = RULES[decision.rule] ?? decision.rule.replaceAll("_", " ");
  return rule || decision.by;
}

export function AccountCell({ entry, isActive, accept, decide, onPick }) {
  if (entry.conflict) return html`<${Conflict} entry=${entry} decide=${decide} />`;
  if (entry.mapping === "mapped") {
    return html`<div class="stack"><span class="line"><${Name} of=${entry.psa_account_name} /></span><span class="second"><code>${shownName(entry.psa_account_id)}</code></span></div>`;
  }
  if (entry.mapping === "excluded") {
    return html`<div class="stack"><span class="line quiet">Left out</span><span class="second" title=${entry.decision?.reason}>“${shownName(entry.decision?.reason)}”${entry.decision?.owner ? html`, <bdi>${shownName(entry.decision.owner)}</bdi> answers for it` : ""}${entry.decision?.review_on ? `, ${isReviewDue(entry.decision) ? "review was due" : "review"} ${date(entry.decision.review_on)}` : ""}</span></div>`;
  }
  if (!entry.suggestions.length) {
    return html`<div class="line"><span class="quiet">${entry.ambiguity || "Nothing comes close"}</span><button class="chip" tabindex=${isActive ? 0 : -1} onClick=${onPick}><${Icon} name="search" />Choose a client</button></div>`;
  }
  return html`<div class="suggestions">${entry.suggestions.slice(0, 3).map((one, index) => html`<button class=${`suggestion ${index === 0 ? "is-first" : ""}`} key=${one.psa_account_id} tabindex=${isActive ? 0 : -1}
      title=${`${shownName(one.psa_account_name)}: ${one.reasons.join("; ")} (score ${Math.round(one.score)})`} onClick=${() => accept(entry, one)}>
    <span class="line">${isActive && html`<kbd>${index === 0 ? "↵" : index + 1}</kbd>`}<${Name} of=${one.psa_account_name} /></span><small>${one.reasons.join(", ")}</small></button>`)}</div>`;
}

// Two people at one row: both words are shown, and a person says which counts.
function Conflict({ entry, decide }) {
  const mine = entry.conflict.mine;
  const theirs = entry.mapping === "mapped" ? shownName(entry.psa_account_name) : entry.mapping;
  const own = mine.mapping === "mapped" ? shownName(mine.psa_account_name) : mine.mapping;
  return html`<div class="conflict" role="alert"><span><${Icon} name="fork" /><b>${shownName(entry.decision?.by || "Somebody else")}</b> was first: <bdi>${theirs}</bdi>. You chose <bdi>${own}</bdi>.</span>
    <span class="line"><button class="chip" onClick=${() => decide.keep(entry)}>Keep theirs</button><button class="chip" onClick=${() => decide.insist(entry)}>Use mine</button></span></div>`;
}
