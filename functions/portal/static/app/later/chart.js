// A line chart of the last months, and the same numbers as a table for who does not see it. A month without a number is
// a gap in the line, never a zero.

import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import UPlot from "../../vendor/uplot.js";
import { styleSheet } from "../later.js";
import { period as monthName, periodShort } from "../format.js";

const HEIGHT = 200;
const LINES = [
  { token: "--accent", dash: [] },
  { token: "--look", dash: [7, 4] },
  { token: "--good", dash: [2, 3] },
];

// series: [{label, values}], one value a month or null; `write(value)` says a value in words.
export function Chart({ label, months, series, write }) {
  const place = useRef(null);
  const [pointed, setPointed] = useState(null);
  useEffect(() => {
    let chart = null;
    let isHere = true;
    const draw = () => {
      chart?.destroy();
      chart = new UPlot(options(place.current, months, series, write, setPointed), data(months, series), place.current);
    };
    const sized = new ResizeObserver(() => chart && chart.width !== width(place.current) && chart.setSize({ width: width(place.current), height: HEIGHT }));
    const themed = new MutationObserver(() => chart && draw());
    styleSheet("vendor/uplot.css").then(() => {
      if (!isHere) return;
      draw();
      sized.observe(place.current);
      themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    }, () => null);
    return () => { isHere = false; sized.disconnect(); themed.disconnect(); chart?.destroy(); };
  }, [months, series]);
  return html`<figure class="chart">
    <figcaption><b>${label}</b><span class="chart-legend">${series.map((one, index) => html`<span key=${one.label}><svg class=${`chart-key line-${index}`} viewBox="0 0 22 8" aria-hidden="true"><path d="M0 4h22" /></svg>${one.label}</span>`)}</span></figcaption>
    <div class="chart-place" role="img" aria-label=${`${label}, ${months.length} months; the numbers are in the table below`} ref=${place}></div>
    <p class="chart-pointed quiet">${pointed === null ? "Point at a month for its numbers." : `${monthName(months[pointed])}: ${series.map((one) => `${one.label} ${said(one.values[pointed], write)}`).join(", ")}`}</p>
    <details class="chart-table"><summary>The numbers as a table</summary><div class="wide-table" tabindex="0" role="region" aria-label=${`${label}, as a table`}><table><caption class="unseen">${label}</caption>
      <thead><tr><th scope="col">Month</th>${series.map((one) => html`<th scope="col" class="number" key=${one.label}>${one.label}</th>`)}</tr></thead>
      <tbody>${months.map((month, index) => html`<tr key=${month}><th scope="row">${monthName(month)}</th>${series.map((one) => html`<td class="number" key=${one.label}>${said(one.values[index], write)}</td>`)}</tr>`)}</tbody></table></div></details>
  </figure>`;
}

const said = (value, write) => (value === null ? "no data" : write(value));
const width = (element) => Math.max(240, Math.floor(element.clientWidth));
const data = (months, series) => [months.map((_month, index) => index), ...series.map((one) => one.values)];

function options(element, months, series, write, onPoint) {
  const style = getComputedStyle(document.documentElement);
  const color = (token) => style.getPropertyValue(token).trim();
  const font = `11px ${style.getPropertyValue("--text")}`;
  const axis = { stroke: color("--ink-soft"), font, ticks: { show: false } };
  return {
    width: width(element),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
    hooks: { setCursor: [(chart) => onPoint(chart.cursor.idx ?? null)] },
    scales: { x: { time: false, range: [-0.3, months.length - 0.7] }, y: { range: (_chart, lowest, highest) => bounds(lowest, highest) } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, splits: (chart) => fromTheEnd(months.length, chart.width), values: (_chart, places) => places.map((one) => periodShort(months[one])) },
      { ...axis, grid: { stroke: color("--line"), width: 1 }, size: 64, values: (_chart, values) => values.map((one) => write(one, true)) },
    ],
    series: [{}, ...series.map((one, index) => ({ label: one.label, stroke: color(LINES[index].token), dash: LINES[index].dash, width: 2, spanGaps: false, points: { show: true, size: 5, fill: color(LINES[index].token) } }))],
  };
}

const LABEL_PIXELS = 62;

// Every month, every second or every third is named, as there is room; the last one always.
function fromTheEnd(many, pixels) {
  const step = Math.max(1, Math.ceil((many * LABEL_PIXELS) / Math.max(1, pixels - 64)));
  const places = [];
  for (let place = many - 1; place >= 0; place -= step) places.unshift(place);
  return places;
}

// From zero, so that a small change does not look like a large one.
function bounds(lowest, highest) {
  if (lowest === null || highest === null) return [0, 1];
  const top = Math.max(0, highest);
  const bottom = Math.min(0, lowest);
  const room = (top - bottom || 1) * 0.08;
  return [bottom < 0 ? bottom - room : 0, top + room];
}
