// The requests of the page to the application server. Every URL is relative, so that the page also
// works behind a proxy, at /user/alice/proxy/8292/ for example.

import { decode } from "./base64url.js";
import { leave, name, token } from "./who.js";

// The application server's public key: an uncompressed P-256 point (RFC 8292 §3.2).
const PUBLIC_KEY_BYTES = 65;

// How long an action waits for its report, in milliseconds.
const REPORT_TIMEOUT = 5000;

// An error: the server responded with one ({"error": {"id", "message"}}), or did not respond.
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
    throw new ServerError("bad-public-key", "The public key is not a point on the curve P-256.");
  }
  return key;
}

// Check the key here: where the browser does not, the push service refuses it and gets the blame.
async function isOnCurve(key) {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  try {
    await crypto.subtle.importKey("raw", key, curve, true, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

// Fetch a file, and return what a browser checks before it accepts the file as a worker.
export async function lookAt(file) {
  try {
    const { status, redirected, headers } = await fetch(file, { cache: "no-store" });
    const type = headers.get("Content-Type") ?? "";
    return { status, redirected, type, javascript: /^(text|application)\/javascript\b/.test(type) };
  } catch {
    return null; // The server does not respond: the browser's own error has to do.
  }
}

// Return what the server says of itself: whether this is a `room`, where only the instructor may do
// some things, and its `patience`, a factor for waits that guard against a hang.
export async function getHealth() {
  try {
    const response = await fetch("health");
    const { room, patience } = (await response.json()).data;
    return { room: Boolean(room), patience: patience > 0 ? patience : 1 };
  } catch {
    return { room: false, patience: 1 }; // The next request shows that the server is unreachable.
  }
}

// Exchange the code of an instructor's link for the token of a session.
export async function exchange(code) {
  return (await post("instructor", { code })).token;
}

// Return the participants of the room. The server tells only the instructor.
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
    // The server does not have it any more, which is the purpose of this request.
    if (error.id !== "unknown-subscription") throw error;
  }
}

export function notifyMe(endpoint) {
  return post("notify-me", { endpoint });
}

// Send one message to the participant whose subscription has this label, for the instructor.
export function notifyOne(label, body) {
  const notification = { title: "From your instructor", options: { body } };
  return post("notify-one", body ? { label, notification } : { label });
}

// Ask the labs of these participants, or of all who are stuck, to send them a push message.
export function nudge(body, participants) {
  return post("class/nudge", participants ? { body, participants } : { body, stuck: true });
}

export const removeParticipant = (number) => post("class/remove", { number });
export const deleteClass = () => post("class/delete", {});

// Return every attempt of the class as a file: "csv" or "json".
export async function exportClass(form) {
  const response = await request(`class/export?format=${form}`);
  if (!response.ok) throw errorIn(await response.text(), response);
  return response.blob();
}

// Return the status with which the server answers who asks for the board, or 0 if it does not.
export async function classStatus() {
  try {
    return (await request("class")).status;
  } catch {
    return 0;
  }
}

export function notifyAll() {
  return post("notify-all", {});
}

// Report to the server what happened in this page, for the log and the sequence diagram. No action
// may fail because a report does.
export async function report(event, detail) {
  try {
    await request("report", { event, detail }, AbortSignal.timeout(REPORT_TIMEOUT));
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
  if (response.status === 401) leave(); // The lab that gave this token has ended.
  const error = parse(text)?.error;
  return error ? new ServerError(error.id, error.message, response.status) : notOurServer(response);
}

function notOurServer(response) {
  return new ServerError(
    "not-our-server",
    `Something other than the application server answered (status ${response.status}). ` +
      "Behind a JupyterHub this is its login page: sign in again, then reload this page.",
    response.status,
  );
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Not JSON, so not from our server: the callers report that.
  }
}
