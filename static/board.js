// The board, for the instructor's page: which exercises the participants have solved, and who is stuck.
//
// The server sends the whole board at each change, sorted so that who needs help is on top. Names and
// steps are a participant's words: they are set as text and never as markup.

import { classStatus, deleteClass, exportClass, nudge, removeParticipant } from "./server.js";
import { token } from "./who.js";

const REOPEN_AFTER = 3000; // milliseconds
const RENEW_TIMES = 15_000; // milliseconds
const NAMES = "pushlab-names";

const SIGNS = { done: "✓", stuck: "!", working: "…" };
const NUDGES = {
  waits: "nudge waits for their lab",
  "not fetched": "no lab fetched the nudge",
  sent: "nudged",
  "no browser": "nudge: no browser is subscribed",
  failed: "nudge failed",
};

const section = document.getElementById("board");
const part = (name) => section.querySelector(`.${name}`);

let board = null; // the last one that came
let behind = 0; // seconds by which the server's clock is behind this one
let shownLessons = "now";

// Follow the board from now on. A browser reopens a stream that broke, but not one that was refused.
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

// ---- what is shown --------------------------------------------------------------------------------

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
  part("people").querySelector("tbody").replaceChildren(...lines.map((line) => row(line, chosen)));
  focusAgain(focused);
}

function sum(lines) {
  if (!lines.length) return "Nobody has joined yet.";
  const counts = [
    [count(lines, "stuck"), "stuck"],
    [count(lines, "working"), "working"],
    [count(lines, "done"), "solved their last exercise"],
    [count(lines, "joined"), "not begun"],
  ];
  const said = counts.filter(([many]) => many).map(([many, what]) => `${many} ${what}`);
  return `${lines.length} in the class: ${said.join(", ")}.`;
}

const count = (lines, state) => lines.filter((line) => line.state === state).length;

function tripItem({ lesson, exercise, step, people }) {
  const item = make("li");
  const at = make("code", step || "a step without a name");
  item.append(make("b", `${people} people `), at, make("span", ` in ${lesson} ${exercise}`, "note"));
  return item;
}

function barItem({ number, title, done, stuck, working, not_begun: idle }) {
  const item = make("li");
  const bar = make("span", "", "bar");
  const parts = { done, working, stuck, idle };
  for (const [state, people] of Object.entries(parts)) {
    if (!people) continue;
    const piece = make("span", String(people));
    piece.dataset.state = state;
    piece.style.flexGrow = people;
    bar.append(piece);
  }
  bar.role = "img";
  bar.ariaLabel = `${done} done, ${working} working, ${stuck} stuck, ${idle} not begun`;
  item.append(make("span", `${number} ${title}`, "lesson"), bar);
  return item;
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
  const now = new Set(lines.map(({ lesson }) => lesson));
  return bars.filter(
    ({ number }) => shownLessons === "all" || shownLessons === number || (shownLessons === "now" && now.has(number)),
  );
}

// Two rows of headings: the lessons, and below each its exercises by number.
function heads(bars) {
  const [upper, lower] = [make("tr"), make("tr")];
  for (const [text, name] of [["Participant", "participant"], ["Where", "where"]]) {
    const head = make("th", text, name);
    head.scope = "col";
    head.rowSpan = 2;
    upper.append(head);
  }
  for (const { number, title, exercises } of bars) {
    const head = make("th", `${number} ${title}`, "lesson");
    head.scope = "colgroup";
    head.colSpan = exercises.length;
    upper.append(head);
    exercises.forEach((exercise, index) => {
      const column = make("th", String(index + 1), "exercise");
      column.scope = "col";
      column.title = exercise;
      lower.append(column);
    });
  }
  return bars.length ? [upper, lower] : [upper];
}

