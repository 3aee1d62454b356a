// Screens and parts that few people open at once: fetched when they are wanted, from the same release as the page.
//
// Their styles come before they are drawn, so that nothing moves afterwards.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { Loading, ProblemNote } from "./parts/problem.js";

const LOST = { detail: "A part of the page could not be fetched", remedy: "Check the connection and try again; nothing was changed." };
const sheets = new Map();

// A style sheet of this release, once; resolves when it counts.
export function styleSheet(path) {
  if (!sheets.has(path)) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`../${path}`, import.meta.url).href;
    sheets.set(path, new Promise((done, failed) => {
      link.onload = done;
      link.onerror = () => { sheets.delete(path); link.remove(); failed(new Error(path)); };
    }));
    document.head.append(link);
  }
  return sheets.get(path);
}

// `load()` imports a module; `pick` names what of it is drawn.
export function later(load, pick) {
  let found = null;
  return function Later(props) {
    const [state, setState] = useState({ part: found, problem: null });
    const fetchPart = () => {
      setState({ part: null, problem: null });
      Promise.all([load(), styleSheet("styles/later.css")]).then(
        ([module]) => { found = module[pick]; setState({ part: found, problem: null }); },
        () => setState({ part: null, problem: LOST }),
      );
    };
    useEffect(() => { if (!found) fetchPart(); }, []);
    if (state.part) return html`<${state.part} ...${props} />`;
    return state.problem ? html`<${ProblemNote} problem=${state.problem} onRetry=${fetchPart} />` : html`<${Loading} />`;
  };
}
