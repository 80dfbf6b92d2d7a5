// What can go wrong in the browser on the way to push: one table.
//
// `at` is the step that fails, and `clinic` its case in lesson 08 or 08b. A row matches by what was
// `thrown` (the error, and the facts at that moment), or by the facts that hold now (`stands`). The
// first row that matches counts, so particular rows come before general ones. `means` is one
// sentence on what happened. `todo` says what to do, or lists the ways, one of which is enough.

const HERE = `http://127.0.0.1${location.port && `:${location.port}`}${location.pathname}`;

const named = (...names) => ({ name }) => names.includes(name);
const saying = (name, words) => (error) => error.name === name && words.test(error.message);

const SITE_DATA = {
  id: "site-data-blocked", clinic: 24,
  means: "The browser does not let this page have a service worker.",
  todo: "Allow cookies and site data for this page, then reload it. In Brave, lower the Shields " +
    "for it.",
};
// Chromium throws this, and other browsers a SecurityError.
const BLOCKED = saying("NotSupportedError", /denied permission/i);

const NEW_LINK =
  "For a new link, press Enter in the terminal that runs the lab, or press “Show the " +
  "instructor's link” on the panel.";

// What the server refuses in a room, by the id of its error.
export const ROOM = {
  "instructor-only": {
    what: "Only the instructor's page may do this. If this page was the instructor's, the lab " +
      "has been started again since then.",
    todo: NEW_LINK,
  },
  "session-ended": {
    what: "This page was the instructor's until the lab was started again.",
    todo: NEW_LINK,
  },
  "wrong-code": {
    what: "This instructor's link does not work. It has been used already, it is older than ten " +
      "minutes, or it belongs to an earlier start of the lab.",
    todo: NEW_LINK,
  },
  "too-many-guesses": {
    what: "Too many instructor's links that do not work were opened here, one after the other.",
    todo: `Wait a few seconds. ${NEW_LINK}`,
  },
};

