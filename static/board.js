// The board, for the instructor's page: which exercises are solved, and who is stuck. The server
// sends the whole board at each change, sorted so that who needs help is on top.

import { barItem, count, heads, make, minutes, row, sum, tripItem } from "./boardview.js";
import { classStatus, deleteClass, exportClass, nudge, removeParticipant } from "./server.js";
import { token } from "./who.js";

const REOPEN_AFTER = 3000; // milliseconds
const RENEW_TIMES = 15_000; // milliseconds
const NAMES = "pushlab-names";

const section = document.getElementById("board");
const part = (name) => section.querySelector(`.${name}`);

let board = null; // the last one that came
let behind = 0; // seconds by which the server's clock is behind this one
let shownLessons = "now";

// Follow the board from now on. A browser reopens a stream that broke, but none that was refused.
export function followBoard() {
  const stream = new EventSource(`class/events?access_token=${encodeURIComponent(token())}`);
  stream.addEventListener("message", ({ data }) => {
    board = JSON.parse(data);
    behind = Date.now() / 1000 - board.at;
    paint();
  });
  stream.addEventListener("error", async () => {
    if (stream.readyState !== EventSource.CLOSED) return;
    const status = await classStatus();
    if (status === 401 || status === 404) section.hidden = true;
    else setTimeout(followBoard, REOPEN_AFTER);
  });
}

const now = () => Date.now() / 1000 - behind;

// ---- what is shown -----------------------------------------------------------------------------

function paint() {
  section.hidden = false;
  const { lines, trips, bars } = board;
  part("sum").textContent = sum(lines);
  part("trips").replaceChildren(...trips.filter((one) => one.people > 1).map(tripItem));
  part("overview").hidden = bars.length === 0;
  part("bars").replaceChildren(...bars.map(barItem));
  part("about").hidden = lines.length > 0;
  part("people").hidden = lines.length === 0;
  part("nudge").hidden = lines.length === 0;
  part("stuck").textContent = `Nudge all who are stuck (${count(lines, "stuck")})`;
  part("stuck").disabled = count(lines, "stuck") === 0;
  paintChoice(bars);
  const focused = focusedControl();
  const chosen = chosenBars(lines, bars);
  part("people").querySelector("thead").replaceChildren(...heads(chosen));
  const rows = lines.map((line) => {
    const how = { name: shownName(line), now: now(), nudge: () => send([line.number]) };
    return row(line, chosen, how);
  });
  part("people").querySelector("tbody").replaceChildren(...rows);
  focusAgain(focused);
}

function paintChoice(bars) {
  const choice = part("lessons");
  const known = bars.map(({ number, title }) => [number, `${number} ${title}`]);
  const options = [["now", "Where people are now"], ["all", "All that were begun"], ...known];
  if (choice.options.length !== options.length) {
    choice.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    choice.value = shownLessons;
  }
}

function chosenBars(lines, bars) {
  const current = new Set(lines.map(({ lesson }) => lesson));
  const byDefault = shownLessons === "now";
  return bars.filter(
    ({ number }) => ["all", number].includes(shownLessons) || (byDefault && current.has(number)),
  );
}

// ---- names -------------------------------------------------------------------------------------

const areHidden = () => document.body.dataset.names === "hidden";
const shownName = ({ number, name }) => (areHidden() ? `Participant ${number}` : name);

function hideNames(hidden) {
  document.body.dataset.names = hidden ? "hidden" : "shown";
  part("hide").ariaPressed = String(hidden);
  if (board) paint();
}

function remember() {
  try {
    sessionStorage.setItem(NAMES, document.body.dataset.names);
  } catch {
    // Storage is switched off: after a reload names are shown again.
  }
}

function wereHidden() {
  try {
    return sessionStorage.getItem(NAMES) === "hidden";
  } catch {
    return false;
  }
}

// ---- what the instructor does ------------------------------------------------------------------

// Send the words of the field to these participants, or to all who are stuck.
async function send(participants) {
  const field = part("words");
  const body = field.value.trim();
  if (!body) {
    say("First write what the nudge says.");
    field.focus();
    return;
  }
  await act(async () => {
    const { participants: reached } = await nudge(body, participants);
    const people = reached === 1 ? "1 participant" : `${reached} participants`;
    return reached ? `The nudge goes to ${people}.` : "Nobody is stuck now: no nudge was sent.";
  });
}

async function act(action) {
  try {
    say(await action());
  } catch (error) {
    say(error.message);
  }
}

function say(sentence) {
  part("said").textContent = sentence;
}

async function save(form) {
  const link = make("a");
  link.href = URL.createObjectURL(await exportClass(form));
  link.download = `class.${form}`;
  link.click();
  URL.revokeObjectURL(link.href);
  return `Saved as class.${form}.`;
}

async function remove() {
  const chosen = part("whom").value;
  const everybody = chosen === "";
  const what = everybody ? "the whole class" : `participant ${chosen}`;
  if (!confirm(`Delete ${what}, with all attempts? This cannot be undone.`)) return "";
  await (everybody ? deleteClass() : removeParticipant(Number(chosen)));
  return `Deleted: ${what}.`;
}

// Painting replaces the rows, and a keyboard user stays at the same control.
function focusedControl() {
  const { activeElement } = document;
  return activeElement?.closest?.("#board tbody tr")?.dataset.number;
}

function focusAgain(number) {
  if (number) section.querySelector(`tr[data-number="${number}"] button`)?.focus();
}

part("hide").addEventListener("click", () => {
  hideNames(!areHidden());
  remember();
});
part("fill").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else section.requestFullscreen();
});
part("lessons").addEventListener("change", ({ target }) => {
  shownLessons = target.value;
  paint();
});
part("nudge").addEventListener("submit", (event) => {
  event.preventDefault();
  send(null);
});
part("manage").addEventListener("toggle", () => {
  const people = board?.lines.map((line) => new Option(shownName(line), line.number)) ?? [];
  part("whom").replaceChildren(new Option("The whole class", ""), ...people);
});
for (const form of ["csv", "json"]) {
  part(form).addEventListener("click", () => act(() => save(form)));
}
part("delete").addEventListener("click", () => act(remove));
document.addEventListener("fullscreenchange", () => {
  part("fill").textContent = document.fullscreenElement ? "Leave full screen" : "Fill the screen";
});
setInterval(() => {
  for (const time of section.querySelectorAll(".time")) {
    time.textContent = minutes(now() - Number(time.dataset.since));
  }
}, RENEW_TIMES);
hideNames(wereHidden());
