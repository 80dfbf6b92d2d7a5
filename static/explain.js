// From an error to the row of the table that explains it.

import { FAULTS, ROOM, UNKNOWN } from "./faults.js";

// An error at one of the steps (see `faults.js`). `cause` is the browser's or the server's error;
// `seen` holds what else was observed at that moment.
export class StepFault extends Error {
  constructor(step, cause, seen = {}) {
    super(cause.message, { cause });
    this.name = "StepFault";
    this.step = step;
    this.seen = seen;
  }
}

// Wait for `promise`. If it fails, throw a StepFault with the step; `look` returns what else can be
// observed then.
export async function at(step, promise, look) {
  try {
    return await promise;
  } catch (error) {
    throw new StepFault(step, error, await look?.());
  }
}

// Return what to show for an error: {id, clinic, step, what, todo}. `facts` are those of now.
export function explain(error, facts) {
  const { step, cause = error, seen } = error;
  if (cause.id && step === undefined) {
    // Our server explains its own errors to programs and people at once. A person needs less.
    return { id: cause.id, ...(ROOM[cause.id] ?? { what: cause.message, todo: "" }) };
  }
  const here = { ...facts, ...seen };
  const row = FAULTS.find((each) => each.at === step && each.thrown?.(cause, here)) ?? UNKNOWN;
  return { ...told(row, here, words(cause)), step };
}

// Return the fault that prevents a step before anything is tried, or undefined if there is none.
export function standing(step, facts) {
  const row = FAULTS.find((each) => each.at === step && each.stands?.(facts));
  return row && told(row, facts, "");
}

function told({ id, clinic, means, todo }, facts, said) {
  const sentence = typeof means === "function" ? means(facts) : means;
  return { id, clinic, what: said ? `${sentence} ${said}` : sentence, todo };
}

// The browser's own words, complete, because people search for them.
function words({ name, message, id }) {
  return id ? message : `The error is “${message ? `${name}: ${message}` : name}”.`;
}
