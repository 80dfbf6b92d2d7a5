// The service worker: a script that the browser starts for an event, also when no page is open, and
// stops again. So it keeps nothing in variables, and hands each promise to waitUntil.

// A new version replaces the old one at once, also in pages that are open. That is right while page
// and worker need nothing of each other; otherwise leave both lines out.
addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

// ---- a message: it must always show something --------------------------------------------------

addEventListener("push", (event) => event.waitUntil(receive(event.data)));

function receive(data) {
  const { title, body, tag, url } = read(data);
  return registration.showNotification(title, { body, tag, data: { url } });
}

// Our server sends JSON {title, body, tag, url}. Whatever else arrives is shown as text.
function read(data) {
  const text = data?.text() ?? ""; // data is null for a message without a payload
  const message = parse(text);
  if (typeof message?.title !== "string") {
    return { title: "News", body: text, tag: "", url: here("") };
  }
  const { title, body = "", tag = "", url = "" } = message;
  return { title, body: String(body), tag: String(tag), url: here(String(url)) };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Return the whole URL of a page of ours, and the start page in place of any other site's.
function here(path) {
  try {
    const { href } = new URL(path, registration.scope);
    return href.startsWith(registration.scope) ? href : registration.scope;
  } catch {
    return registration.scope; // no URL at all
  }
}

// ---- a click: come to the page if it is open, otherwise open it --------------------------------

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url ?? here("")));
});

// No fetch before this: the browser allows focus() and openWindow() only just after the click.
async function open(url) {
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((one) => one.url === url);
  return page ? page.focus() : clients.openWindow(url);
}

// ---- the browser has ended or replaced the subscription ----------------------------------------

addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));

// Do not rely on this event: not every browser fires it, and nobody may be logged in when it comes.
// The page does the same at each visit.
async function renew({ newSubscription }) {
  const { user, key } = await (await fetch("me")).json();
  if (!user) return;
  const options = { userVisibleOnly: true, applicationServerKey: key };
  const subscription = newSubscription ?? (await registration.pushManager.subscribe(options));
  if ((await save(subscription)) !== 410) return;
  await subscription.unsubscribe(); // the push service has ended this one: make another
  await save(await registration.pushManager.subscribe(options));
}

// Return the status of the server's answer: it has the subscription, or says 410. Otherwise throw.
async function save(subscription) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(subscription);
  const { ok, status } = await fetch("add-subscription", { method: "POST", headers, body });
  if (ok || status === 410) return status;
  throw new Error(`The server answers with status ${status}.`);
}
