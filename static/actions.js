// What the buttons do: one function each. An action returns a sentence about its result, and throws
// an error if it fails.

import { at, StepFault } from "./explain.js";
import * as push from "./push.js";
import * as server from "./server.js";

// The notification may be shown before this is read, so it does not say that it is still to come.
const ACCEPTED =
  "The push service accepted the message: 201 Created. It delivers the message as soon as this " +
  "browser is connected.";

// What the browser does not know: the server's key, and the endpoint that the server has stored.
// "gone" stands for an endpoint that the push service no longer knows.
// `room` is true where only the instructor may do some things.
export const known = { serverKey: null, stored: null, room: false };

// On this channel the other tabs hear which endpoint the server has stored for one tab or for the
// worker. Its name is the worker's scope, because on a hub one origin serves many labs. It is null
// where a browser has no channels, or blocks site data: each tab then knows its own actions only.
const tabs = openChannel(push.SCOPE);

const NO_WORKER =
  "This page has no service worker any more: another tab, or the browser's settings, removed it. " +
  "Register it again.";
const NO_SUBSCRIPTION =
  "This browser is not subscribed any more: another tab, or the browser's settings, ended the " +
  "subscription. Subscribe again.";

export function actionOf(button) {
  switch (button) {
    case "register":
      return register;
    case "unregister":
      return unregister;
    case "subscribe":
      return subscribe;
    case "unsubscribe":
      return unsubscribe;
    case "notify-me":
      return notifyMe;
    case "notify-all":
      return notifyAll;
    default:
      throw new Error(`No action belongs to a button called ${button}`);
  }
}

async function register() {
  await at("worker", push.register(), lookAtScript);
  await server.report("registered");
  return "The service worker was registered.";
}

// A browser's error says little about a script that it refuses, so the page fetches the script too.
async function lookAtScript() {
  return { script: await server.lookAt(push.WORKER) };
}

async function unregister() {
  const { registration, subscription } = await push.look();
  still(registration, NO_WORKER);
  await subscription?.unsubscribe();
  await at("worker", push.unregister(registration));
  noteStored(null);
  await server.report("unregistered");
  if (subscription) await server.removeSubscription(subscription.endpoint);
  return subscription
    ? "The service worker was unregistered, and its subscription ended with it."
    : "The service worker was unregistered.";
}

// The order matters: ask for the permission first, while the browser still handles the click.
async function subscribe() {
  const gesture = push.isClicked();
  const permission = await at("permission", push.askPermission());
  await server.report("permission", permission);
  if (permission !== "granted") {
    throw new StepFault("permission", new DOMException("", permission), { gesture });
  }
  known.serverKey = await at("subscription", server.getPublicKey());
  const { registration, subscription: old } = await push.look();
  still(registration, NO_WORKER);
  if (old && known.stored === "gone") await end(old);
  const { subscription, replaced } = await at(
    "subscription",
    push.subscribe(registration, known.serverKey),
  );
  await server.report("subscribed");
  await store(subscription);
  if (!replaced) return "Subscribed, and the application server has stored the subscription.";
  await server.removeSubscription(replaced.endpoint);
  return "Subscribed again: the old subscription was made for another application server key.";
}

async function unsubscribe() {
  await end(await subscribed());
  return "Unsubscribed. The endpoint will never work again.";
}

async function notifyMe() {
  const { endpoint } = await subscribed();
  try {
    const { status, message } = await server.notifyMe(endpoint);
    return status === 201 ? ACCEPTED : message;
  } catch (error) {
    if (error.id === "unknown-subscription") known.stored = null;
    if (error.id === "subscription-gone") known.stored = "gone";
    throw error;
  }
}

async function notifyAll() {
  const { accepted, gone, retried, failed } = await server.notifyAll();
  const others = Object.entries({ gone, retried, failed }).filter(([, count]) => count);
  const rest = others.map(([what, count]) => `, ${count} ${what}`).join("");
  return `Notify all: ${accepted} accepted${rest}.`;
}

// Return this browser's subscription. Throw if it, or the service worker, has gone.
async function subscribed() {
  const { registration, subscription } = await push.look();
  still(registration, NO_WORKER);
  return still(subscription, NO_SUBSCRIPTION);
}

// Return `found`, which comes from `push.look()`, or throw if there is none. The page shows what it
// found when it last looked: another tab, or the browser's settings, may have ended it since then.
function still(found, sentence) {
  if (found) return found;
  throw new server.ServerError("ended-meanwhile", sentence);
}

async function store(subscription) {
  await at("server", server.addSubscription(subscription));
  noteStored(subscription.endpoint);
}

async function end(subscription) {
  await subscription.unsubscribe();
  noteStored(null);
  await server.report("unsubscribed");
  await server.removeSubscription(subscription.endpoint);
}

function openChannel(name) {
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}

function noteStored(endpoint) {
  known.stored = endpoint;
  tabs?.postMessage(endpoint);
}

// Call `then` each time another tab, or the worker, has changed what the server has stored.
export function followTabs(then) {
  tabs?.addEventListener("message", ({ data }) => {
    known.stored = data;
    then();
  });
}

// Send the subscription again, because the participant has changed the name.
export async function introduce() {
  const { subscription } = await push.look();
  if (subscription && known.stored === subscription.endpoint) await store(subscription);
}

// On every load: endpoints change, and servers forget, so the subscription is sent again.
export async function greet() {
  if (push.missingParts().length) return "";
  const { subscription } = await push.look();
  if (!subscription) return "";
  known.serverKey = await server.getPublicKey();
  if (!push.belongsTo(subscription, known.serverKey)) {
    const cause = new DOMException("The server now has another key.", "InvalidStateError");
    throw new StepFault("subscription", cause);
  }
  await store(subscription);
  return "";
}
