// The words of change orders, and who may take which step with one. Nothing here draws.

import { difference, name as shownName, number } from "../format.js";
import { ROLES, plainWords } from "../words.js";

const STATES = {
  draft: { icon: "clock", tone: "act", words: "Draft" },
  approved: { icon: "check", tone: "act", words: "Approved" },
  submitted: { icon: "cart", tone: "act", words: "Submitted" },
  reflected: { icon: "check", tone: "good", words: "In the agreement" },
  rejected: { icon: "x", tone: "bad", words: "Rejected" },
  cancelled: { icon: "minus", tone: "quiet", words: "Cancelled" },
  expired: { icon: "alert", tone: "look", words: "Expired" },
  needs_review: { icon: "question", tone: "look", words: "Needs a look" },
};

export const orderState = (order) => STATES[order.state] || { icon: "question", tone: "look", words: plainWords(order.state) };
export const LATE = { icon: "alert", tone: "look", words: "Late" };

const GUARDS = {
  below_minimum: "Under the minimum",
  product_change_with_decrease: "Fewer seats and another product",
  large_change: "A large order",
  to_zero: "Down to zero",
  term: "Inside the term",
};

export const orderGuard = (name) => GUARDS[name] || plainWords(name);
export const isHeld = (order) => order.guard !== null && order.guard.state === "held";
const NOT_RELEASABLE = new Set(["below_minimum", "product_change_with_decrease"]);
const canRelease = (order) => isHeld(order) && !order.guard.holds.some((hold) => NOT_RELEASABLE.has(hold.name));

// Every step that the state of the order has, with the role it takes.
const STEPS = [
  { action: "terms", words: "Terms…", key: "t", role: "preparer", fits: (order) => order.state === "draft" },
  { action: "release", words: "Release…", key: "l", role: "approver", fits: (order) => order.state === "draft" && canRelease(order) },
  { action: "approve", words: "Approve…", key: "a", role: "approver", isMain: true, fits: (order) => order.state === "draft" && !isHeld(order) },
  { action: "submitted", words: "Mark as submitted…", key: "s", role: "preparer", isMain: true, fits: (order) => order.state === "approved" && !order.submitted },
  { action: "send", words: "Send it…", key: "d", role: "approver", needsSwitch: true, fits: (order) => order.state === "approved" },
  { action: "resolve", words: "Say what became of it…", key: "o", role: "approver", isMain: true, fits: (order) => order.is_open && (order.state === "needs_review" || order.state === "expired") },
  { action: "cancel", words: "Cancel…", key: "c", role: "preparer", fits: (order) => ["draft", "approved", "submitted"].includes(order.state) },
  { action: "reject", words: "Reject…", key: "j", role: "approver", fits: (order) => ["draft", "approved", "submitted"].includes(order.state) },
];

export const STEP_KEYS = STEPS.map(({ action, words, key }) => ({ action, key, label: words.replace("…", "") }));

export function stepsOf(order, role, isApiOn) {
  return STEPS.filter((step) => step.fits(order) && (!step.needsSwitch || isApiOn)).map((step) => ({ ...step, may: (ROLES[role] || 0) >= ROLES[step.role] }));
}

export const clientOf = (order) => order.psa_account_name || order.vendor_account_name || "";
export const seatsWords = (order) => `from ${number(order.from)} to ${number(order.to)} seats (${difference(order.change)})`;
export const orderLabel = (order) => `${shownName(clientOf(order))}, ${shownName(order.service_name)}: ${seatsWords(order)}, ${orderState(order).words}${order.is_late ? ", late" : ""}`;

export function matchesOrder(order, text) {
  if (!text) return true;
  const words = [order.id, order.psa_account_name, order.vendor_account_name, order.vendor_account_id, order.service_name, order.submitted?.order_number];
  return words.some((word) => word && String(word).toLowerCase().includes(text));
}

// Who took which step, the oldest first, as far as the order itself tells.
export function stepsTaken(order) {
  const taken = [
    { what: "Drafted", ...order.drafted },
    order.guard?.released && { what: "Released", by: order.guard.released.by, at: order.guard.released.at, why: order.guard.released.reason },
    order.approved && { what: "Approved", ...order.approved },
    order.submitted?.request && { what: "Posted through the API", by: "", at: order.submitted.request.posted_at, why: order.submitted.request.status },
    order.submitted?.at && { what: "Submitted", by: order.submitted.by, at: order.submitted.at, why: order.submitted.order_number && `order number ${order.submitted.order_number}` },
    order.chased.times > 0 && { what: `Chased ${order.chased.times === 1 ? "once" : `${number(order.chased.times)} times`}`, by: "", at: order.chased.at },
    order.settled && { what: orderState(order).words, by: order.settled.by, at: order.settled.at, why: order.settled.why },
  ];
  return taken.filter((one) => one && one.at);
}
