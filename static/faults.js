// What can go wrong in the browser on the way to push: one table.
//
// `at` is the step that fails, and `clinic` its case in lesson 08. A row matches by what was
// `thrown` (the error, and the facts at that moment), or by the facts that hold now (`stands`). The
// first row that matches counts, so particular rows come before general ones. `means` is one
// sentence on what happened. `todo` says what to do, or lists the ways, one of which is enough.

const HERE = `http://127.0.0.1${location.port && `:${location.port}`}${location.pathname}`;

const named = (...names) => ({ name }) => names.includes(name);
const saying = (name, words) => (error) => error.name === name && words.test(error.message);

export const FAULTS = [
  // ---- a secure context, and a browser that can ------------------------------------------------
  { id: "insecure-origin", clinic: 23, at: "secure",
    stands: ({ secure }) => !secure,
    means: `${location.origin} is plain http from another machine: browsers keep push from it.`,
    todo: [
      `At the machine that runs the lab: start it without --host, and open ${HERE} ` +
        "(another site than this one, with its own permission).",
      `At this machine: type pushlab join ${location.origin}${location.pathname} ` +
        "and it opens a browser that is told to trust this page.",
      "For a phone or an everyday browser: serve the page by https, with pushlab serve " +
        "--certfile PEM --keyfile PEM",
    ] },
  { id: "not-on-home-screen", clinic: 26, at: "supported",
    stands: ({ secure, missing, homeScreen }) => secure && missing.length && homeScreen === false,
    means: "An iPhone or iPad gives push only to a page that was opened from the Home Screen.",
    todo: "Take iOS 16.4 or later, press Share, then Add to Home Screen, and open the page " +
      "there." },
  { id: "no-push-here", clinic: 23, at: "supported",
    stands: ({ secure, missing }) => secure && missing.length,
    means: ({ missing }) =>
      `Missing here: ${missing.join(", ")}, so the browser is too old or its push is off.`,
    todo: "Use a current browser, in no private window, and not one that is built into an " +
      "app. In Firefox, dom.push.enabled and dom.serviceWorkers.enabled in about:config " +
      "must be true." },

  // ---- a service worker ------------------------------------------------------------------------
  { id: "site-data-blocked", clinic: 24, at: "look",
    thrown: named("SecurityError"),
    means: "The browser does not let this page look at its service worker.",
    todo: "Allow cookies and site data for this page, then reload it." },
  { id: "worker-missing", clinic: 24, at: "worker",
    thrown: ({ name }, { script }) => name === "TypeError" && script?.status >= 400,
    means: ({ script }) => `The server has no worker for us: it answers ${script.status} to sw.js.`,
    todo: "Put sw.js into the folder of this page, or mend the path, then register again." },
  { id: "worker-moved", clinic: 24, at: "worker",
    thrown: ({ name }, { script }) => name === "SecurityError" && script?.redirected,
    means: "The server redirects sw.js, and a worker must come from its own address.",
    todo: "Serve sw.js itself, then register again. Behind a login, sign in first." },
  { id: "worker-mime-type", clinic: 24, at: "worker",
    thrown: ({ name }, { script }) => name === "SecurityError" && script && !script.javascript,
    means: ({ script }) => `The server calls sw.js ${script.type || "nothing"}, not JavaScript.`,
    todo: "Serve it with Content-Type: text/javascript, then register again." },
  { id: "worker-scope", clinic: 24, at: "worker",
    thrown: named("SecurityError"),
    means: "The scope asked for is wider than the folder of sw.js, and a worker gets no more.",
    todo: "Ask for that folder or one below it, or move sw.js up; then register again." },
  { id: "worker-broken", clinic: 24, at: "worker",
    thrown: named("TypeError"),
    means: "The browser fetched sw.js and could not run it to its end.",
    todo: "Read the error in the browser's console, mend sw.js, then register again." },
  { id: "worker-not-installed", clinic: 24, at: "worker",
    thrown: named("AbortError", "TimeoutError"),
    means: "The worker never became active: its install handler failed, or does not end.",
    todo: "Look at what sw.js gives to waitUntil at its install event, then register again." },

  // ---- the permission --------------------------------------------------------------------------
  { id: "cross-origin-frame", clinic: 23, at: "permission",
    thrown: (_, { permission, foreignFrame }) => foreignFrame && permission !== "granted",
    stands: (facts) => facts.supported && facts.foreignFrame && facts.permission === "denied",
    means: "The page is in a frame of another site, and browsers do not ask on behalf of a frame.",
    todo: `Open ${location.href} in a tab of its own, and subscribe there.` },
  { id: "permission-denied", clinic: 22, at: "permission",
    thrown: (_, { permission }) => permission === "denied",
    stands: ({ supported, permission }) => supported && permission === "denied",
    means: "Notifications were refused for this page, so the browser does not ask again.",
    todo: "Click the sign left of the address and allow notifications, then reload this page." +
      " If it is a private window, open an ordinary one." },
  { id: "no-user-gesture", clinic: 22, at: "permission",
    thrown: (_, { permission, gesture }) => permission === "default" && gesture === false,
    means: "The browser was asked outside a click, and it asks a person only while handling one.",
    todo: "Press Subscribe to push with the mouse or the keyboard. In code, ask first in the " +
      "click handler: a single await before the call can lose the click." },
  { id: "permission-not-answered", clinic: 22, at: "permission",
    thrown: (_, { permission }) => permission === "default",
    means: "The browser's question was closed without an answer.",
    todo: "Press Subscribe to push again, and choose Allow." },

  // ---- a subscription --------------------------------------------------------------------------
  { id: "another-key", clinic: 19, at: "subscription",
    thrown: named("InvalidStateError"),
    stands: ({ keyFits }) => keyFits === false,
    means: "This browser has a subscription that was made for another application server key.",
    todo: "Press Subscribe to push: the page gives up the old one and makes a new one. If the" +
      " browser says the same again, unregister the worker and register it anew." },
  { id: "no-public-key", clinic: 9, at: "subscription",
    thrown: ({ name, id }) => name === "ServerError" && id !== "bad-public-key",
    means: "Subscribing needs the application server's public key, and GET /vapid did not give it.",
    todo: "Once the server answers there, subscribe again." },
  { id: "bad-public-key", clinic: 9, at: "subscription",
    thrown: named("ServerError", "InvalidAccessError", "InvalidCharacterError", "TypeError"),
    means: "What GET /vapid gives is not a public key.",
    todo: "Serve 65 bytes that begin with 04, a point on P-256, in base64url without padding:" +
      " not PEM, not DER, not the private key." },
  { id: "worker-not-active", clinic: 24, at: "subscription",
    thrown: saying("AbortError", /no active/i),
    means: "The worker was not active yet, and only an active one can be subscribed.",
    todo: "Subscribe again. In code, wait for navigator.serviceWorker.ready first." },
  { id: "private-window", clinic: 22, at: "subscription",
    thrown: saying("AbortError", /permission/i),
    means: "This is a private window, and Chromium subscribes none.",
    todo: "Open this page in an ordinary window." },
  { id: "brave-setting", clinic: 21, at: "subscription",
    thrown: ({ name }, { brave }) => brave && (name === "AbortError" || name === "TimeoutError"),
    means: "Brave keeps away from the push service unless you allow it.",
    todo: "Open brave://settings/privacy, switch on “Use Google services for push messaging”," +
      " and start Brave again." },
  { id: "push-service-error", clinic: 21, at: "subscription",
    thrown: named("AbortError"),
    means: "The browser got no subscription out of its push service.",
    todo: "Check the network and the firewall; Android needs Google Play services. With no " +
      "internet, use a browser that the lab started, which has the lab's own push " +
      "service." },
  { id: "push-service-silent", clinic: 21, at: "subscription",
    thrown: named("TimeoutError"),
    means: "The push service does not answer, and the browser goes on trying without a word.",
    todo: "Is the lab still running? A browser that the lab started uses the lab's push " +
      "service; any other needs the internet, a firewall that lets it pass, and no " +
      "private window." },
  { id: "not-user-visible", clinic: 22, at: "subscription",
    thrown: ({ name }, { permission }) => name === "NotAllowedError" && permission === "granted",
    means: "The permission is there, but subscribe() was not told userVisibleOnly: true.",
    todo: "Promise to show every push: pass userVisibleOnly: true. Only Firefox does without." },
  { id: "permission-lost", clinic: 22, at: "subscription",
    thrown: named("NotAllowedError"),
    means: "The browser does not subscribe a page that may not show notifications.",
    todo: "Allow notifications for this page at the sign left of the address, then subscribe " +
      "again." },

  // ---- stored by the server, and messages ------------------------------------------------------
  { id: "not-stored", clinic: 20, at: "server",
    thrown: () => true,
    means: "The browser is subscribed, but the application server has not stored it.",
    todo: "Subscribe again, or reload this page: each load sends the subscription anew." },
  { id: "json-does-not-parse", clinic: 25, at: "message",
    thrown: named("SyntaxError"),
    means: "A push began like JSON and does not parse; this worker showed it as text all the same.",
    todo: "Mend the sender. A worker that shows nothing makes browsers say “This site has " +
      "been updated in the background” and, later, take the subscription away." },
  { id: "options-refused", clinic: 25, at: "message",
    thrown: named("TypeError"),
    means: "This browser refuses the notification's options; the worker showed it without them.",
    todo: "Mend the options (renotify needs a tag, for example), and keep such a way out in a" +
      " worker." },
];

export const UNKNOWN = {
  id: "unknown",
  means: "This is new to the page.",
  todo: "Search for these words, or reload, unregister, and walk through the steps again.",
};
