// Light, dark, or as the system has it. The choice stays in this browser.

const KEY = "trueup.theme";
const THEMES = ["system", "light", "dark"];

export function theme() {
  const kept = localStorage.getItem(KEY);
  return THEMES.includes(kept) ? kept : "system";
}

export function chooseTheme(name) {
  localStorage.setItem(KEY, name);
  restoreTheme();
}

export function nextTheme() {
  return THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
}

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

// The document is told light or dark, never "as the system has it": so there is one palette for each.
export function restoreTheme() {
  const chosen = theme();
  document.documentElement.dataset.theme = chosen === "system" ? (systemIsDark.matches ? "dark" : "light") : chosen;
}

systemIsDark.addEventListener("change", restoreTheme);
