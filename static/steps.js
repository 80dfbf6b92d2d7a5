// The six steps to push. Each is a question about the facts. The first step that is not done is the
// next one; those after it wait, unless the facts show already that they cannot succeed.

import { standing } from "./explain.js";

const SUBSCRIBE = "Press Subscribe to push.";

// `done` reads the facts, and `yes` is the sentence for a step that is done; `about` says what the
// step is, and `todo` how to do it. What may prevent a step is in the table of faults.
const STEPS = [
  {
    id: "secure",
    done: (facts) => facts.secure,
    yes: () => `The page at ${location.origin} is secure: by https, or from this machine.`,
  },
  {
    id: "supported",
    done: (facts) => facts.missing.length === 0,
    yes: () => "serviceWorker, PushManager and Notification are all there.",
    about: "The browser has serviceWorker, PushManager and Notification.",
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
  },
  {
    id: "subscription",
    done: (facts) => Boolean(facts.subscription) && facts.keyFits,
    yes: (facts) => `This browser has an endpoint at ${new URL(facts.subscription.endpoint).host}.`,
    about: "The browser gets an endpoint from its push service.",
    todo: SUBSCRIBE,
  },
  {
    id: "server",
    done: (facts) => facts.stored,
    yes: () => "The application server keeps the subscription, and can send to it.",
    about: "The application server learns where to send, and how to encrypt.",
    todo: SUBSCRIBE,
  },
];

// Return each step's id, its state (done, next, failed or waiting), its sentence or its fault.
// `facts.fault` is the fault of the last action, as `explain` returns it, or null.
export function steps(facts) {
  let open = true; // until the first step that is not done
  return STEPS.map((step) => {
    const { id, about, todo } = step;
    const turn = open;
    open = turn && step.done(facts);
    if (open) return { id, state: "done", text: step.yes(facts) };
    const tried = turn && facts.fault?.step === id && facts.fault;
    const fault = tried || standing(id, facts);
    if (fault) return { id, state: "failed", fault };
    if (turn) return { id, state: "next", text: `${about} ${todo}` };
    return { id, state: "waiting", text: about };
  });
}
