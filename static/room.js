// The room, for the instructor's page: which participants are connected, which are away, and which
// of them the last message reached.

import { getParticipants, notifyOne } from "./server.js";

const AFTER_NEWS = 300; // milliseconds, in which more events may come

const NOBODY = "Nobody is subscribed. Each participant appears here after subscribing.";

let waiting; // the timer of the next request
let asked = 0; // the number of the last request
let shown = 0; // the number of the request whose answer is shown

// Request the participants, but not at once: a message to many people causes many events.
export function refreshRoom(section) {
  waiting ??= setTimeout(async () => {
    waiting = undefined;
    asked += 1;
    const number = asked;
    try {
      const participants = await getParticipants();
      if (number < shown) return; // A slow answer is older than the one that is shown.
      shown = number;
      paint(section, participants);
    } catch {
      // The stream of events ends with the lab as well, and says so (see `hasEnded` in page.js).
    }
  }, AFTER_NEWS);
}

function paint(section, participants) {
  section.hidden = false;
  section.querySelector(".one").hidden = participants.length === 0;
  const focused = document.activeElement?.closest?.("#room tbody tr")?.dataset.label;
  section.querySelector("tbody").replaceChildren(...participants.map((one) => row(one, section)));
  // The rows are new, and a keyboard user stays at the same button.
  if (focused) section.querySelector(`tr[data-label="${focused}"] button`)?.focus();
  const here = participants.filter(({ connected }) => connected).length;
  const reached = participants.filter((one) => one.reached).length;
  const sum = `${here} connected, ${reached} reached by the last message.`;
  section.querySelector(".sum").textContent = participants.length
    ? `${participants.length} subscribed, ${sum}`
    : NOBODY;
}

function row({ name, browser, label, connected, waiting: kept, reached, latency }, section) {
  const line = document.createElement("tr");
  line.append(
    cell(name),
    cell(browser, "browser"),
    cell({ true: "here", false: "away" }[connected] ?? "not known"),
    cell(kept || ""),
    cell({ true: `✓ ${Math.round(latency)} ms`, false: "not yet" }[reached] ?? ""),
    notifyCell(label, name, section),
  );
  line.dataset.label = label;
  line.title = `Subscription ${label}`;
  line.dataset.here = connected ?? "unknown";
  line.dataset.reached = reached ?? "none";
  return line;
}

function notifyCell(label, name, section) {
  const made = cell("");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Notify";
  button.ariaLabel = `Notify ${name || "this one"}`;
  button.addEventListener("click", async () => {
    const said = section.querySelector(".said");
    try {
      const { status, message } = await notifyOne(label, section.querySelector("#one-words").value);
      said.textContent = status === 201 ? "The push service accepted the message." : message;
    } catch (error) {
      said.textContent = error.message;
    }
  });
  made.append(button);
  return made;
}

function cell(text, className = "") {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}
