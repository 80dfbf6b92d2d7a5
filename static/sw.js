// The service worker: the part of the page that can run while no page is open. When a push message
// arrives, the browser decrypts it and starts the worker with the plaintext.
//
// Two rules. Every handler passes its promise to `waitUntil`; otherwise the browser may stop the
// worker before the handler has finished. And every push shows a notification, as `userVisibleOnly`
// has promised: for a silent push Chrome shows one of its own. Firefox ends the subscription after
// 15 silent pushes, Safari after 3.

const DEFAULT_TITLE = "Push message";
const DEFAULT_OPTIONS = { icon: "icon.png" };
// In milliseconds: for the application server, and for a page that asks which notifications are
// shown. A browser ends a worker that takes half a minute.
const REQUEST_TIMEOUT = 10_000;
const LOCK_TIMEOUT = 1000;

// ---- push -------------------------------------------------------------------------------------

async function receive(data) {
  const message = read(data);
  const shown = show(message); // first: nothing that follows can stop it
  const received = tellReceived(message.kind, data);
  const refused = await shown;
  await tellPages("shown", message.kind === "broken" ? "SyntaxError" : refused);
  await received;
  await report("shown");
}

// Report which message arrived at which endpoint, so that the server knows which user agents it has
// reached, and how soon. A digest identifies the message and does not reveal its content.
async function tellReceived(payload, data) {
  try {
    const subscription = await registration.pushManager.getSubscription();
    const hash = await crypto.subtle.digest("SHA-256", data?.arrayBuffer() ?? new ArrayBuffer());
    const bytes = Array.from(new Uint8Array(hash, 0, 8));
    const digest = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    await report("push received", { payload, endpoint: subscription?.endpoint, digest });
  } catch (error) {
    console.warn("The worker cannot say what it received", error);
  }
}

// Return {kind, title, options} for any payload: JSON {"title", "options"}, the same as a
// declarative push message, text, or nothing. A "body" beside the title, as tutorials send it, is
// shown too. JSON that does not parse is treated as text, because an exception here would make a
// push that shows nothing.
function read(data) {
  if (!data) {
    return { kind: "none", title: DEFAULT_TITLE, options: { body: "It came without a payload." } };
  }
  const text = data.text();
  const value = parse(text);
  if (typeof value?.title === "string") {
    const beside = typeof value.body === "string" ? { body: value.body } : undefined;
    return { kind: "json", title: value.title, options: { ...beside, ...value.options } };
  }
  if (value?.web_push === 8030 && typeof value.notification?.title === "string") {
    const { title, ...options } = value.notification;
    return { kind: "declarative", title, options };
  }
  const broken = value === undefined && text.startsWith("{");
  return { kind: broken ? "broken" : "text", title: DEFAULT_TITLE, options: { body: text } };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // plain text, which is valid too
  }
}

// Return the name of the error if the browser refused the options, and otherwise undefined.
async function show({ title, options }) {
  try {
    await display(title, { ...DEFAULT_OPTIONS, ...options });
    return undefined;
  } catch (error) {
    // This browser refuses the sender's options, but the text must be shown all the same.
    await display(title, { ...DEFAULT_OPTIONS, body: options?.body ?? "" });
    await report("error", { action: "show", error: error.name });
    return error.name;
  }
}

// Show a notification while no page asks for the list of them: between the two moments in which
// Chromium stores a notification and shows it, the question makes it forget the notification (see
// `notificationsShown` in push.js). A push must be shown in any case, so the worker waits a second
// at most. Notifications may be shown side by side, so the lock is a shared one.
async function display(title, options) {
  let begun = false;
  const begin = () => {
    begun = true;
    return registration.showNotification(title, options);
  };
  try {
    const signal = AbortSignal.timeout(LOCK_TIMEOUT);
    await navigator.locks.request("notifications", { mode: "shared", signal }, begin);
  } catch (error) {
    if (begun) throw error;
    await begin();
  }
}

// ---- what a person does with the notification -------------------------------------------------

// Focus a page that is open, or open one. Browsers allow this only right after the click, so it
// comes before the report.
async function comeForward() {
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((client) => client.url.startsWith(registration.scope));
  await (page ? page.focus() : clients.openWindow(registration.scope));
  await noted("clicked");
}

async function noted(event) {
  await tellPages(event);
  await report(event);
}

// ---- when the push service replaces or drops the subscription ---------------------------------

async function subscribeAgain({ oldSubscription, newSubscription }) {
  const key = (await serverKey()) ?? oldSubscription?.options?.applicationServerKey;
  const subscription = await subscribeWith(key, newSubscription);
  await post("add-subscription", subscription);
  tellStored(subscription.endpoint);
  await noted("subscribed");
  if (oldSubscription) await removeSubscription(oldSubscription.endpoint);
}

// Nothing depends on this. The server may have forgotten the old endpoint; otherwise the push
// service answers the next message to it with 404 or 410.
async function removeSubscription(endpoint) {
  try {
    await post("remove-subscription", { endpoint });
  } catch (error) {
    console.warn("The server did not remove the old subscription", error);
  }
}

// Return the key that the server signs with today, or undefined if it does not answer. The old
// subscription's key may be an earlier one: a push service would refuse every message to a
// subscription that is made with it.
async function serverKey() {
  try {
    const response = await request("vapid");
    return (await response.text()).trim();
  } catch {
    return undefined;
  }
}

// Keep the subscription that the browser has made by itself, if it is for this key. Otherwise end
// it first: with another key, `subscribe()` would be an InvalidStateError.
async function subscribeWith(key, made) {
  const kept = made ?? (await registration.pushManager.getSubscription());
  if (kept && (!key || encoded(kept.options?.applicationServerKey) === encoded(key))) return kept;
  await kept?.unsubscribe();
  return registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

// Write a key as the server does: base64url. Browsers hold its 65 bytes in an ArrayBuffer.
function encoded(key) {
  if (!key || typeof key === "string") return key;
  const base64 = btoa(String.fromCharCode(...new Uint8Array(key)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// ---- telling others ---------------------------------------------------------------------------

async function tellPages(event, fault) {
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages) page.postMessage({ event, fault });
}

// Tell the pages of this scope which endpoint the server has stored now (see `tabs` in actions.js).
function tellStored(endpoint) {
  const tabs = new BroadcastChannel(registration.scope);
  tabs.postMessage(endpoint);
  tabs.close();
}

// Report to the application server what happened here, for its log. No push may fail because the
// server does not take it.
async function report(event, detail) {
  try {
    await post("report", { event, detail });
  } catch (error) {
    console.warn("The server did not take the report", event, error);
  }
}

function post(route, value) {
  const headers = { "Content-Type": "application/json" };
  return request(route, { method: "POST", headers, body: JSON.stringify(value) });
}

// Throw unless the application server answers, and agrees. It may be down, or a login page may
// answer in its place, at once or at another URL. None of our answers is HTML.
async function request(route, options) {
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT);
  const response = await fetch(route, { ...options, redirect: "error", signal });
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  if (response.ok && !isPage) return response;
  const what = `status ${response.status}${isPage ? ", a page" : ""}`;
  throw new Error(`${route} was answered with ${what}`);
}

// ---- event listeners --------------------------------------------------------------------------

// A changed worker takes over at once instead of waiting until every page is closed.
addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("push", (event) => event.waitUntil(receive(event.data)));
addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(comeForward());
});
addEventListener("notificationclose", (event) => event.waitUntil(noted("closed")));
addEventListener("pushsubscriptionchange", (event) => event.waitUntil(subscribeAgain(event)));
