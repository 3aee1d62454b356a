// The API's words as people read them. A word that is not known here is shown as the API has it.

import { date } from "./format.js";

const sentence = (text) => {
  const plain = String(text ?? "").replaceAll("_", " ").replace(/\bpsa\b/g, "PSA");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
};

export const plainWords = sentence;

const among = (table) => (value) => table[value] || { icon: "question", tone: "look", words: sentence(value) };

const VERDICTS = {
  in_line: { icon: "check", tone: "good", words: "In line" },
  bill_more: { icon: "up", tone: "act", words: "Bill more" },
  bill_less: { icon: "down", tone: "act", words: "Bill less" },
  new_revenue: { icon: "plus", tone: "act", words: "New revenue" },
  not_sold: { icon: "minus", tone: "look", words: "Not sold" },
  held: { icon: "lock", tone: "look", words: "Blocked" },
  ambiguous: { icon: "fork", tone: "look", words: "Ambiguous" },
  missing_data: { icon: "question", tone: "look", words: "Missing data" },
  unmapped: { icon: "ring", tone: "look", words: "Unmapped" },
  order_more: { icon: "cart", tone: "act", words: "Order more" },
  order_less: { icon: "cart", tone: "act", words: "Order less" },
  order_and_bill: { icon: "cart", tone: "act", words: "Order and bill" },
};

export const verdict = among(VERDICTS);

const MAPPINGS = {
  mapped: { icon: "check", tone: "good", words: "Mapped" },
  unmapped: { icon: "ring", tone: "look", words: "Unmapped" },
  ambiguous: { icon: "fork", tone: "look", words: "Ambiguous" },
  excluded: { icon: "minus", tone: "quiet", words: "Excluded" },
};

export const mapping = among(MAPPINGS);

const CONNECTIONS = {
  not_connected: { icon: "plug", tone: "quiet", words: "Not connected" },
  authenticating: { icon: "spinner", tone: "act", words: "Authenticating" },
  pending: { icon: "clock", tone: "look", words: "Pending" },
  active: { icon: "check", tone: "good", words: "Active" },
  needs_attention: { icon: "alert", tone: "bad", words: "Needs attention" },
};

export const connection = among(CONNECTIONS);

const PLANS = {
  proposed: { icon: "clock", tone: "act", words: "Proposed" },
  approved: { icon: "check", tone: "act", words: "Approved" },
  applied: { icon: "check", tone: "good", words: "Applied" },
  superseded: { icon: "minus", tone: "quiet", words: "Superseded" },
};

export const planState = among(PLANS);

const OUTCOMES = {
  applied: { icon: "check", tone: "good", words: "Applied" },
  already: { icon: "check", tone: "good", words: "Already so" },
  conflict: { icon: "fork", tone: "look", words: "Changed meanwhile" },
  rejected: { icon: "alert", tone: "bad", words: "Rejected" },
  unknown: { icon: "question", tone: "bad", words: "Unknown" },
};

export const outcome = among(OUTCOMES);

const RUNS = {
  running: { icon: "spinner", tone: "act", words: "Running" },
  waiting_for_approval: { icon: "clock", tone: "act", words: "Waiting for approval" },
  done: { icon: "check", tone: "good", words: "Done" },
  failed: { icon: "alert", tone: "bad", words: "Failed" },
  superseded: { icon: "minus", tone: "quiet", words: "Superseded" },
};

export const runState = among(RUNS);

const GUARDS = {
  decrease: "Fewer seats",
  to_zero: "Down to zero",
  jump: "A jump",
  counts_disagree: "Two sources disagree",
  account_not_active: "Account not active",
  account_silent: "Account not listed",
  old_count: "Old count",
  old_read: "Old read",
  price_missing: "No price",
  not_billable: "Not billable",
  old_billing: "Old lines",
  date_not_possible: "Date not possible",
  scheduled_change: "A later change is set",
};

export const guard = (value) => GUARDS[value] || sentence(value);

const SCOPES = {
  "runs:start": "Start runs",
  "counts:read": "Read counts",
  "plan:read": "Read plans",
  "plan:approve": "Approve plans",
};

export const scope = (value) => SCOPES[value] || sentence(value);
export const scopes = Object.keys(SCOPES);

const FILE_KINDS = {
  accounts: "Accounts",
  counts: "Seat counts",
  lines: "Agreement lines",
  clients: "Clients",
  products: "Products",
};

export const fileKind = (value) => FILE_KINDS[value] || sentence(value);

export const STEPS = ["sync", "match", "reconcile", "approve", "apply"];

const STEP_WORDS = {
  sync: "Reading",
  match: "Matching names",
  reconcile: "Comparing",
  approve: "Proposing the plan",
  apply: "Applying",
};

export const step = (value) => STEP_WORDS[value] || sentence(value);

export const ROLES = { viewer: 1, preparer: 2, approver: 3, admin: 4 };

const EFFECTIVE = { now: "at once", next_invoice: "next invoice", next_period: "next period" };

// From when a change counts: a rule in words, or a day.
export const effective = (text) => EFFECTIVE[text] || (/^\d{4}-\d\d-\d\d$/.test(text) ? `from ${date(text)}` : sentence(text));
