// Names, numbers and times the way every screen shows them.

import { html } from "../../vendor/htm-preact.js";
import { useNow } from "../live.js";
import { ago, age, money, name, number, time } from "../format.js";
import { plainWords } from "../words.js";

// A name from outside. It is text in a cage of its own: it cannot turn the words beside it around.
export function Name({ of, className = "" }) {
  const shown = name(of);
  return html`<bdi class=${`name ${className}`} title=${shown.length > 24 ? shown : undefined}>${shown}</bdi>`;
}

export function When({ at, className = "" }) {
  const now = useNow();
  if (!at) return html`<span class="quiet">never</span>`;
  return html`<time class=${className} datetime=${at} title=${time(at)}>${ago(at, now)}</time>`;
}

export function Money({ amount, currency, sign = false }) {
  const words = money(amount, currency, { sign });
  return words === null ? html`<span class="quiet">no price</span>` : html`<span class="figure">${words}</span>`;
}

// A count with its age and what it rests on. What nobody says is "no data", and never a zero.
export function Count({ count }) {
  if (count.state !== "known") {
    const words = count.state === "failed" ? "not read" : "no data";
    return html`<span class="count"><span class="no-data" title=${count.reason || undefined}>${words}</span></span>`;
  }
  return html`<span class="count" title=${`${plainWords(count.basis)}, as of ${time(count.as_of)}`}>
    <span class="figure">${number(count.seats)}</span><span class="basis">${basis(count.basis)} · ${age(count.as_of)}</span></span>`;
}

const BASES = {
  contract: "agreement",
  partner_customer: "partner list",
  account_user_count: "account",
  manual_file: "file",
  psa_line: "line",
  sum: "sum",
  licensed_users: "users",
  license_file: "file",
};

const basis = (value) => BASES[value] || plainWords(value).toLowerCase();
