// What the page says to the application server. Every URL is relative, so that the page works just
// as well behind a proxy, at /user/alice/proxy/8292/ for example.

import { decode } from "./base64url.js";
import { name, token } from "./who.js";

// The application server's public key: an uncompressed P-256 point (RFC 8292 §3.2).
const PUBLIC_KEY_BYTES = 65;

// How long a report may keep an action waiting, in milliseconds.
const PATIENCE = 5000;

// The server answered with an error of its own ({"error": {"id", "message"}}), or not at all.
export class ServerError extends Error {
  constructor(id, message, status = 0) {
    super(message);
    this.name = "ServerError";
    this.id = id;
    this.status = status;
  }
}

export async function getPublicKey() {
  const response = await request("vapid");
  const text = (await response.text()).trim();
  if (!response.ok) {
    throw errorIn(text, response);
  }
  if (response.redirected || !response.headers.get("Content-Type")?.startsWith("text/plain")) {
    throw notOurServer(response);
  }
  const key = decode(text);
  if (key.length !== PUBLIC_KEY_BYTES) {
    throw new ServerError("bad-public-key", `The public key has ${key.length} bytes, not 65.`);
  }
  if (!(await isOnCurve(key))) {
    throw new ServerError("bad-public-key", "The public key is no point on the curve P-256.");
  }
  return key;
}

// Browsers that do not look for themselves blame the push service, which does.
async function isOnCurve(key) {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  try {
    await crypto.subtle.importKey("raw", key, curve, true, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

// Look at a file as a browser does before it takes it for a worker.
export async function lookAt(file) {
  try {
    const { status, redirected, headers } = await fetch(file, { cache: "no-store" });
    const type = headers.get("Content-Type") ?? "";
    return { status, redirected, type, javascript: /^(text|application)\/javascript\b/.test(type) };
  } catch {
    return null; // The server is away: then what the browser said has to do.
  }
}

// Ask whether this is a room, where some things are the instructor's alone.
export async function isRoom() {
  try {
    const response = await fetch("health");
    return Boolean((await response.json()).data.room);
  } catch {
    return false; // Whatever is away or in between: the first thing that is asked of it will tell.
  }
}

// Ask who is in the room. Only the instructor is told.
export async function getParticipants() {
  const response = await request("subscriptions");
  const text = await response.text();
  if (!response.ok) throw errorIn(text, response);
  return parse(text)?.data?.participants ?? [];
}

export function addSubscription(subscription) {
  const named = name() ? { name: name() } : {};
  return post("add-subscription", { ...subscription.toJSON(), ...named });
}

export async function removeSubscription(endpoint) {
  try {
    await post("remove-subscription", { endpoint });
  } catch (error) {
    // The server has already forgotten it, and that is all we wanted.
    if (error.id !== "unknown-subscription") throw error;
  }
}

export function notifyMe(endpoint) {
  return post("notify-me", { endpoint });
}

export function notifyAll() {
  return post("notify-all", {});
}

// Tell the server what happened in here, for the log and the sequence diagram. The story is worth
// telling, but no action may fail because nobody listens.
export async function report(event, detail) {
  try {
    await request("report", { event, detail }, AbortSignal.timeout(PATIENCE));
  } catch (error) {
    console.warn("The server did not take the report", event, error);
  }
}

async function post(route, value) {
  const response = await request(route, value);
  const text = await response.text();
  if (!response.ok) {
    throw errorIn(text, response);
  }
  const answer = parse(text);
  if (!answer?.data?.success) {
    throw notOurServer(response);
  }
  return answer.data;
}

async function request(route, value, signal) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const options = value && {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(value),
    signal,
  };
  try {
    return await fetch(route, options ?? { headers });
  } catch {
    throw new ServerError(
      "unreachable",
      "The application server does not answer. Is the lab still running? " +
        "Start it again, and then reload this page.",
    );
  }
}

function errorIn(text, response) {
  const error = parse(text)?.error;
  return error ? new ServerError(error.id, error.message, response.status) : notOurServer(response);
}

function notOurServer(response) {
  return new ServerError(
    "not-our-server",
    `Something else than the application server answered (status ${response.status}). ` +
      "Behind a JupyterHub that is its login page: sign in again, then reload this page.",
    response.status,
  );
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Not JSON, so not from our server: the callers say so.
  }
}
