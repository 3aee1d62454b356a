// One table for thousands of rows: only what can be seen, and some rows around it, is in the document.
//
// Every row has the same height. One row is the active one; the table has the focus and names it, so that keys work on
// a row that has just scrolled into the document as well.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../../vendor/htm-preact.js";

const ROWS_AROUND = 24;

export function useNarrow() {
  const [query] = useState(() => matchMedia("(max-width: 760px)"));
  const [isNarrow, setNarrow] = useState(query.matches);
  useEffect(() => {
    const changed = () => setNarrow(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return isNarrow;
}

// columns: [{key, label, className, render(item, index), sort}]; `rowHeight` and `narrowHeight` in pixels.
export function VirtualTable(props) {
  const { items, columns, name, label, keyOf, active, onActive, onOpen, rowClass, rowProps, rowLabel } = props;
  const isNarrow = useNarrow();
  const height = isNarrow ? props.narrowHeight : props.rowHeight;
  const scroller = useRef(null);
  const [view, setView] = useState({ top: 0, height: 800 });

  useLayoutEffect(() => {
    const element = scroller.current;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);

  const headerHeight = isNarrow ? 0 : 34;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (active === null || active >= items.length) return;
    const top = active * height;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + height > element.scrollTop + element.clientHeight - headerHeight) element.scrollTop = top + height - element.clientHeight + headerHeight;
  }, [active, height]);

  const page = Math.max(1, Math.floor(view.height / height) - 1);
  const move = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -items.length, End: items.length };
  const onKeyDown = (event) => {
    if (event.target !== scroller.current || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in move && items.length) {
      onActive(Math.max(0, Math.min(items.length - 1, (active ?? -1) + move[event.key])));
      event.preventDefault();
    } else if (event.key === "Enter" && active !== null && items[active] && onOpen) {
      onOpen(items[active]);
      event.preventDefault();
    }
  };

  const first = Math.max(0, Math.floor(view.top / height) - ROWS_AROUND);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / height) + ROWS_AROUND);
  const rows = [];
  for (let index = first; index < last; index += 1) {
    const item = items[index];
    const extra = rowProps ? rowProps(item, index) : {};
    rows.push(html`<div role="row" key=${keyOf(item)} id=${`${name}-${index}`} aria-rowindex=${index + 2}
        class=${`row ${rowClass ? rowClass(item) : ""} ${index === active ? "is-active" : ""}`}
        aria-selected=${index === active ? "true" : "false"} aria-label=${rowLabel ? rowLabel(item) : undefined}
        style=${{ top: `${index * height}px`, height: `${height}px` }}
        onMouseDown=${(event) => { if (!event.target.closest("button, a, input")) onActive(index); }}
        onClick=${(event) => { if (onOpen && props.opensOnClick && !event.target.closest("button, a, input")) onOpen(item); }}
        ...${extra}>
      ${columns.map((column) => html`<div role="gridcell" key=${column.key} class=${`cell ${column.className || ""}`}>${column.render(item, index === active, index)}</div>`)}
    </div>`);
  }
  const shown = active !== null && active >= first && active < last ? `${name}-${active}` : undefined;
  return html`<div class=${`table table-${name}`} ref=${scroller} role="grid" aria-label=${label} aria-rowcount=${items.length + 1}
      aria-colcount=${columns.length} tabindex="0" aria-activedescendant=${shown} onKeyDown=${onKeyDown} data-table=${name}
      onScroll=${(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}>
    <div class="row head" role="row" aria-rowindex="1">
      ${columns.map((column) => html`<div role="columnheader" key=${column.key} class=${`cell ${column.className || ""}`}
          aria-sort=${column.sort && column.sort.direction ? column.sort.direction : undefined}>
        ${column.sort ? html`<button class="sorter" onClick=${column.sort.toggle}>${column.label}</button>` : column.label}</div>`)}
    </div>
    <div class="rows" role="rowgroup" style=${{ height: `${items.length * height}px` }}>${rows}</div>
  </div>`;
}

export function focusTable(name) {
  document.querySelector(`[data-table="${name}"]`)?.focus({ preventScroll: true });
}
