// The HTTP API. This is the one file that calls fetch; everything that goes wrong comes out as one Problem.

import { bearer, signInAgain } from "./session.js";

// What went wrong, in the API's own words: what happened, what to do, and the id to ask about.
export class Problem extends Error {
  constructor({ status, code, detail, remedy, request_id: requestId, ...rest }) {
    super(detail);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.remedy = remedy;
    this.requestId = requestId || "";
    this.rest = rest;
  }
}

const FIRST_PAGE = 100;
const UNREACHABLE = {
  status: 0,
  code: "unreachable",
  detail: "Trueup cannot be reached",
  remedy: "Check the connection and try again. Nothing was changed unless the history says so.",
};

export const get = (path, query) => send("GET", path, { query });
export const put = (path, body, query) => send("PUT", path, { body, query });
export const post = (path, body) => send("POST", path, { body });
export const remove = (path, query) => send("DELETE", path, { query });
// A file as it lies on the disk: what its letters mean is found out by the server.
export const putFile = (path, content, query) => send("PUT", path, { query, text: content, type: "application/octet-stream" });
export const postFile = (path, content, query) => send("POST", path, { query, text: content, type: "application/octet-stream" });
export const postCsv = (path, text) => send("POST", path, { text, type: "text/csv" });

// Fetch as the sign-in library wants it; it talks to the identity provider and to nobody else.
export const fetchForSignIn = (url, options) => fetch(url, options);

async function send(method, path, { query, body, text, type } = {}) {
  const reply = await carry(method, path, { query, body, text, type });
  return reply.status === 204 ? null : reply.json();
}

// A whole list, page by page. `onPage` gets what has come so far after each page, so that a screen can begin to draw.
// The first page is short, so that there is something to see at once.
export async function getAll(path, query, { onPage, isCurrent = () => true } = {}) {
  const items = [];
  let first = null;
  let cursor = null;
  do {
    const limit = cursor ? query.limit : Math.min(FIRST_PAGE, query.limit);
    const page = await get(path, { ...query, limit, cursor });
    if (!isCurrent()) return null;
    first = first || page;
    items.push(...page.items);
    cursor = page.next_cursor;
    if (onPage) onPage(items, first, cursor === null);
  } while (cursor);
  return { items, first };
}

// A file the browser keeps. The token goes in a header, so a plain link would not do.
export async function download(path, query, name) {
  const reply = await carry("GET", path, { query });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await reply.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function carry(method, path, { query, body, text, type }) {
  const headers = { accept: "application/json" };
  const token = await bearer();
  if (token) headers.authorization = `Bearer ${token}`;
  // Where a gateway or the browser itself sends a request again, it is not carried out twice.
  if (method !== "GET") headers["idempotency-key"] = crypto.randomUUID();
  if (body !== undefined) headers["content-type"] = "application/json";
  if (text !== undefined) headers["content-type"] = type;
  const options = { method, headers, body: body === undefined ? text : JSON.stringify(body), cache: "no-store" };
  let reply;
  try {
    reply = await fetch(address(path, query), options);
  } catch (lost) {
    throw new Problem(UNREACHABLE);
  }
  if (reply.ok) return reply;
  if (reply.status === 401) await signInAgain(token);
  throw await problemOf(reply);
}

function address(path, query) {
  const pairs = Object.entries(query || {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `${path}?${new URLSearchParams(pairs)}` : path;
}

// API Gateway answers some refusals itself, without our error shape.
async function problemOf(reply) {
  const requestId = reply.headers.get("x-request-id") || reply.headers.get("apigw-requestid") || "";
  try {
    const document = await reply.json();
    if (document && document.code) return new Problem({ request_id: requestId, ...document });
  } catch (notJson) {
    // The status says what there is to say.
  }
  return new Problem({ ...plain(reply.status), status: reply.status, request_id: requestId });
}

function plain(status) {
  if (status === 401) return { code: "signed_out", detail: "this sign-in is not accepted here", remedy: "Sign out and in again; if it lasts, ask who set up the sign-in." };
  if (status === 403) return { code: "not_allowed", detail: "this is not allowed", remedy: "Ask an administrator for the role." };
  if (status === 429) return { code: "too_many", detail: "too many requests at once", remedy: "Wait a moment and try again." };
  return { code: `http_${status}`, detail: `the server answered ${status}`, remedy: "Try again in a moment." };
}
