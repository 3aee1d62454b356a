// Dialogs: the browser's own, so that focus stays inside, Escape closes, and focus goes back to where it was.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { Icon } from "./icon.js";

let number = 0;

export function Dialog({ title, onClose, children, wide = false }) {
  const element = useRef(null);
  const [id] = useState(() => `dialog-${++number}`);
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const closeOutside = (event) => event.target === element.current && onClose();
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-labelledby=${id}
      onCancel=${(event) => { event.preventDefault(); onClose(); }} onMouseDown=${closeOutside}>
    <div class="dialog-body">
      <header><h2 id=${id}>${title}</h2>
        <button class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
      ${children}
    </div>
  </dialog>`;
}

// Asks once more before something that is not taken back by a key.
export function Sure({ title, confirm, onConfirm, onClose, isBusy, problem, children, keep = "Cancel" }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>${children}${problem}
    <footer><button onClick=${onClose} autofocus>${keep}</button><button class="danger" onClick=${onConfirm} disabled=${isBusy}>${confirm}</button></footer></${Dialog}>`;
}

// Asks for a reason in a person's words; the words stay in the history.
export function ReasonDialog({ title, children, after, label = "Reason", confirm, onConfirm, onClose, suggestions = [], isBusy, problem }) {
  const [reason, setReason] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (reason.trim()) onConfirm(reason.trim());
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${submit}>
      ${children}
      <label class="field"><span>${label}</span>
        <textarea rows="2" maxlength="500" required autofocus value=${reason} onInput=${(event) => setReason(event.target.value)}
          onKeyDown=${(event) => event.key === "Enter" && !event.shiftKey && submit(event)}></textarea></label>
      ${suggestions.length > 0 && html`<div class="reason-choices">${suggestions.map(
        (words) => html`<button type="button" class="chip" onClick=${() => setReason(words)}>${words}</button>`)}</div>`}
      ${after}${problem}
      <footer><button type="button" onClick=${onClose}>Cancel</button>
        <button class="primary" disabled=${isBusy || !reason.trim()}>${confirm}</button></footer>
    </form>
  </${Dialog}>`;
}

// Find one thing in a list by typing: arrows move, Enter takes it.
export function Picker({ title, hint, placeholder, initial = "", find, itemKey, renderItem, onPick, onClose, emptyWords }) {
  const [text, setText] = useState(initial);
  // What was found, and for which text: Enter takes nothing that was found for another text than the one that stands there.
  const [state, setState] = useState({ items: [], problem: null, foundFor: null });
  const isLooking = state.foundFor !== text;
  const [active, setActive] = useState(0);
  const list = useRef(null);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(async () => {
      try {
        const items = await find(text);
        if (isCurrent) setState({ items, problem: null, foundFor: text });
      } catch (problem) {
        if (isCurrent) setState({ items: [], problem, foundFor: text });
      }
      if (isCurrent) setActive(0);
    }, 120);
    return () => { isCurrent = false; clearTimeout(timer); };
  }, [text]);
  useEffect(() => { list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }); }, [active]);
  const onKeyDown = (event) => {
    const last = state.items.length - 1;
    if (event.key === "ArrowDown") setActive(Math.min(last, active + 1));
    else if (event.key === "ArrowUp") setActive(Math.max(0, active - 1));
    else if (event.key === "Enter" && !isLooking && state.items[active]) onPick(state.items[active]);
    else return;
    event.preventDefault();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${hint && html`<p class="quiet">${hint}</p>`}
    <div class="search-field"><${Icon} name="search" />
      <input type="search" autofocus placeholder=${placeholder} aria-label=${placeholder} value=${text} role="combobox"
        aria-expanded="true" aria-controls="picker-list" aria-autocomplete="list"
        aria-activedescendant=${state.items[active] ? `picker-${active}` : undefined}
        onInput=${(event) => setText(event.target.value)} onKeyDown=${onKeyDown} /></div>
    <ul class="picker-list" role="listbox" id="picker-list" aria-label=${title} aria-busy=${isLooking ? "true" : "false"} ref=${list}>
      ${state.items.map((item, index) => html`<li id=${`picker-${index}`} role="option" key=${itemKey(item)}
        aria-selected=${index === active ? "true" : "false"} onMouseMove=${() => setActive(index)} onClick=${() => onPick(item)}>${renderItem(item)}</li>`)}
    </ul>
    ${!state.items.length && html`<p class="quiet picker-none" role="status">${isLooking ? "Looking…" : state.problem ? `${state.problem.detail}. ${state.problem.remedy}` : emptyWords(text)}</p>`}
  </${Dialog}>`;
}
