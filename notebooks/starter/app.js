// The page: it asks for permission, makes the subscription, and tells the server at each visit.

const $ = (id) => document.getElementById(id);
const isSupported =
  "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
let me; // {user, key}: who is logged in, and the server's public VAPID key in base64url

async function post(route, value = {}) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(route, { method: "POST", headers, body: JSON.stringify(value) });
  if (response.ok) return;
  const { status } = response;
  const { error } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(error ?? `The server answers with status ${status}.`), { status });
}

// Return this page's registration, or undefined if there is none. `navigator.serviceWorker.ready`
// would wait for ever then.
async function getRegistration() {
  return isSupported ? navigator.serviceWorker.getRegistration() : undefined;
}

async function getSubscription() {
  return (await getRegistration())?.pushManager.getSubscription();
}

// Return a subscription for the server's key. pushManager.subscribe() returns the one that exists if
// it was made for the same key, and fails if it was made for another: so that one is ended first.
async function subscribe() {
  const { pushManager } = await navigator.serviceWorker.ready; // subscribe() needs an active worker
  const old = await pushManager.getSubscription();
  if (old && base64url(old.options.applicationServerKey) !== me.key) await old.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: me.key });
}

// Tell the server of the subscription. It answers 410 if the push service has ended this one. The
// browser may know nothing of that: then make another.
async function save() {
  const subscription = await subscribe();
  try {
    await post("add-subscription", subscription);
  } catch (error) {
    if (error.status !== 410) throw error;
    await subscription.unsubscribe();
    await post("add-subscription", await subscribe());
  }
}

function base64url(buffer) {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// Ask for the permission before any other `await`: Firefox and Safari show the question only while
// they handle the click.
async function turnOn() {
  const permission = await Notification.requestPermission();
  if (permission !== "granted") throw new Error("This browser does not allow notifications here.");
  // Another tab may have logged out, or logged in as somebody else.
  me = await (await fetch("me")).json();
  if (!me.user) throw new Error("You are logged out. Log in again, then turn it on.");
  await save();
  localStorage.subscriber = me.user;
}

// Tell the server first: then nothing is sent any more, even if unsubscribe() fails.
async function turnOff() {
  const subscription = await getSubscription();
  if (!subscription) return;
  await post("remove-subscription", { endpoint: subscription.endpoint });
  await subscription.unsubscribe();
}

// The next person at this machine must see nothing that was for this one, now or later.
async function logOut() {
  await post("logout"); // the server forgets what belongs to this session
  const registration = await getRegistration();
  try {
    await (await getSubscription())?.unsubscribe();
  } finally {
    // Only now: a message may have been on its way until here.
    for (const shown of (await registration?.getNotifications()) ?? []) shown.close();
  }
  await begin();
}

async function logIn() {
  await post("login", { name: $("name").value, password: $("password").value });
  await begin();
}

// At each visit the subscription is sent again: the server may have lost it, the browser may have
// replaced it, and the key may have changed. What another person has left behind is ended.
async function begin() {
  if (isSupported) await navigator.serviceWorker.register("sw.js");
  me = await (await fetch("me")).json();
  const subscription = await getSubscription();
  if (!subscription || !me.user) return;
  if (localStorage.subscriber === me.user) await save();
  else await subscription.unsubscribe();
}

async function run(action, done) {
  $("status").textContent = "…";
  let result = isSupported ? done : "This browser has no web push for this page.";
  try {
    await action();
  } catch (error) {
    result = error.message;
  }
  const isOn = Boolean(await getSubscription());
  $("login").hidden = Boolean(me?.user);
  $("account").hidden = !me?.user;
  $("greeting").textContent = `Hello, ${me?.user}`;
  $("on").hidden = isOn || !isSupported;
  $("off").hidden = $("test").hidden = !isOn;
  $("status").textContent = result;
}

$("on").addEventListener("click", () => run(turnOn, "Notifications are on."));
$("off").addEventListener("click", () => run(turnOff, "Notifications are off."));
$("test").addEventListener("click", () => run(() => post("notify-me"), "It is on its way."));
$("logout").addEventListener("click", () => run(logOut, "You are logged out."));
$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  run(logIn, "You are logged in.");
});
run(begin, "Ready.");
