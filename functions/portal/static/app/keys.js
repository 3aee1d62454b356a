// Every key the screens listen to, in one place, so that `?` can list what works where one stands.

import { useLayoutEffect, useRef } from "../vendor/htm-preact.js";
import { createStore } from "./store.js";

// Groups of keys, the newest last: [{title, keys: [{key, label, run}]}].
const groups = createStore([]);
export const activeGroups = groups.get;

let waitingForSecond = 0;
const SECOND_KEY_MILLISECONDS = 1200;

// `keys` is a list of {key: "x" or "g r", label, run(event)}; a key without `run` is only listed.
export function useKeys(title, keys) {
  const kept = useRef(null);
  kept.current = keys;
  // Before the browser paints: whoever sees the screen can use its keys.
  useLayoutEffect(() => {
    const group = { title, keys: () => kept.current.filter(Boolean) };
    groups.set((all) => [...all, group]);
    return () => groups.set((all) => all.filter((other) => other !== group));
  }, [title]);
}

const isTyping = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

function find(wanted) {
  for (const group of [...groups.get()].reverse()) {
    for (const entry of group.keys()) if (entry.run && entry.key === wanted) return entry;
  }
  return null;
}

addEventListener("keydown", (event) => {
  if (event.repeat && event.key === "Enter") return;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isSecond = Date.now() - waitingForSecond < SECOND_KEY_MILLISECONDS;
  waitingForSecond = 0;
  const entry = (isSecond && find(`g ${pressed}`)) || find(pressed);
  if (entry) {
    event.preventDefault();
    entry.run(event);
  } else if (pressed === "g") {
    waitingForSecond = Date.now();
  }
});
