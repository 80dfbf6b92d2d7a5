// Who sits here: a participant with a name, or the instructor with a token.
//
// Both may come in the page's fragment, #name=… and #token=…, which a browser sends to no server.
// The name stays with this browser, the token with this tab, and neither stays in the address bar:
// that is on a projector.

const NAME = "pushlab-name";
const TOKEN = "pushlab-token";

const given = new URLSearchParams(location.hash.slice(1));
const memory = new Map(); // where a browser keeps nothing for this page

if (given.has("name")) keep("localStorage", NAME, given.get("name"));
if (given.has("token")) keep("sessionStorage", TOKEN, given.get("token"));
if (given.has("name") || given.has("token")) {
  history.replaceState(history.state, "", location.pathname + location.search);
}

// A link to this very page with another fragment does not load it again by itself.
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
