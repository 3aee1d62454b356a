// The trend of the API as lines: one value a month, null where a month has none. Nothing here draws.

const LEGS = [
  { key: "agreement", label: "Agreement" },
  { key: "licensed", label: "Licensed" },
  { key: "billed", label: "Billed" },
];

export const seatSeries = (points) => LEGS.map(({ key, label }) => ({ label, values: points.map((point) => point[key] ?? null) }));

// One set of lines for each currency: a month that was compared and found nothing has a true zero, a month that was
// never compared has nothing.
export function moneySeries(points) {
  const currencies = [...new Set(points.flatMap((point) => point.money.map((sum) => sum.currency)))].sort();
  return currencies.map((currency) => ({ currency, series: ["found", "corrected", "outstanding"].map((part) => ({ label: part.charAt(0).toUpperCase() + part.slice(1), values: points.map((point) => valueOf(point, currency, part)) })) }));
}

function valueOf(point, currency, part) {
  if (point.state === "missing") return null;
  const sum = point.money.find((one) => one.currency === currency);
  return sum ? Number(sum.underbilled[part]) : 0;
}
