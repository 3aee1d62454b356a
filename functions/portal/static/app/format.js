// Numbers, money and times as the reader's own country writes them.

const LOCALE = navigator.languages && navigator.languages.length ? [...navigator.languages] : undefined;
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 4 });
const signed = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 4, signDisplay: "exceptZero" });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" });
const month = new Intl.DateTimeFormat(LOCALE, { month: "long", year: "numeric", timeZone: "UTC" });
const monthShort = new Intl.DateTimeFormat(LOCALE, { month: "short", year: "2-digit", timeZone: "UTC" });
const currencies = new Map();

export const number = (value) => whole.format(value);
export const difference = (value) => signed.format(value).replace("-", "−");

// `amount` is a decimal in a string. It is handed on as it is, so that no rounding of ours comes between.
export function money(amount, currency, { sign = false } = {}) {
  if (amount === null || amount === undefined) return null;
  const digits = Math.max(2, (String(amount).split(".")[1] || "").length);
  const key = `${currency} ${sign} ${digits}`;
  if (!currencies.has(key)) {
    const options = { style: "currency", currency: currency || "USD", minimumFractionDigits: 2, maximumFractionDigits: digits };
    currencies.set(key, new Intl.NumberFormat(LOCALE, sign ? { ...options, signDisplay: "exceptZero" } : options));
  }
  return currencies.get(key).format(amount).replace("-", "−");
}

const STEPS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

export function ago(moment, now = Date.now()) {
  const seconds = (new Date(moment).getTime() - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return "just now";
}

// As short as a column wants it: 5 m, 2 h, 3 d.
export function age(moment, now = Date.now()) {
  const seconds = Math.max(0, (now - new Date(moment).getTime()) / 1000);
  if (seconds < 90) return "now";
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export const time = (moment) => absolute.format(new Date(moment));
export const date = (text) => day.format(new Date(`${text}T00:00:00Z`));
export const period = (text) => month.format(new Date(`${text}-01T00:00:00Z`));
export const periodShort = (text) => monthShort.format(new Date(`${text}-01T00:00:00Z`));

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

export function count(amount, one, many = `${one}s`) {
  return `${number(amount)} ${amount === 1 ? one : many}`;
}

// Characters that change the direction or the look of what stands beside them, or that nobody can see.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const NAME_CHARACTERS = 160;

// A name from outside as it may be shown: every character visible, none that reaches beyond the name, not endless.
export function name(text) {
  const visible = String(text ?? "").replace(UNSEEN, "\ufffd");
  return visible.length > NAME_CHARACTERS ? `${visible.slice(0, NAME_CHARACTERS)}…` : visible;
}
