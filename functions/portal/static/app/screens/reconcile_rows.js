// The rows of a comparison: their words, their order, their groups. Nothing here draws.

import { name, number } from "../format.js";
import { verdict } from "../words.js";

const isKnown = (count) => count.state === "known";

export function differenceOf(row) {
  const { agreement, billed } = row.counts;
  return isKnown(agreement) && isKnown(billed) ? agreement.seats - billed.seats : null;
}

// "Bill 4 more": what is to be done, in a person's words. `short` leaves the name of the row out.
export function rowWords(row, short = false) {
  if (row.isGroup) return `${row.title}, ${row.rows} rows`;
  const words = verdictWords(row);
  return short === true ? words : `${name(row.psa_account_name || row.vendor_account_name)}, ${name(row.service_name || row.product_code)}: ${words}`;
}

function verdictWords(row) {
  const difference = differenceOf(row);
  const { agreement, billed } = row.counts;
  if (row.verdict === "bill_more" && difference > 0) return `Bill ${number(difference)} more`;
  if (row.verdict === "bill_less" && difference < 0) return `Bill ${number(-difference)} less`;
  if (row.verdict === "new_revenue" && isKnown(agreement)) return `Bill ${number(agreement.seats)}, a new line`;
  if (row.verdict === "not_sold" && isKnown(billed)) return `${number(billed.seats)} billed, not sold`;
  if (row.order && row.order.delta) return orderedWords(row);
  return verdict(row.verdict).words;
}

function orderedWords({ verdict: name, order, bill_target: target }) {
  const many = number(Math.abs(order.delta));
  if (name === "order_more") return `Order ${many} more`;
  if (name === "order_less") return `Order ${many} less`;
  if (name === "order_and_bill" && target !== null) return `Order ${many} ${order.delta > 0 ? "more" : "less"}, bill ${number(target)}`;
  return verdict(name).words;
}

export function matchesText(row, text) {
  if (!text) return true;
  const words = [row.psa_account_name, row.vendor_account_name, row.service_name, row.product_code, row.agreement_name, row.vendor_account_id, row.line_id];
  return words.some((word) => word && String(word).toLowerCase().includes(text));
}

const collator = new Intl.Collator();
const BY = {
  money: (a, b) => atRisk(b) - atRisk(a) || collator.compare(clientOf(a), clientOf(b)),
  client: (a, b) => collator.compare(clientOf(a), clientOf(b)) || collator.compare(a.service_name || "", b.service_name || ""),
};

const clientOf = (row) => row.psa_account_name || row.vendor_account_name || "";

// Money at risk: whichever way it flows. What has no price comes after everything that has one.
const atRisk = (row) => (row.monthly_money === null ? -1 : row.verdict === "in_line" ? -2 : Math.abs(Number(row.monthly_money)));

export const ordered = (rows, sort) => [...rows].sort(BY[sort] || BY.money);

const TITLES = {
  client: clientOf,
  service: (row) => row.service_name || row.product_code || "No service",
  verdict: (row) => verdict(row.verdict).words,
};

// Rows with a heading before each group; the groups are in the order of their first row.
export function grouped(rows, by) {
  const title = TITLES[by];
  if (!title) return rows;
  const groups = new Map();
  for (const row of rows) {
    const key = title(row);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups].flatMap(([key, members]) => [{ isGroup: true, id: `group ${key}`, title: key, rows: members.length, money: sums(members) }, ...members]);
}

function sums(rows) {
  const money = new Map();
  for (const row of rows) if (row.monthly_money !== null) money.set(row.currency, (money.get(row.currency) || 0) + Number(row.monthly_money));
  return [...money];
}
