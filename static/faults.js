// What can go wrong in the browser on the way to push: in words, with what to do next.

// Something failed at one of the six steps; `cause` is what the browser or the server said.
export class StepFault extends Error {
  constructor(step, cause) {
    super(cause.message, { cause });
    this.name = "StepFault";
    this.step = step;
  }
}

// Wait for `promise`, and say at which step it failed if it does.
export async function at(step, promise) {
  try {
    return await promise;
  } catch (error) {
    throw new StepFault(step, error);
  }
}

// Return {what, todo}: what happened, and what to do about it.
export function explain(error) {
  if (!(error instanceof StepFault)) {
    return { what: error.message, todo: "" };
  }
  const { step, cause } = error;
  const said = `(${cause.name}). ${cause.message}`;
  switch (step) {
    case "worker":
      return { what: `The service worker is not registered ${said}`, todo: mendWorker(cause) };
    case "permission":
      return { what: cause.message, todo: mendPermission(cause) };
    case "subscription":
      return { what: `There is no subscription ${said}`, todo: mendSubscription(cause) };
    case "server":
      return { what: cause.message, todo: "Then press Subscribe to push, which sends it again." };
    default:
      throw new Error(`No step is called ${step}`);
  }
}

function mendWorker(cause) {
  switch (cause.name) {
    case "SecurityError":
      return (
        "sw.js must come from the same folder as this page, as text/javascript and without a " +
        "redirect. If you block cookies and site data, allow them for this page."
      );
    case "TypeError":
      return "Open sw.js in a tab: is it there? If it is, the browser's console shows its error.";
    default:
      return "Reload this page and register again. The browser's console may say more.";
  }
}

export function mendPermission(cause) {
  switch (cause.name) {
    case "denied":
      return (
        "The browser will not ask again. Click the sign left of the address, allow notifications " +
        "there, and reload this page."
      );
    case "default":
      return "Press Subscribe to push again, and choose Allow.";
    default:
      return "Reload this page and try again.";
  }
}

function mendSubscription(cause) {
  switch (cause.name) {
    case "AbortError":
      return /permission/.test(cause.message)
        ? "A private window cannot subscribe. Open this page in an ordinary one."
        : "The browser does not reach its push service. Check the network and the firewall; in " +
            "Brave allow “Use Google services for push messaging”. With no internet, use a " +
            "browser that the lab started, while the lab runs: it has a push service of its own.";
    case "TimeoutError":
      return (
        "The browser is still trying to reach its push service. With no internet it never will: " +
        "use a browser that the lab started, which uses the lab's own push service. A private " +
        "window waits for ever, too."
      );
    case "NotAllowedError":
      return "Allow notifications in the browser's settings for this site, then subscribe again.";
    case "InvalidStateError":
      return "Unregister the service worker, register it again, and then subscribe.";
    case "InvalidAccessError":
    case "TypeError":
      return "GET /vapid must give 65 bytes in base64url that begin with 04: not PEM and not DER.";
    case "ServerError":
      return "Subscribing needs the server's public key. Once it is there, subscribe again.";
    default:
      return "Unsubscribe, unregister, and walk through the steps again.";
  }
}