function row(line, bars) {
  const made = make("tr");
  made.dataset.state = line.state;
  made.dataset.number = line.number;
  const name = make("th", shownName(line), "participant");
  name.scope = "row";
  made.append(name, where(line));
  for (const { number, exercises } of bars) {
    for (const exercise of exercises) made.append(cell(line.exercises[`${number}.${exercise}`]));
  }
  return made;
}

// Where a participant is, for how long, and the button that nudges them.
function where(line) {
  const made = make("td", "", "where");
  const both = make("div");
  both.append(words(line), nudgeButton(line));
  made.append(both);
  return made;
}

function words({ state, lesson, exercise, step, same, attempts, since, nudge: last, nudged_at: at }) {
  const made = make("p");
  const time = make("span", minutes(since), "time");
  time.dataset.since = since;
  const place = `${lesson} ${exercise}`;
  const tries = `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
  switch (state) {
    case "stuck":
      made.append(make("b", "Stuck", "state"), ` in ${place} at `, make("code", step || "a step"));
      made.append(`, ${same} times, for `, time);
      break;
    case "working":
      made.append(make("b", "Working", "state"), ` on ${place}`);
      if (step) made.append(", now at ", make("code", step));
      made.append(attempts ? `, ${tries}, for ` : ", for ", time);
      break;
    case "done":
      made.append(make("b", "Solved", "state"), ` ${place} after ${tries}, `, time, " ago");
      break;
    case "joined":
      made.append("Joined ", time, " ago, and has not begun");
      break;
    default:
      throw new Error(`No participant is ${state}`);
  }
  if (last) made.append(make("span", `${NUDGES[last] ?? last}, ${minutes(at)} ago`, "nudged note"));
  return made;
}

function nudgeButton({ number, name }) {
  const button = make("button", "Nudge");
  button.type = "button";
  button.ariaLabel = `Nudge ${shownName({ number, name })}`;
  button.addEventListener("click", () => send([number]));
  return button;
}

function cell(standing) {
  const made = make("td", "", "exercise");
  if (!standing) {
    made.append(make("span", "not begun", "unseen"));
    return made;
  }
  const { state, attempts, step } = standing;
  made.dataset.state = state;
  made.title = [state, `${attempts} attempts`, step].filter(Boolean).join(", ");
  const sign = make("span", SIGNS[state]);
  sign.ariaHidden = "true";
  made.append(sign, make("span", `${state}, ${attempts} attempts`, "unseen"));
  return made;
}

function minutes(since) {
  const passed = Math.max(0, Date.now() / 1000 - behind - since) / 60;
  if (passed < 1) return "under 1 min";
  if (passed < 120) return `${Math.floor(passed)} min`;
  return `${Math.floor(passed / 60)} h`;
}

function make(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- names ----------------------------------------------------------------------------------------

const areHidden = () => document.body.dataset.names === "hidden";
const shownName = ({ number, name }) => (areHidden() ? `Participant ${number}` : name);

function hideNames(hidden) {
  document.body.dataset.names = hidden ? "hidden" : "shown";
  part("hide").ariaPressed = String(hidden);
  try {
    sessionStorage.setItem(NAMES, hidden ? "hidden" : "");
  } catch {
    // Storage is switched off: after a reload names are shown again.
  }
  if (board) paint();
}

function wereHidden() {
  try {
    return sessionStorage.getItem(NAMES) === "hidden";
  } catch {
    return false;
  }
}

// ---- what the instructor does -----------------------------------------------------------------------

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

part("hide").addEventListener("click", () => hideNames(!areHidden()));
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
for (const form of ["csv", "json"]) part(form).addEventListener("click", () => act(() => save(form)));
part("delete").addEventListener("click", () => act(remove));
document.addEventListener("fullscreenchange", () => {
  part("fill").textContent = document.fullscreenElement ? "Leave full screen" : "Fill the screen";
});
setInterval(() => {
  for (const time of section.querySelectorAll(".time")) {
    time.textContent = minutes(Number(time.dataset.since));
  }
}, RENEW_TIMES);
hideNames(wereHidden());
