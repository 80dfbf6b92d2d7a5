// The user agent's part: all calls of the browser's push interfaces.
//
// No state is remembered here. Another tab, the browser's settings or the push service may change
// everything at any time, so `look()` asks the browser again each time.

import { sameBytes } from "./base64url.js";

// Right after its start, Chromium needs about 6 seconds to subscribe. If it cannot reach its push
// service, it tries for ever and reports no error.
const SUBSCRIBE_TIMEOUT = 20_000;

const LONGEST_TIMER = 2 ** 31 - 1; // With more milliseconds, a browser's timer ends at once.

let patience = SUBSCRIBE_TIMEOUT; // also in milliseconds

// A slow machine gets more time: the server knows the factor, PUSHLAB_PATIENCE.
export function multiplyPatience(factor) {
  patience = Math.min(SUBSCRIBE_TIMEOUT * factor, LONGEST_TIMER);
}

// Milliseconds: in which a worker that was thrown away may get a successor, in which a new one
// should be active, and between two looks.
const NEXT_WORKER = 1000;
const SOON_ACTIVE = 3000;
const LOOK_AGAIN = 20;

export const WORKER = "sw.js";

// The worker's scope is the folder of this page, and no wider: behind a proxy, the same origin also
// serves JupyterLab.
export const SCOPE = new URL("./", location).href;

export async function look() {
  const here = surroundings();
  const registration = here.missing.length ? null : await ourRegistration();
  // Another tab may just have registered it, or Firefox has ended its worker and starts another.
  if (registration) await until(() => registration.active, SOON_ACTIVE);
  return {
    ...here,
    registration,
    subscription: (await registration?.pushManager.getSubscription()) ?? null,
  };
}

// The facts that need no waiting.
export function surroundings() {
  const missing = missingParts();
  return {
    secure: isSecureContext,
    missing,
    online: navigator.onLine, // true says little: it may be a network without internet
    permission: missing.includes("Notification") ? "unavailable" : Notification.permission,
    foreignFrame: isForeignFrame(),
    homeScreen: navigator.standalone, // only iOS has it
    brave: "brave" in navigator,
  };
}

// In JupyterLab the page may be in a frame too, but in one of the same origin.
function isForeignFrame() {
  try {
    return !top.document;
  } catch {
    return true;
  }
}

// If a page asks for the notifications after one was made and before the system shows it, Chromium
// forgets it: platform_notification_context_impl.cc. So the page asks while the worker shows none,
// and both take this lock.
export async function notificationsShown() {
  const registration = missingParts().length ? null : await ourRegistration();
  if (!registration) return [];
  return navigator.locks.request("notifications", () => registration.getNotifications());
}

export function missingParts() {
  const parts = { serviceWorker: navigator, PushManager: globalThis, Notification: globalThis };
  return Object.keys(parts).filter((name) => !(name in parts[name]));
}

async function ourRegistration() {
  const registration = await navigator.serviceWorker.getRegistration();
  return registration?.scope === SCOPE ? registration : null;
}

export async function register() {
  const registration = await navigator.serviceWorker.register(WORKER, { updateViaCache: "none" });
  await activated(registration);
  return registration;
}

// A browser unregisters only after a running installation, which may never end.
export function unregister(registration) {
  return patiently(registration.unregister());
}

// Wait until a worker is active: subscribe() fails before. `serviceWorker.ready` would wait for
// ever if the installation failed.
async function activated(registration) {
  const before = registration.active;
  let worker = await found(registration, patience);
  for (;;) {
    const state = worker && (await until(() => lasting(registration, worker), patience));
    if (!state) throw tooLate();
    if (state === "activated") return;
    // Firefox may end the worker of a registration that has just been renewed, and start another.
    worker = await found(registration, NEXT_WORKER);
    if (!worker || worker === before) {
      throw new DOMException("The worker was thrown away during installation.", "AbortError");
    }
  }
}

// Right after unregister() a registration may still show the old worker, which has ended.
function newest({ installing, waiting, active }) {
  return [installing, waiting, active].find((worker) => worker && worker.state !== "redundant");
}

// Firefox may return a registration that has no worker yet, and fire `updatefound` before it has
// one. So look again and again; return undefined if there is none after so many milliseconds.
function found(registration, milliseconds) {
  return until(() => newest(registration), milliseconds);
}

// Ask again and again until the answer is truthy, or the time is over. Return the last answer. A
// timer ends the wait: somebody may set the clock, so a comparison of times would not do.
async function until(ask, milliseconds) {
  let answer = ask();
  if (answer) return answer;
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
  }, milliseconds);
  while (!answer && !limit.signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    answer = ask();
  }
  clearTimeout(timer);
  return answer;
}

// Return the state in which a worker stays. No event is waited for: Firefox 153 once left a page
// waiting for the change of a worker while the registration already had an active one.
function lasting(registration, worker) {
  if (["activated", "redundant"].includes(worker.state)) return worker.state;
  return newest(registration) === worker ? undefined : "redundant";
}

// Browsers ask only while they handle a click. Call this first in the click handler: after a single
// `await`, the question may never appear.
export function askPermission() {
  return Notification.requestPermission();
}

// Return whether a person has just clicked; undefined if the browser does not support the question.
export function isClicked() {
  return navigator.userActivation?.isActive;
}

// Return the new subscription, and the one that it replaced because that was for another key.
export async function subscribe(registration, applicationServerKey) {
  const manager = registration.pushManager;
  const options = { userVisibleOnly: true, applicationServerKey };
  try {
    return { subscription: await patiently(manager.subscribe(options)), replaced: null };
  } catch (error) {
    const old = error.name === "InvalidStateError" && (await manager.getSubscription());
    if (!old || belongsTo(old, applicationServerKey)) throw error;
    await old.unsubscribe();
    return { subscription: await patiently(manager.subscribe(options)), replaced: old };
  }
}

// A subscription for another key is of no use: the push service refuses this server's messages.
export function belongsTo(subscription, applicationServerKey) {
  const made = subscription.options?.applicationServerKey;
  return Boolean(made) && sameBytes(made, applicationServerKey);
}

function tooLate() {
  return new DOMException(`No answer after ${patience / 1000} seconds.`, "TimeoutError");
}

function patiently(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(tooLate());
    }, patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
