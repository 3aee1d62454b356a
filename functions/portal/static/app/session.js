// Who is signed in. OIDC code flow with PKCE at the configured issuer; on one machine there is no sign-in.
//
// The token is kept for this tab only. What is sent to the API is the id token: it is made for this application, and it
// names the person and the groups.

import { settings } from "./settings.js";
import { fetchForSignIn } from "./api.js";

const TOKEN = "trueup.token";
const PENDING = "trueup.sign-in";
const EARLY_SECONDS = 60;

const FRESH_MILLISECONDS = 30_000;

let library = null;
// On the way to the issuer: at most one sign-in is under way, and none begins once somebody signs out. A page that is on
// its way gets no token and no refusal: whoever asks waits until the page is gone.
let signingIn = null;
let isSigningOut = false;
const untilGone = new Promise(() => {});

// Back from the issuer, the browser may show this page as it was left: waiting for ever. It begins anew instead.
addEventListener("pageshow", (event) => event.persisted && (signingIn !== null || isSigningOut) && location.reload());

// True when the screens may be drawn; false when the browser is on its way to the issuer.
export async function beginSession() {
  if (settings.sign_in === null) return true;
  const query = new URLSearchParams(location.search);
  if (query.has("state") && (query.has("code") || query.has("error"))) return finishSignIn();
  if (keptToken()) return true;
  return goToIssuer();
}

export async function bearer() {
  if (settings.sign_in === null) return "";
  if (isSigningOut) return untilGone;
  return keptToken() || goToIssuer();
}

// The API refused `token`. A new sign-in is begun, unless this one is new itself: then another would end the same way,
// and the person is told instead.
export async function signInAgain(token) {
  if (settings.sign_in === null) return;
  const kept = JSON.parse(sessionStorage.getItem(TOKEN) || "null");
  if (kept !== null && kept.token === token) {
    if (Date.now() - kept.since < FRESH_MILLISECONDS) return;
    sessionStorage.removeItem(TOKEN);
  }
  await bearer();
}

// The token is forgotten first, whatever becomes of the rest; then the issuer is told. Throws when it cannot be.
export async function signOut() {
  if (isSigningOut) return untilGone;
  isSigningOut = true;
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(PENDING);
  const { server } = await issuer();
  const end = server.end_session_endpoint;
  const address = new URL(end || location.origin);
  if (end) {
    address.searchParams.set("client_id", settings.sign_in.client_id);
    address.searchParams.set("post_logout_redirect_uri", `${location.origin}/`);
  }
  location.assign(address);
  return untilGone;
}

function keptToken() {
  const kept = JSON.parse(sessionStorage.getItem(TOKEN) || "null");
  return kept && kept.expires > Date.now() / 1000 + EARLY_SECONDS ? kept.token : "";
}

async function issuer() {
  library = library || (await import("../vendor/oauth4webapi.js"));
  const url = new URL(settings.sign_in.issuer);
  const options = { [library.customFetch]: fetchForSignIn, [library.allowInsecureRequests]: url.hostname === "127.0.0.1" };
  const reply = await library.discoveryRequest(url, options).catch(() => {
    throw new Error("The sign-in service cannot be reached");
  });
  const server = await library.processDiscoveryResponse(url, reply);
  return { server, options, client: { client_id: settings.sign_in.client_id } };
}

// One sign-in for all who ask at once: a second would overwrite what the first has put down to check the answer by.
function goToIssuer() {
  if (isSigningOut) return untilGone;
  signingIn = signingIn || leaveForIssuer().catch((trouble) => { signingIn = null; throw trouble; });
  return signingIn;
}

async function leaveForIssuer() {
  const { server } = await issuer();
  const verifier = library.generateRandomCodeVerifier();
  const challenge = await library.calculatePKCECodeChallenge(verifier);
  // Between the first line and this one somebody may have signed out. From here on nothing is waited for.
  if (isSigningOut) return untilGone;
  const pending = {
    verifier,
    state: library.generateRandomState(),
    nonce: library.generateRandomNonce(),
    place: location.pathname + location.search,
  };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const address = new URL(server.authorization_endpoint);
  const parameters = {
    client_id: settings.sign_in.client_id,
    redirect_uri: `${location.origin}/`,
    response_type: "code",
    scope: "openid profile email",
    code_challenge: challenge,
    code_challenge_method: "S256",
    state: pending.state,
    nonce: pending.nonce,
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  location.assign(address);
  return untilGone;
}

async function finishSignIn() {
  const pending = JSON.parse(sessionStorage.getItem(PENDING) || "null");
  if (pending === null) throw new Error("this sign-in was not begun in this tab");
  const { server, options, client } = await issuer();
  const answer = library.validateAuthResponse(server, client, new URL(location.href), pending.state);
  const reply = await library.authorizationCodeGrantRequest(
    server, client, library.None(), answer, `${location.origin}/`, pending.verifier, options,
  );
  const expected = { expectedNonce: pending.nonce, requireIdToken: true };
  const result = await library.processAuthorizationCodeResponse(server, client, reply, expected);
  const claims = library.getValidatedIdTokenClaims(result);
  sessionStorage.setItem(TOKEN, JSON.stringify({ token: result.id_token, expires: claims.exp, since: Date.now() }));
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", pending.place.startsWith("/") ? pending.place : "/");
  return true;
}
