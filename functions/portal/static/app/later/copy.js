// A button that puts a value where it can be pasted, and says whether the browser let it.

import { html, useState } from "../../vendor/htm-preact.js";
import { Icon } from "../parts/icon.js";

export function Copy({ value, label, words = "" }) {
  const [state, setState] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setState("Copied");
    } catch (refused) {
      setState("Not copied: select it by hand");
    }
  };
  return html`<button type="button" class=${words ? "" : "chip copy"} aria-label=${words ? undefined : `Copy ${label}`} onClick=${copy}><${Icon} name=${state === "Copied" ? "check" : "note"} />${words || "Copy"}</button><span class="quiet copied" role="status">${state}</span>`;
}
