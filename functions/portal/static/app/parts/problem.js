// What went wrong, what to do about it, and the id to ask about. Every error on every screen looks like this.

import { html } from "../../vendor/htm-preact.js";
import { Icon } from "./icon.js";

const sentence = (text) => {
  const words = String(text || "").trim();
  const begun = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
};

export function ProblemNote({ problem, onRetry, onDismiss }) {
  if (!problem) return null;
  return html`<div class="problem" role="alert">
    <${Icon} name="alert" />
    <div class="problem-words">
      <strong>${sentence(problem.detail || problem.message)}</strong>
      ${problem.remedy && html`<span>${sentence(problem.remedy)}</span>`}
      ${problem.requestId && html`<span class="quiet">Request <code>${problem.requestId}</code></span>`}
    </div>
    ${onRetry && html`<button onClick=${onRetry}>Try again</button>`}
    ${onDismiss && html`<button class="icon-button" aria-label="Dismiss" onClick=${onDismiss}><${Icon} name="x" /></button>`}
  </div>`;
}

export function SignInTrouble({ trouble }) {
  return html`<main class="alone">
    <h1>Signing in did not work</h1>
    <${ProblemNote} problem=${{ detail: trouble.message, remedy: "Open Trueup again; if it lasts, ask who set up the sign-in." }} />
    <p><a class="button primary" href="/">Sign in again</a></p>
  </main>`;
}

// Signed out in this tab, while the identity provider could not be told.
export function SignedOutHere({ trouble }) {
  return html`<main class="alone">
    <h1>Signed out, but only here</h1>
    <${ProblemNote} problem=${{ detail: trouble.message, remedy: "Trueup has forgotten who you were, but your identity provider may still know you in this browser. Sign out there too, or close the browser." }} />
    <p><a class="button primary" href="/">Sign in again</a></p>
  </main>`;
}

// An empty list is never just empty: it says why, and what to do next.
export function Empty({ icon = "check", title, children }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2><div>${children}</div></div>`;
}

export function Loading({ words = "Loading" }) {
  return html`<div class="loading" role="status"><span class="spinner" aria-hidden="true"></span> ${words}…</div>`;
}
