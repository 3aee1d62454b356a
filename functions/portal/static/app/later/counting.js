// By which rules licensed users become seats: for the whole MSP, and apart for a client. Every change is a new version.

import { html, useState } from "../../vendor/htm-preact.js";
import { get, put, remove } from "../api.js";
import { useLoad, useWrite } from "../load.js";
import { useLive } from "../live.js";
import { toast } from "../toasts.js";
import { number, name as shownName } from "../format.js";
import { ROLES } from "../words.js";
import { Icon } from "../parts/icon.js";
import { Dialog, Picker, ReasonDialog } from "../parts/dialog.js";
import { Loading, ProblemNote } from "../parts/problem.js";
import { Name, When } from "../parts/text.js";

const SWITCHES = [
  { name: "counts_shared", words: "Shared mailboxes" },
  { name: "counts_rooms", words: "Rooms and equipment" },
  { name: "counts_guests", words: "Guests" },
  { name: "counts_blocked", words: "People whose sign-in is blocked" },
  { name: "counts_unknown_mailboxes", words: "Users of whom nobody says what the mailbox is for" },
  { name: "adjusts_stated", words: "Adjust numbers that come from a file, too" },
];
const LISTS = [
  { name: "counted_skus", words: "Licenses that count", where: "Part numbers such as SPB, one a line. Empty: every license that brings a mailbox." },
  { name: "ignored_skus", words: "Licenses that never count", where: "Part numbers, one a line." },
  { name: "service_users", words: "Addresses that are nobody's", where: "Patterns such as svc-*, one a line." },
];
const SEATS = [
  { name: "included_seats", words: "Included seats", lowest: 0 },
  { name: "minimum_seats", words: "Minimum", lowest: 0 },
  { name: "multiple_seats", words: "Rounded up to a multiple of", lowest: 1 },
];
const MSP = "msp";

export function Counting() {
  const { me } = useLive();
  const may = me ? (ROLES[me.role] || 0) >= ROLES.admin : false;
  const book = useLoad(() => get("/v1/counting-policies"), []);
  const [asking, setAsking] = useState(null);
  const close = () => { setAsking(null); book.reload(); };
  const clientPolicy = async (client) => {
    const { policy } = await get(`/v1/counting-policies/${encodeURIComponent(client.psa_account_id)}`);
    setAsking({ kind: "edit", scope: client.psa_account_id, title: client.psa_account_name, policy });
  };
  return html`<${ProblemNote} problem=${book.problem} onRetry=${book.reload} />
    ${book.value === null ? !book.problem && html`<${Loading} words="Reading the rules" />` : html`
      <p class="line spread"><span class="quiet">Who of the licensed users of a client is a seat. The seats are the users, less the included ones, not under the minimum, rounded up, and never over the cap.</span>${may && html`<button onClick=${() => setAsking({ kind: "pick" })}><${Icon} name="plus" />Rules of one client…</button>`}</p>
      <ul class="records" aria-label="Counting policies"><${Policy} policy=${book.value.general} title="All clients" may=${may} onEdit=${() => setAsking({ kind: "edit", scope: MSP, title: "All clients", policy: book.value.general })} />
        ${book.value.items.map((policy) => html`<${Policy} key=${policy.psa_account_id} policy=${policy} title=${`Client ${policy.psa_account_id}`} may=${may} onEdit=${() => setAsking({ kind: "edit", scope: policy.psa_account_id, title: `Client ${policy.psa_account_id}`, policy })} onClear=${() => setAsking({ kind: "clear", policy })} />`)}</ul>`}
    ${asking?.kind === "pick" && html`<${Picker} title="Whose rules?" placeholder="Name, short code or id" find=${async (text) => (await get("/v1/psa-accounts", { search: text.trim() || undefined, limit: 50 })).items} itemKey=${(one) => one.psa_account_id} onPick=${clientPolicy} onClose=${() => setAsking(null)}
      renderItem=${(one) => html`<${Name} of=${one.psa_account_name} /><small>${shownName(one.identifier || one.psa_account_id)}</small>`} emptyWords=${(text) => `No client has “${text}” in its name, code or id.`} />`}
    ${asking?.kind === "edit" && html`<${Edit} ...${asking} onClose=${() => setAsking(null)} onDone=${close} />`}
    ${asking?.kind === "clear" && html`<${Clear} policy=${asking.policy} onClose=${() => setAsking(null)} onDone=${close} />`}`;
}

function rulesWords(policy) {
  const counted = SWITCHES.filter((one) => policy[one.name] && one.name !== "counts_unknown_mailboxes").map((one) => one.words.toLowerCase());
  const seats = [policy.included_seats > 0 && `${number(policy.included_seats)} included`, policy.minimum_seats > 0 && `at least ${number(policy.minimum_seats)}`, policy.cap_seats !== null && `at most ${number(policy.cap_seats)}`, policy.multiple_seats > 1 && `in steps of ${number(policy.multiple_seats)}`].filter(Boolean);
  const lists = [policy.counted_skus.length > 0 && `only ${policy.counted_skus.join(", ")}`, policy.ignored_skus.length > 0 && `never ${policy.ignored_skus.join(", ")}`, policy.service_users.length > 0 && `not ${policy.service_users.join(", ")}`].filter(Boolean);
  return [...(counted.length ? [`also ${counted.join(", ")}`] : ["people only"]), ...lists, ...seats].join("; ");
}

