// The six steps of getting to push. Each is a question to the facts. The first step that is not
// done is the next one; those after it wait, unless it is already plain that they cannot be done.

import { mendPermission } from "./faults.js";

const SUBSCRIBE = "Press Subscribe to push.";

// `done` asks the facts, and `yes` is what to say then; `about` says what the step is, and `todo`
// how to take it; `broken` says what stands in the way, if something does.
const STEPS = [
  {
    id: "secure",
    done: (facts) => facts.secure,
    yes: () => `The browser trusts ${location.origin}.`,
    broken: (facts) =>
      !facts.secure &&
      `${location.origin} is plain http from another machine, and browsers keep push from such ` +
        "pages. On the machine that serves it, open http://localhost or http://127.0.0.1; from " +
        "elsewhere, https. (To a browser these are three sites, each with its own permission.)",
  },
  {
    id: "supported",
    done: (facts) => facts.missing.length === 0,
    yes: () => "serviceWorker, PushManager and Notification are all there.",
    about: "The browser has serviceWorker, PushManager and Notification.",
    broken: (facts) =>
      facts.secure &&
      facts.missing.length > 0 &&
      `Missing here: ${facts.missing.join(", ")}. ` +
        (navigator.standalone === false
          ? "On an iPhone or iPad (iOS 16.4 or later): Share, Add to Home Screen, open it there."
          : "Use a current browser, no private window, and no browser that is built into an app."),
  },
  {
    id: "worker",
    done: (facts) => Boolean(facts.registration?.active),
    yes: () => "sw.js is active. It wakes up when a push arrives, even with no page open.",
    about: "The script that receives pushes, even with no page open.",
    todo: "Press Register service worker.",
  },
  {
    id: "permission",
    done: (facts) => facts.permission === "granted",
    yes: () => "You allowed notifications.",
    about: "You allow this page to show notifications.",
    todo: `${SUBSCRIBE} The browser then asks you, near the address bar.`,
    broken: (facts) =>
      facts.supported &&
      facts.permission === "denied" &&
      `Notifications are refused for this page. ${mendPermission({ name: "denied" })}`,
  },
  {
    id: "subscription",
    done: (facts) => Boolean(facts.subscription) && facts.keyFits,
    yes: (facts) => `This browser has an endpoint at ${new URL(facts.subscription.endpoint).host}.`,
    about: "The browser gets an endpoint from its push service.",
    todo: SUBSCRIBE,
    broken: (facts) =>
      !facts.keyFits &&
      "This subscription was made for another application server key, so every message to it " +
        `would be refused. ${SUBSCRIBE} The new subscription replaces the old one.`,
  },
  {
    id: "server",
    done: (facts) => facts.stored,
    yes: () => "The application server keeps the subscription, and can send to it.",
    about: "The application server learns where to send, and how to encrypt.",
    todo: SUBSCRIBE,
  },
];

// Return each step's id, its state (done, next, failed or waiting) and its sentence. `facts.fault`
// is what the last action ran into: {step, what, todo}, or null.
export function steps(facts) {
  let open = true; // until the first step that is not done
  return STEPS.map((step) => {
    const { id, about, todo } = step;
    const turn = open;
    open = turn && step.done(facts);
    if (open) return { id, state: "done", text: step.yes(facts) };
    const wrong = (turn && saying(facts.fault, id)) || step.broken?.(facts);
    if (wrong) return { id, state: "failed", text: wrong };
    if (turn) return { id, state: "next", text: `${about} ${todo}` };
    return { id, state: "waiting", text: about };
  });
}

function saying(fault, id) {
  return fault?.step === id && `${fault.what} ${fault.todo}`;
}
