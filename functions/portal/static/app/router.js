// The address bar: which screen, and everything a screen would want to be found at again.

import { createStore, useStore } from "./store.js";

const route = createStore(read());

function read() {
  const page = location.pathname.replace(/^\/+|\/+$/g, "") || "";
  return { page, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

// The address was changed by other means than these functions: by Back, or by coming back from signing in.
export const readAgain = () => route.set(read());

addEventListener("popstate", readAgain);

export const useRoute = () => useStore(route);

export function href(page, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `/${page}?${new URLSearchParams(pairs)}` : `/${page}`;
}

// Go to another screen: a new entry in the browser's history.
export function go(page, query = {}) {
  history.pushState(null, "", href(page, query));
  route.set(read());
}

// Change what this screen shows; `replace` while somebody types, so that Back does not go letter by letter.
export function show(changes, { replace = true } = {}) {
  const { page, query } = route.get();
  const next = href(page, { ...query, ...changes });
  if (next === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", next);
  route.set(read());
}

// A link that stays in this page; with a modifier key it does what links do.
export function follow(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const address = new URL(event.currentTarget.href);
  event.preventDefault();
  go(address.pathname.slice(1), Object.fromEntries(address.searchParams));
}
