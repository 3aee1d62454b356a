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

export function restoreTheme() {
  document.documentElement.dataset.theme = theme();
}
