// Views a person wants again: a name for what the address bar holds. Kept in this browser.

import { html, useState } from "../../vendor/htm-preact.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { go } from "../router.js";

const KEY = "trueup.views";
const PARTS = ["verdict", "view", "q", "group", "sort"];

const kept = () => JSON.parse(localStorage.getItem(KEY) || "[]");

export function SavedViews({ query }) {
  const [views, setViews] = useState(kept);
  const [isNaming, setNaming] = useState(false);
  const [title, setTitle] = useState("");
  const here = Object.fromEntries(PARTS.filter((part) => query[part]).map((part) => [part, query[part]]));
  const store = (all) => { localStorage.setItem(KEY, JSON.stringify(all)); setViews(all); };
  const save = (event) => {
    event.preventDefault();
    store([...views.filter((one) => one.title !== title.trim()), { title: title.trim(), query: here }]);
    setNaming(false);
  };
  const choose = (event) => {
    const value = event.target.value;
    event.target.value = "";
    if (value === "save") { setTitle(""); setNaming(true); }
    else if (value.startsWith("forget ")) store(views.filter((one) => `forget ${one.title}` !== value));
    else { const view = views.find((one) => `go ${one.title}` === value); if (view) go("reconcile", { period: query.period, ...view.query }); }
  };
  return html`<select aria-label="Saved views" onChange=${choose}><option value="">Views</option>
      ${views.map((one) => html`<option key=${one.title} value=${`go ${one.title}`}>${one.title}</option>`)}<option value="save">Save this view…</option>
      ${views.length > 0 && html`<optgroup label="Forget">${views.map((one) => html`<option key=${one.title} value=${`forget ${one.title}`}>${one.title}</option>`)}</optgroup>`}</select>
    ${isNaming && html`<${Dialog} title="Save this view" onClose=${() => setNaming(false)}><form onSubmit=${save}><label class="field"><span>Name</span><input required maxlength="40" autofocus value=${title} onInput=${(event) => setTitle(event.target.value)} /></label>
      <p class="quiet"><${Icon} name="note" /> The address of this page shows the same view to everybody; the name is kept in this browser.</p><footer><button type="button" onClick=${() => setNaming(false)}>Cancel</button><button class="primary">Save</button></footer></form></${Dialog}>`}`;
}