function Policy({ policy, title, may, onEdit, onClear }) {
  return html`<li><div class="stack"><span class="strong"><bdi>${shownName(title)}</bdi></span><span class="second">${policy.version === 0 ? "the rules that hold when nobody said any" : `version ${number(policy.version)}`}</span></div>
    <div class="stack"><span>${shownName(rulesWords(policy))}</span><span class="second">${policy.at ? html`said <${When} at=${policy.at} /> by <bdi>${shownName(policy.by)}</bdi>: “${shownName(policy.reason)}”` : ""}</span></div>
    <div class="actions">${may && html`<button onClick=${onEdit} aria-label=${`Change the rules of ${shownName(title)}`}>Change…</button>${onClear && html`<button class="danger" onClick=${onClear} aria-label=${`Take the rules of ${shownName(title)} back`}>Take back…</button>`}`}</div></li>`;
}

const lines = (text) => text.split(/\n/).map((one) => one.trim()).filter(Boolean);

// Only what was changed is sent: the rest stays as it is in force at that moment.
function Edit({ scope, title, policy, onClose, onDone }) {
  const write = useWrite();
  const [rules, setRules] = useState(() => ({ ...policy, ...Object.fromEntries(LISTS.map((one) => [one.name, policy[one.name].join("\n")])), cap_seats: policy.cap_seats ?? "" }));
  const [reason, setReason] = useState("");
  const put_ = (name, value) => setRules((now) => ({ ...now, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    const said = { ...Object.fromEntries(SWITCHES.map((one) => [one.name, rules[one.name]])), ...Object.fromEntries(LISTS.map((one) => [one.name, lines(rules[one.name])])), ...Object.fromEntries(SEATS.map((one) => [one.name, Number(rules[one.name])])), cap_seats: rules.cap_seats === "" ? null : Number(rules.cap_seats) };
    const changes = Object.fromEntries(Object.entries(said).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(policy[name])));
    write.run(async () => {
      await put(`/v1/counting-policies/${encodeURIComponent(scope)}`, { ...changes, reason: reason.trim() });
      onDone();
      toast("Said; it counts from the next comparison on");
    });
  };
  return html`<${Dialog} title=${`How users count: ${shownName(title)}`} onClose=${onClose} wide><form onSubmit=${submit} autocomplete="off">
    <fieldset class="choices-field"><legend>Counted beside ordinary users</legend><div class="pair">${SWITCHES.map((one, place) => html`<label class="check" key=${one.name}><input type="checkbox" autofocus=${place === 0} checked=${rules[one.name]} onChange=${(event) => put_(one.name, event.target.checked)} />${one.words}</label>`)}</div></fieldset>
    <div class="pair">${LISTS.map((one) => html`<label class="field" key=${one.name}><span>${one.words}</span><small>${one.where}</small><textarea rows="3" spellcheck="false" value=${rules[one.name]} onInput=${(event) => put_(one.name, event.target.value)}></textarea></label>`)}</div>
    <div class="pair">${SEATS.map((one) => html`<label class="field" key=${one.name}><span>${one.words}</span><input type="number" required min=${one.lowest} step="1" inputmode="numeric" value=${rules[one.name]} onInput=${(event) => put_(one.name, event.target.value)} /></label>`)}
      <label class="field"><span>Cap (empty: none)</span><input type="number" min="0" step="1" inputmode="numeric" value=${rules.cap_seats} onInput=${(event) => put_("cap_seats", event.target.value)} /></label></div>
    <label class="field"><span>Why</span><textarea rows="2" maxlength="500" required value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea></label>
    <${ProblemNote} problem=${write.problem} /><footer><span class="quiet">A new version; a closed month keeps its own.</span><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${write.isBusy || !reason.trim()}>Say so</button></footer></form></${Dialog}>`;
}

function Clear({ policy, onClose, onDone }) {
  const write = useWrite();
  const confirm = (reason) => write.run(async () => { await remove(`/v1/counting-policies/${encodeURIComponent(policy.psa_account_id)}`, { reason }); onDone(); toast("The rules of all clients hold again"); });
  return html`<${ReasonDialog} title="Take the rules of this client back?" label="Why" confirm="Take back" isBusy=${write.isBusy} problem=${html`<${ProblemNote} problem=${write.problem} />`} onConfirm=${confirm} onClose=${onClose}><p>The rules of all clients hold for it again. Its versions stay readable.</p></${ReasonDialog}>`;
}
