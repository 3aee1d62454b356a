// The clients of the PSA at the left: look one up, drag it onto a row, or press Enter to give it to the active row.

import { html, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { number, name as shownName } from "../format.js";
import { Icon } from "../parts/icon.js";
import { Loading, ProblemNote } from "../parts/problem.js";
import { Name } from "../parts/text.js";

const ROW = 44;
const AROUND = 16;

export function ClientPanel({ clients, taken, search, onSearch, target, onPick }) {
  const [onlyFree, setOnlyFree] = useState(false);
  const [active, setActive] = useState(0);
  const [view, setView] = useState({ top: 0, height: 700 });
  const list = useRef(null);
  const found = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return (clients.value || []).filter((client) => (!onlyFree || !taken.has(client.psa_account_id)) && (!wanted || `${client.psa_account_name} ${client.identifier || ""} ${client.psa_account_id}`.toLowerCase().includes(wanted)));
  }, [clients.value, search, onlyFree, taken]);
  useLayoutEffect(() => { setActive(0); if (list.current) list.current.scrollTop = 0; }, [search, onlyFree]);
  const move = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const next = Math.max(0, Math.min(found.length - 1, active + step));
      setActive(next);
      const element = list.current;
      if (next * ROW < element.scrollTop) element.scrollTop = next * ROW;
      if ((next + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (next + 1) * ROW - element.clientHeight;
    } else if (event.key === "Enter" && found[active]) onPick(found[active]);
    else if (event.key === "Escape" && search) onSearch("");
    else return;
    event.preventDefault();
  };
  const first = Math.max(0, Math.floor(view.top / ROW) - AROUND);
  const last = Math.min(found.length, Math.ceil((view.top + view.height) / ROW) + AROUND);
  return html`<aside class="client-panel" aria-label="Clients in the PSA">
    <header><h2>Clients in the PSA <span class="quiet">${number(found.length)}</span></h2>
      <div class="search-field"><${Icon} name="search" /><input class="client-search" type="text" placeholder="Find a client" aria-label="Find a client" value=${search} spellcheck="false"
        onInput=${(event) => onSearch(event.target.value)} onKeyDown=${move} aria-describedby="client-hint" />
        ${search && html`<button class="icon-button" aria-label="Clear" onClick=${() => onSearch("")}><${Icon} name="x" /></button>`}</div>
      <label class="check"><input type="checkbox" checked=${onlyFree} onChange=${(event) => setOnlyFree(event.target.checked)} />Not mapped yet</label></header>
    ${clients.problem && html`<${ProblemNote} problem=${clients.problem} onRetry=${clients.reload} />`}
    ${clients.value === null && clients.isLoading && html`<${Loading} words="Reading the clients" />`}
    <div class="client-list" ref=${list} role="listbox" tabindex="0" aria-label="Clients" aria-activedescendant=${found[active] && active >= first && active < last ? `client-${active}` : undefined} onKeyDown=${move}
        onScroll=${(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}>
      <div style=${{ height: `${found.length * ROW}px` }} role="presentation">${found.slice(first, last).map((client, place) => html`<${Client} key=${client.psa_account_id} client=${client} index=${first + place} isActive=${first + place === active}
        holder=${taken.get(client.psa_account_id)} onActive=${setActive} onPick=${onPick} />`)}</div>
    </div>
    <p class="hint" id="client-hint">${target ? html`Drag onto a row, or Enter for <bdi>${shownName(target.vendor_account_name).slice(0, 40)}</bdi>` : "Drag a client onto a row"}</p>
  </aside>`;
}

function Client({ client, index, isActive, holder, onActive, onPick }) {
  const drag = (event) => {
    event.dataTransfer.setData("text/x-trueup-client", JSON.stringify(client));
    event.dataTransfer.effectAllowed = "link";
  };
  return html`<div role="option" id=${`client-${index}`} aria-selected=${isActive ? "true" : "false"} class=${`client ${holder ? "is-taken" : ""} ${isActive ? "is-active" : ""}`} draggable="true"
      style=${{ top: `${index * ROW}px`, height: `${ROW}px` }} onDragStart=${drag} onMouseDown=${() => onActive(index)} onDblClick=${() => onPick(client)}>
    <${Icon} name="grip" /><span class="stack"><${Name} of=${client.psa_account_name} /><small>${shownName(client.identifier || client.psa_account_id)}</small></span>
    ${holder && html`<span class="client-mark" title=${`Mapped to ${shownName(holder.vendor_account_name)}`}><${Icon} name="check" /><span class="unseen">mapped</span></span>`}</div>`;
}
