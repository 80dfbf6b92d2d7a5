// What the page shows, painted from the facts, each time completely. Text is set as text and never
// as markup, because behind a proxy this page shares its origin with JupyterLab.

import { guest } from "./guest.js";
import { steps } from "./steps.js";

export const $ = (id) => document.getElementById(id);
export const BUTTONS = [...document.querySelectorAll(".buttons button")];

export function say(sentence, kind) {
  write("outcome", sentence);
  $("outcome").dataset.kind = sentence ? kind : "";
  mark($("outcome"), null);
}

export function sayFault(fault, kind) {
  spell($("outcome"), fault);
  $("outcome").dataset.kind = kind;
}

// Show what happened, and what to do about it on a separate line. If there are several ways, each
// has a line.
function spell(element, fault) {
  const ways = [fault.todo].flat().map((todo, index, all) => {
    const way = document.createElement("span");
    way.className = all.length > 1 ? "todo way" : "todo";
    way.textContent = index < all.length - 1 ? `${todo} ` : todo;
    return way;
  });
  element.replaceChildren(`${fault.what} `, ...ways);
  mark(element, fault);
}

// Mark the element with the fault's id and its case in the error clinic (lessons 08 and 08b), for
// tests and for style.css.
function mark(element, fault) {
  for (const [name, value] of [["fault", fault?.id], ["clinic", fault?.clinic]]) {
    if (value) element.dataset[name] = value;
    else delete element.dataset[name];
  }
}

// Do not write a text that has not changed, because a screen reader would read it out again.
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

export function paint(facts) {
  const { registration, subscription } = facts;
  const why = facts.supported ? "" : ", and none can be: see the steps";
  write(
    "registration",
    registration
      ? `Service worker registered. Scope: ${registration.scope}`
      : `No service worker is registered${why}.`,
  );
  write(
    "subscription",
    subscription
      ? `Service worker subscribed to push. Endpoint: ${shortened(subscription.endpoint)}`
      : "Not subscribed to push.",
  );
  write("permission", facts.permission);
  write("whole-subscription", subscription ? JSON.stringify(subscription, null, 2) : "");
  $("whole").hidden = !subscription;
  $("guest").hidden = !facts.room || facts.instructor;
  write("guest", $("guest").hidden ? "" : guest(facts));
  for (const step of steps(facts)) paintStep(step);
  document.body.dataset.state = stateOf(facts);
  document.body.dataset.leads = Boolean(facts.instructor);
}

// The browser does not answer, so nothing is known of it: what was painted may not hold any more.
export function paintUnknown() {
  write("registration", "This browser does not say whether a service worker is registered.");
  write("subscription", "");
  paintNotifications(null);
  document.body.dataset.state = "unsupported";
  stopHolding();
}

function stateOf({ supported, permission, registration, subscription }) {
  if (!supported) return "unsupported";
  if (permission === "denied") return "denied";
  if (subscription) return "subscribed";
  return registration?.active ? "registered" : "unregistered";
}

// Show enough of an endpoint to distinguish it, and too little to send to it.
function shortened(endpoint) {
  const { origin, pathname } = new URL(endpoint);
  return `${origin}${pathname.slice(0, 12)}…${endpoint.slice(-6)}`;
}

function paintStep({ id, state, text, fault }) {
  const item = $(`step-${id}`);
  item.dataset.state = state;
  item.querySelector(".state").textContent = state === "waiting" ? "" : state;
  const advice = item.querySelector(".advice");
  if (fault) spell(advice, fault);
  else advice.textContent = text;
  for (const element of [item, advice]) mark(element, fault);
}

// Show the notifications, or with null that nothing is known of them.
export function paintNotifications(notifications) {
  $("notifications").toggleAttribute("data-unknown", !notifications);
  $("notifications").replaceChildren(
    ...(notifications ?? []).map(({ title, body }) => {
      const item = document.createElement("li");
      const strong = document.createElement("strong");
      strong.textContent = title;
      item.append(strong, ` ${body}`);
      return item;
    }),
  );
}

// In a room, a participant has a name, and only the instructor may do some things.
export function paintRoom(isRoom, isInstructor, name) {
  $("who").hidden = !isRoom;
  $("name").value = name;
  $("instructors").hidden = !isRoom || isInstructor;
  $("room").hidden = !isRoom || !isInstructor;
  const address = location.origin + location.pathname;
  $("join").textContent = `./lab join ${address.replace(/\/$/, "")} --name NAME`;
  $("address").textContent = address;
  $("join-class").textContent = `lab.join_class("${address}", name="…")`;
  $("phones").hidden = location.protocol !== "https:";
}

export function shutLog() {
  $("events").hidden = true;
  $("log-shut").hidden = false;
}

// While an action runs, its button shows that, and the other buttons are disabled.
export function hold(name) {
  document.body.dataset.busy = name;
  for (const button of BUTTONS) {
    button.disabled = button.id !== name;
    button.ariaBusy = button.id === name ? "true" : null;
  }
}

// Disable each button that has no use now, and emphasize the one to press next.
export function release(facts) {
  const sensible = sensibleButtons(facts);
  const next = ["register", "subscribe", "notify-me"].find((id) => sensible[id]);
  const focused = document.activeElement;
  for (const button of BUTTONS) {
    button.disabled = !sensible[button.id];
    button.classList.toggle("next", button.id === next);
  }
  // A disabled button loses the focus, and keyboard users would have to start again at the top.
  if (BUTTONS.includes(focused) && focused.disabled) $(next ?? "notify-all").focus();
  stopHolding();
}

function stopHolding() {
  for (const button of BUTTONS) button.ariaBusy = null;
  delete document.body.dataset.busy;
}

function sensibleButtons(facts) {
  const { supported } = facts;
  const allowed = facts.permission !== "denied";
  const active = Boolean(facts.registration?.active);
  const ready = facts.keyFits && facts.stored;
  return {
    register: supported && !active,
    unregister: supported && Boolean(facts.registration),
    subscribe: active && allowed && !ready,
    unsubscribe: Boolean(facts.subscription),
    "notify-me": allowed && ready,
    "notify-all": facts.mayNotifyAll, // without a subscription here too: others may have one
  };
}

// Highlight, in the header's drawing, the way of an event that is new; skip an old one.
export function flash({ source, target, at: seconds }) {
  const old = Date.now() - seconds * 1000 > 2000;
  if (old || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const lines = document.querySelectorAll(`[data-from="${source}"][data-to="${target}"]`);
  for (const line of lines) line.animate([{ strokeWidth: 7 }, { strokeWidth: 2 }], 900);
}
