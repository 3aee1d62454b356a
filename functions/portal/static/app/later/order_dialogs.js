// What is asked before a step is taken with a change order: each dialog shows what it is about and sends it once.

import { html, useState } from "../../vendor/htm-preact.js";
import { difference, number, name as shownName } from "../format.js";
import { Dialog, ReasonDialog } from "../parts/dialog.js";
import { ProblemNote } from "../parts/problem.js";
import { Name } from "../parts/text.js";
import { grouped } from "../screens/change_parts.js";
import { clientOf, orderGuard } from "./order_words.js";

const DIALOGS = { terms: Terms, approve: Approve, submitted: Submitted, resolve: Resolve, send: Send };

const REASONS = {
  release: { title: "Release this order?", label: "Why it may go", confirm: "Release", suggestions: ["Confirmed by the client", "Seen, and right"] },
  cancel: { title: "Cancel this order?", label: "Why", confirm: "Cancel the order", suggestions: ["The client decided otherwise", "Counted wrongly"] },
  reject: { title: "Reject this order?", label: "Why", confirm: "Reject the order", suggestions: ["The vendor said no", "Not agreed with the client"] },
};

export function OrderDialog({ action, order, write, onConfirm, onClose }) {
  const One = DIALOGS[action];
  if (One) return html`<${One} order=${order} write=${write} onConfirm=${onConfirm} onClose=${onClose} />`;
  const words = REASONS[action];
  return html`<${ReasonDialog} ...${words} isBusy=${write.isBusy} problem=${html`<${ProblemNote} problem=${write.problem} />`} onConfirm=${(reason) => onConfirm({ reason })} onClose=${onClose}>
    <${What} order=${order} />
    ${action === "release" && html`<ul class="reasons">${order.guard.holds.map((hold) => html`<li key=${hold.name}>${orderGuard(hold.name)}: ${shownName(hold.figures)}</li>`)}</ul>`}
    ${action === "cancel" && order.state === "submitted" && html`<p class="warning">It is with the vendor already: cancel it in the portal first, before its deadline.</p>`}</${ReasonDialog}>`;
}

function What({ order }) {
  return html`<p class="confirm-sum"><b><${Name} of=${clientOf(order)} /></b><span class="quiet"><${Name} of=${order.service_name} /></span><span class="figure">${number(order.from)} → <b>${number(order.to)}</b> (${difference(order.change)})</span></p>`;
}

function Form({ title, write, onSubmit, onClose, confirm, isReady = true, children }) {
  const submit = (event) => { event.preventDefault(); onSubmit(); };
  return html`<${Dialog} title=${title} onClose=${onClose}><form onSubmit=${submit} autocomplete="off">${children}<${ProblemNote} problem=${write.problem} />
    <footer><button type="button" onClick=${onClose}>Close</button><button class="primary" disabled=${write.isBusy || !isReady}>${confirm}</button></footer></form></${Dialog}>`;
}

function Approve({ order, write, onConfirm, onClose }) {
  return html`<${Form} title="Approve exactly this order" write=${write} onClose=${onClose} confirm="Approve" onSubmit=${() => onConfirm({ checksum: order.checksum })}>
    <${What} order=${order} />
    <div class="checksum-block" aria-label="Checksum">${grouped(order.checksum).map((part, place) => html`<code key=${place}>${part}</code>`)}</div>
    <p class="quiet">What is approved is what this checksum is over: the seats, the terms, the checks and their release. Nothing is ordered by approving.</p></${Form}>`;
}

function Terms({ order, write, onConfirm, onClose }) {
  const [lead, setLead] = useState(order.implementation_lead || "");
  const [number_, setNumber] = useState(order.po_number || "");
  const [product, setProduct] = useState(order.product_change || "");
  const [starts, setStarts] = useState(order.contract_starts_on || "");
  const send = () => onConfirm({ implementation_lead: lead.trim(), po_number: number_.trim(), product_change: product.trim(), ...(starts ? { contract_starts_on: starts } : {}) });
  return html`<${Form} title="Terms of this order" write=${write} onClose=${onClose} confirm="Keep" onSubmit=${send}><${What} order=${order} />
    <label class="field"><span>Primary implementation lead</span><small>A user of the partner portal.</small><input autofocus maxlength="200" value=${lead} onInput=${(event) => setLead(event.target.value)} /></label>
    <label class="field"><span>Your order number (PO)</span><small>Empty: not required.</small><input maxlength="200" value=${number_} onInput=${(event) => setNumber(event.target.value)} /></label>
    <label class="field"><span>Another product</span><small>Empty: the existing one is kept. Fewer seats and another product cannot be ordered together.</small><input maxlength="200" value=${product} onInput=${(event) => setProduct(event.target.value)} /></label>
    <label class="field"><span>The contract began on</span><small>Its twelve months are counted from here.</small><input type="date" value=${starts} onInput=${(event) => setStarts(event.target.value)} /></label></${Form}>`;
}

