// Who is signed in. OIDC code flow with PKCE at the configured issuer; on one machine there is no sign-in.
//
// The token is kept for this tab only. What is sent to the API is the id token: it is made for this application, and it
// names the person and the groups.

import { settings } from "./settings.js";
import { fetchForSignIn } from "./api.js";

const TOKEN = "trueup.token";
const PENDING = "trueup.sign-in";
const EARLY_SECONDS = 60;

let library = null;

// True when the screens may be drawn; false when the browser is on its way to the issuer.
export async function beginSession() {
  if (settings.sign_in === null) return true;
  const query = new URLSearchParams(location.search);
  if (query.has("state") && (query.has("code") || query.has("error"))) return finishSignIn();
  if (keptToken()) return true;
  await goToIssuer();
  return false;
}

export async function bearer() {
  if (settings.sign_in === null) return "";
  const token = keptToken();
  if (!token) await goToIssuer();
  return token;
}

export function signInAgain() {
  if (settings.sign_in === null) return;
  sessionStorage.removeItem(TOKEN);
  goToIssuer();
}

export async function signOut() {
  sessionStorage.removeItem(TOKEN);
  const { server } = await issuer();
  const end = server.end_session_endpoint;
  if (!end) return location.assign("/");
  const address = new URL(end);
  address.searchParams.set("client_id", settings.sign_in.client_id);
  address.searchParams.set("post_logout_redirect_uri", `${location.origin}/`);
  return location.assign(address);
}

function keptToken() {
  const kept = JSON.parse(sessionStorage.getItem(TOKEN) || "null");
  return kept && kept.expires > Date.now() / 1000 + EARLY_SECONDS ? kept.token : "";
}

async function issuer() {
  library = library || (await import("../vendor/oauth4webapi.js"));
  const url = new URL(settings.sign_in.issuer);
  const options = { [library.customFetch]: fetchForSignIn, [library.allowInsecureRequests]: url.hostname === "127.0.0.1" };
  const reply = await library.discoveryRequest(url, options);
  const server = await library.processDiscoveryResponse(url, reply);
  return { server, options, client: { client_id: settings.sign_in.client_id } };
}

async function goToIssuer() {
  const { server } = await issuer();
  const verifier = library.generateRandomCodeVerifier();
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
    code_challenge: await library.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state: pending.state,
    nonce: pending.nonce,
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  location.assign(address);
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
  sessionStorage.setItem(TOKEN, JSON.stringify({ token: result.id_token, expires: claims.exp }));
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", pending.place.startsWith("/") ? pending.place : "/");
  return true;
}
