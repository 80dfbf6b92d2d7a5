// The user agent's part: what this page asks of the browser, and what it sees there.
//
// Nothing is remembered here. Another tab, the browser's settings or the push service may change
// everything behind our back, so `look()` asks the browser again each time.

import { sameBytes } from "./base64url.js";

// Right after its start Chromium needs some 6 seconds; with no way to its push service it tries for
// ever and never says so.
const PATIENCE = 20_000;

export const WORKER = "sw.js";

// The worker's scope is the folder that this page is in, and no wider: behind a proxy the same
// origin also serves JupyterLab, which is none of our business.
const SCOPE = new URL("./", location).href;

export async function look() {
  const here = surroundings();
  const registration = here.missing.length ? null : await ourRegistration();
  return {
    ...here,
    registration,
    subscription: (await registration?.pushManager.getSubscription()) ?? null,
  };
}

// What can be seen without waiting.
export function surroundings() {
  const missing = missingParts();
  return {
    secure: isSecureContext,
    missing,
    permission: missing.includes("Notification") ? "unavailable" : Notification.permission,
    foreignFrame: isForeignFrame(),
    homeScreen: navigator.standalone, // only iOS has it
    brave: "brave" in navigator,
  };
}

// Within JupyterLab the page may be in a frame, too: there it is one of the same origin.
function isForeignFrame() {
  try {
    return !top.document;
  } catch {
    return true;
  }
}

// Chromium forgets a notification that a page asks for after it was made and before the system
// shows it. So this is no part of `look()`, and is asked for some time after the last news.
export async function notificationsShown() {
  const registration = missingParts().length ? null : await ourRegistration();
  return (await registration?.getNotifications()) ?? [];
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

// A browser does this after what is under way, and an installation may have no end.
export function unregister(registration) {
  return patiently(registration.unregister());
}

// subscribe() fails before the worker is active, and `serviceWorker.ready` would wait for ever if
// the installation failed.
async function activated(registration) {
  const worker = newest(registration) ?? (await patiently(found(registration)));
  const active = new Promise((resolve, reject) => {
    function settle() {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") {
        reject(new DOMException("The worker was thrown away during installation.", "AbortError"));
      }
    }
    worker.addEventListener("statechange", settle);
    settle();
  });
  await patiently(active);
}

function newest({ installing, waiting, active }) {
  return installing ?? waiting ?? active;
}

// Firefox may hand over a registration whose worker is still to come.
function found(registration) {
  return new Promise((resolve) => {
    const settle = () => resolve(newest(registration));
    registration.addEventListener("updatefound", settle, { once: true });
  });
}

// Browsers ask only while they handle a click. Call this first in the click handler: a single
// `await` before it, and the question may never appear.
export function askPermission() {
  return Notification.requestPermission();
}

// Tell whether a person has just clicked; undefined where the browser does not say.
export function isClicked() {
  return navigator.userActivation?.isActive;
}

// Return the subscription, and the one that had to go for it if that was made for another key.
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

// A subscription made for another key is of no use: the push service refuses our messages to it.
export function belongsTo(subscription, applicationServerKey) {
  const made = subscription.options?.applicationServerKey;
  return Boolean(made) && sameBytes(made, applicationServerKey);
}

function patiently(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new DOMException(`No answer after ${PATIENCE / 1000} seconds.`, "TimeoutError"));
    }, PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
