// The person at this page: a participant with a name, or the instructor with a token.
//
// The page's fragment, which a browser sends to no server, may have #name=… and #code=…, a code
// that `server.js` exchanges for the token. The browser stores the name, and this tab stores the
// token. Neither stays in the address bar, which a projector may show. The code stays in the
// browser's history, and is of no use there: it works once.

const NAME = "pushlab-name";
const TOKEN = "pushlab-token";

const given = new URLSearchParams(location.hash.slice(1));
const memory = new Map(); // for a browser that stores nothing for this page

if (given.has("name")) keep("localStorage", NAME, given.get("name"));
if (["name", "code", "token"].some((part) => given.has(part))) {
  history.replaceState(history.state, "", location.pathname + location.search);
}

// A link to this same page with another fragment does not reload it by itself.
addEventListener("hashchange", () => location.reload());

// A link of an earlier version held the token itself. It is not taken any more.
export const hasOldLink = given.has("token");
export const code = given.get("code");

export const token = () => recall("sessionStorage", TOKEN);
export const name = () => recall("localStorage", NAME);
export const enter = (text) => keep("sessionStorage", TOKEN, text);
export const leave = () => keep("sessionStorage", TOKEN, "");
export const rename = (text) => keep("localStorage", NAME, text.trim());

function recall(storage, key) {
  try {
    return globalThis[storage].getItem(key) ?? "";
  } catch {
    return memory.get(key) ?? ""; // storage is switched off
  }
}

function keep(storage, key, value) {
  try {
    globalThis[storage].setItem(key, value);
  } catch {
    memory.set(key, value);
  }
}
