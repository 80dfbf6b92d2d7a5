// The person at this page: a participant with a name, or the instructor with a token.
//
// Both may be in the page's fragment, #name=… and #token=…, which a browser sends to no server. The
// browser stores the name, and this tab stores the token. Neither stays in the address bar, which
// a projector may show.

const NAME = "pushlab-name";
const TOKEN = "pushlab-token";

const given = new URLSearchParams(location.hash.slice(1));
const memory = new Map(); // for a browser that stores nothing for this page

if (given.has("name")) keep("localStorage", NAME, given.get("name"));
if (given.has("token")) keep("sessionStorage", TOKEN, given.get("token"));
if (given.has("name") || given.has("token")) {
  history.replaceState(history.state, "", location.pathname + location.search);
}

// A link to this same page with another fragment does not reload it by itself.
addEventListener("hashchange", () => location.reload());

export const token = () => recall("sessionStorage", TOKEN);
export const name = () => recall("localStorage", NAME);
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