function Submitted({ order, write, onConfirm, onClose }) {
  const isDecrease = order.kind === "decrease";
  const [text, setText] = useState("");
  const [deadline, setDeadline] = useState("");
  const [effective, setEffective] = useState("");
  const [acknowledged, setAcknowledged] = useState(false);
  const send = () => onConfirm({ order_number: text.trim(), agreement_acknowledged: acknowledged, ...(isDecrease ? { downsell_deadline: deadline, ...(effective ? { effective_on: effective } : {}) } : {}) });
  return html`<${Form} title="Mark as submitted" write=${write} onClose=${onClose} confirm="Mark as submitted" isReady=${Boolean(text.trim() && acknowledged && (!isDecrease || deadline))} onSubmit=${send}><${What} order=${order} />
    <p class="quiet">After you have submitted it in the vendor's portal, once. It counts as done only when a later read shows ${number(order.to)} seats.</p>
    <label class="field"><span>Order number</span><small>The one that the portal shows.</small><input required autofocus maxlength="200" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
    ${isDecrease && html`<label class="field"><span>It can be cancelled until</span><small>From the portal's Downsell Notice.</small><input type="date" required value=${deadline} onInput=${(event) => setDeadline(event.target.value)} /></label>
      <label class="field"><span>Next billing date</span><small>From the same notice; the fewer seats count from then.</small><input type="date" value=${effective} onInput=${(event) => setEffective(event.target.value)} /></label>`}
    <label class="check"><input type="checkbox" required checked=${acknowledged} onChange=${(event) => setAcknowledged(event.target.checked)} />I acknowledged that the order is governed by the existing agreement (MSA)</label></${Form}>`;
}

const OUTCOMES = [
  { value: "submitted", words: "The vendor has it, and it is still coming" },
  { value: "rejected", words: "The vendor said no" },
  { value: "cancelled", words: "It was withdrawn" },
];

function Resolve({ order, write, onConfirm, onClose }) {
  const [outcome, setOutcome] = useState("");
  const [reason, setReason] = useState("");
  return html`<${Form} title="What became of this order?" write=${write} onClose=${onClose} confirm="Note it" isReady=${Boolean(outcome && reason.trim())} onSubmit=${() => onConfirm({ outcome, reason: reason.trim() })}><${What} order=${order} />
    <fieldset class="choices-field"><legend class="unseen">What became of it</legend>${OUTCOMES.map((one, index) => html`<label class="check" key=${one.value}><input type="radio" name="outcome" value=${one.value} autofocus=${index === 0} checked=${outcome === one.value} onChange=${() => setOutcome(one.value)} />${one.words}</label>`)}</fieldset>
    <p class="quiet">That it is in the agreement is for a read to say, and for nobody else.</p>
    <label class="field"><span>How you know</span><textarea rows="2" maxlength="500" required value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea></label></${Form}>`;
}

function Send({ order, write, onConfirm, onClose }) {
  const [acknowledged, setAcknowledged] = useState(false);
  return html`<${Form} title="Send this order to the vendor?" write=${write} onClose=${onClose} confirm="Send it once" isReady=${acknowledged} onSubmit=${() => onConfirm({ agreement_acknowledged: acknowledged })}><${What} order=${order} />
    <p>It is posted once and never again. If the answer is lost, the agreement is read instead, and a person says what became of it.</p>
    <label class="check"><input type="checkbox" required autofocus checked=${acknowledged} onChange=${(event) => setAcknowledged(event.target.checked)} />The order is governed by the existing agreement (MSA), and I may order for the company</label></${Form}>`;
}