export const FAULTS = [
  // ---- a secure context, and a browser that can ------------------------------------------------
  { id: "insecure-origin", clinic: 23, at: "secure",
    stands: ({ secure }) => !secure,
    means: `${location.origin} is plain http from another machine, and browsers give no push to ` +
      "such a page.",
    todo: [
      `On this machine, type ./lab join ${location.origin}${location.pathname} ` +
        "in a terminal. It opens a browser that is told to trust this page.",
      `On the machine that runs the lab, start it without --host, and open ${HERE} ` +
        "there. To the browser that is another site, with a permission of its own.",
      "For phones and everyday browsers, the machine that runs the lab can serve it by https: " +
        `./lab serve --host ${location.hostname} --certfile PEM --keyfile PEM`,
    ] },
  { id: "not-on-home-screen", clinic: 26, at: "supported",
    stands: ({ secure, missing, homeScreen }) => secure && missing.length && homeScreen === false,
    means: "An iPhone or iPad gives push only to a page that was opened from the Home Screen.",
    todo: "With iOS 16.4 or later, press Share, then Add to Home Screen, and open the page " +
      "there." },
  { id: "no-push-here", clinic: 23, at: "supported",
    stands: ({ secure, missing }) => secure && missing.length,
    means: ({ missing }) =>
      `Missing here: ${missing.join(", ")}, so the browser is too old, or push is switched off.`,
    todo: "Use a current browser, in an ordinary window, and not one that is built into an " +
      "app. In Firefox, dom.push.enabled and dom.serviceWorkers.enabled in about:config " +
      "must be true." },

  // ---- a service worker ------------------------------------------------------------------------
  { ...SITE_DATA, at: "look",
    thrown: (error) => error.name === "SecurityError" || BLOCKED(error) },
  { ...SITE_DATA, at: "worker", thrown: BLOCKED },
  { id: "worker-missing", clinic: 24, at: "worker",
    thrown: ({ name }, { script }) => name === "TypeError" && [404, 410].includes(script?.status),
    means: ({ script }) => `The server has no sw.js here: it answers ${script.status}.`,
    todo: "Put sw.js into the folder of this page, or correct its path, then register again." },
  { id: "worker-refused", clinic: 24, at: "worker",
    thrown: ({ name }, { script }) => name === "TypeError" && script?.status >= 400,
    means: ({ script }) => `Instead of sw.js, the server sends an error: ${script.status}.`,
    todo: "401 and 403 mean a login: sign in again, in this browser. 429 means too many " +
      "requests: wait. From 500 on, the server, or a proxy before it, has failed: is the lab " +
      "still running? Then register again." },
  { id: "worker-not-fetched", clinic: 24, at: "worker",
    thrown: ({ name }, { script }) => name === "TypeError" && script === null,
    means: "The browser could not fetch sw.js.",
    todo: "Is the lab still running, and does the network work? Then register again." },
  { id: "certificate-not-trusted", clinic: 23, at: "worker",
    thrown: saying("SecurityError", /certificate/i),
    means: "This browser does not trust the page's certificate. It shows the page, because you " +
      "went on past its warning, and registers no worker.",
    todo: [
      `On this machine, type ./lab join ${location.origin}${location.pathname} ` +
        "--cafile FILE in a terminal, with the file of the certificate from the instructor.",
      "For a phone or an everyday browser, take a certificate of a public authority.",
    ] },
  { id: "worker-moved", clinic: 24, at: "worker",
    thrown: ({ name, message }, { script }) =>
      name === "SecurityError" && (script?.redirected || /redirect/i.test(message)),
    means: "The server redirects sw.js to another address: browsers refuse such a worker.",
    todo: "Serve sw.js at its own address, then register again. Behind a login, sign in first." },
  { id: "worker-mime-type", clinic: 24, at: "worker",
    thrown: ({ name }, { script }) => name === "SecurityError" && script && !script.javascript,
    means: ({ script }) =>
      `The server says that sw.js is ${script.type || "of no type"}, and not JavaScript.`,
    todo: "Serve it with Content-Type: text/javascript, then register again." },
  { id: "worker-scope", clinic: 24, at: "worker",
    thrown: named("SecurityError"),
    means: "The page asked for a scope that is wider than the folder of sw.js.",
    todo: "Ask for that folder or one below it, or move sw.js up. Then register again." },
  { id: "worker-broken", clinic: 24, at: "worker",
    thrown: named("TypeError"),
    means: "The browser fetched sw.js, and the script failed while it ran.",
    todo: "Read the error in the browser's console, correct sw.js, then register again." },
  { id: "worker-not-installed", clinic: 24, at: "worker",
    thrown: named("AbortError", "TimeoutError"),
    means: "The worker never became active: its install handler failed, or did not end.",
    todo: "Check what sw.js passes to waitUntil in its install event, then register again." },

  // ---- the permission --------------------------------------------------------------------------
  { id: "cross-origin-frame", clinic: 23, at: "permission",
    thrown: (_, { permission, foreignFrame }) => foreignFrame && permission !== "granted",
    stands: (facts) => facts.supported && facts.foreignFrame && facts.permission === "denied",
    means: "The page is in a frame of another site: browsers show it no permission prompt.",
    todo: `Open ${location.href} in a tab of its own, and subscribe there.` },
  { id: "permission-denied", clinic: 22, at: "permission",
    thrown: (_, { permission }) => permission === "denied",
    stands: ({ supported, permission }) => supported && permission === "denied",
    means: "Notifications are blocked for this page, so the browser does not ask again.",
    todo: "Click the icon to the left of the address and allow notifications, then reload this " +
      "page. If it is a private window, open an ordinary one." },
  { id: "no-user-gesture", clinic: 22, at: "permission",
    thrown: (_, { permission, gesture }) => permission === "default" && gesture === false,
    means: "The page asked outside a click, and this browser shows its prompt only within one.",
    todo: "Press Subscribe to push with the mouse or the keyboard. In code, ask first in the " +
      "click handler: a single await before the call can lose the click." },
  { id: "permission-not-answered", clinic: 22, at: "permission",
    thrown: (_, { permission }) => permission === "default",
    means: "The browser's question was closed without an answer.",
    todo: "Press Subscribe to push again, and choose Allow." },

  // ---- a subscription --------------------------------------------------------------------------
  { id: "worker-not-active", clinic: 24, at: "subscription", // Safari says InvalidStateError
    thrown: ({ name, message }) =>
      ["AbortError", "InvalidStateError"].includes(name) &&
      /no (active )?service worker|an active service worker/i.test(message),
    means: "The worker was not active yet, and only an active one can be subscribed.",
    todo: "Subscribe again. In code, wait for navigator.serviceWorker.ready first." },
  { id: "another-key", clinic: 19, at: "subscription",
    thrown: ({ name, message }, { keyFits }) =>
      name === "InvalidStateError" &&
      (keyFits === false || /another key|different|does not match/i.test(message)),
    stands: ({ keyFits }) => keyFits === false,
    means: "This browser has a subscription that was made for another application server key.",
    todo: "Press Subscribe to push: the page ends the old subscription and makes a new one. If " +
      "the same error comes again, unregister the worker and register it again." },
  { id: "no-public-key", clinic: 9, at: "subscription",
    thrown: ({ name, id }) => name === "ServerError" && id !== "bad-public-key",
    means: "Subscribing needs the application server's public key, and GET /vapid returned none.",
    todo: "When the server answers there, subscribe again." },
  { id: "bad-public-key", clinic: 9, at: "subscription",
    thrown: named("ServerError", "InvalidAccessError", "InvalidCharacterError", "TypeError"),
    means: "What GET /vapid returned is not a public key.",
    todo: "Serve 65 bytes that begin with 04, a point on P-256, in base64url without padding:" +
      " not PEM, not DER, not the private key." },
  { id: "page-outdated", clinic: 24, at: "subscription",
    thrown: named("InvalidStateError"),
    means: "This page, or its worker's registration, is not the current one any more.",
    todo: "Reload this page, then subscribe again." },
  { id: "private-window", clinic: 22, at: "subscription",
    thrown: saying("AbortError", /permission/i),
    means: "This is a private window, and Chromium allows no subscription in one.",
    todo: "Open this page in an ordinary window." },
  { id: "brave-setting", clinic: 21, at: "subscription",
    thrown: ({ name }, { brave }) => brave && (name === "AbortError" || name === "TimeoutError"),
    means: "Brave does not use a push service unless you allow it.",
    todo: "Open brave://settings/privacy, switch on “Use Google services for push messaging”," +
      " and restart Brave." },
  { id: "profile-damaged", clinic: 21, at: "subscription",
    thrown: saying("AbortError", /storage|database/i),
    means: "The browser cannot store the subscription in its profile.",
    todo: "Is the disk full? Restart the browser, or try a new profile." },
  { id: "no-push-service", clinic: 21, at: "subscription",
    thrown: saying("AbortError", /service not available|push daemon/i),
    means: "This browser has no push service, or has lost its own.",
    todo: "Restart the browser. If that does not help, use another one: an app with a built-in " +
      "browser, or a build of Chromium without Google's services, has no push." },
  { id: "push-service-error", clinic: 21, at: "subscription",
    thrown: named("AbortError"),
    means: "The browser got no subscription from its push service.",
    todo: "Check the network and the firewall. Android needs Google Play services, and a build " +
      "of Chromium without Google's services has no push. With no internet, use a browser that " +
      "the lab has started: it uses the lab's own push service." },
  { id: "push-service-silent", clinic: 21, at: "subscription",
    thrown: named("TimeoutError"),
    means: "The push service does not answer, and the browser keeps trying without an error.",
    todo: "Is the lab still running? A browser that the lab has started uses the lab's push " +
      "service. Any other browser needs the internet, a firewall that lets it connect, and an " +
      "ordinary window." },
  { id: "too-many-subscriptions", clinic: 22, at: "subscription",
    thrown: saying("NotAllowedError", /maximum/i),
    means: "This browser keeps no more subscriptions than it has.",
    todo: "Clear the data of sites that you do not need, then subscribe again." },
  { id: "refused-though-allowed", clinic: 22, at: "subscription", // as Firefox for Android said
    thrown: (error, { permission }) =>
      permission === "granted" && saying("NotAllowedError", /push api/i)(error),
    means: "You allowed notifications, and the browser refuses to subscribe all the same.",
    todo: "Reset the permission at the icon to the left of the address, reload this page, and " +
      "allow it again. A rule of your organization may forbid push; or try another browser." },
  { id: "not-user-visible", clinic: 22, at: "subscription",
    thrown: ({ name }, { permission }) => name === "NotAllowedError" && permission === "granted",
    means: "You allowed notifications, but subscribe() was called without userVisibleOnly: true.",
    todo: "Pass userVisibleOnly: true, a promise to show every push. Only Firefox works without." },
  { id: "permission-lost", clinic: 22, at: "subscription",
    thrown: named("NotAllowedError"),
    means: "The browser does not subscribe a page that may not show notifications.",
    todo: "Allow notifications for this page at the icon to the left of the address, then " +
      "subscribe again." },

  // ---- stored by the server, and messages ------------------------------------------------------
  { id: "not-stored", clinic: 20, at: "server",
    thrown: () => true,
    means: "The browser is subscribed, but the application server has not stored it.",
    todo: "Subscribe again, or reload this page, which sends the subscription again." },
  { id: "json-does-not-parse", clinic: 25, at: "message",
    thrown: named("SyntaxError"),
    means: "A push message began like JSON but is not valid. This worker showed it as text.",
    todo: "Correct the sender. For a worker that shows nothing, Chrome says “This site has " +
      "been updated in the background”; Firefox ends the subscription after 15 such pushes, " +
      "Safari after 3." },
  { id: "options-refused", clinic: 25, at: "message",
    thrown: named("TypeError"),
    means: "This browser refused the notification's options, so the worker showed it without them.",
    todo: "Correct the options: renotify needs a tag, for example. And keep such a fallback in " +
      "your worker." },
];

export const UNKNOWN = {
  id: "unknown",
  means: "This page does not know this error.",
  todo: "Search for its words; or reload this page, unregister, and go through the steps again.",
};
