// What the board shows, piece by piece. Names and steps are a participant's words: text, and never
// markup.

const SIGNS = { done: "✓", stuck: "!", working: "…" };
const NUDGES = {
  waits: "nudge waits for their lab",
  "not fetched": "no lab fetched the nudge",
  sent: "nudged",
  "no browser": "nudge: no browser is subscribed",
  failed: "nudge failed",
};


export function sum(lines) {
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

export const count = (lines, state) => lines.filter((line) => line.state === state).length;

export function tripItem({ lesson, exercise, step, people }) {
  const item = make("li");
  const at = make("code", step || "a step without a name");
  const place = make("span", ` in ${lesson} ${exercise}`, "note");
  item.append(make("b", `${people} people at `), at, place);
  return item;
}

export function barItem({ number, title, done, stuck, working, not_begun: idle }) {
  const item = make("li");
  const bar = make("span", "", "bar");
  // A piece for each participant; the first of each state has their number.
  for (const [state, people] of Object.entries({ done, working, stuck, idle })) {
    for (let piece = 0; piece < people; piece += 1) {
      const made = make("i", piece ? "" : String(people));
      made.dataset.state = state;
      bar.append(made);
    }
  }
  bar.role = "img";
  bar.ariaLabel = `${done} done, ${working} working, ${stuck} stuck, ${idle} not begun`;
  item.append(make("span", `${number} ${title}`, "lesson"), bar);
  return item;
}

// Two rows of headings: the lessons, and below each its exercises by number.
export function heads(bars) {
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

// The row of a participant. `name` is shown, `now` is the server's time in seconds, and `nudge` is
// called when the button is pressed.
export function row(line, bars, { name: shown, now, nudge }) {
  const made = make("tr");
  made.dataset.state = line.state;
  made.dataset.number = line.number;
  const name = make("th", shown, "participant");
  name.scope = "row";
  const both = make("div");
  both.append(words(line, now), nudgeButton(shown, nudge));
  const where = make("td", "", "where");
  where.append(both);
  made.append(name, where);
  for (const { number, exercises } of bars) {
    for (const exercise of exercises) made.append(cell(line.exercises[`${number}.${exercise}`]));
  }
  return made;
}

// Where a participant is, and for how long.
function words(line, now) {
  const { state, lesson, exercise, step, same, attempts, since, nudge, nudged_at: at } = line;
  const made = make("p");
  const time = make("span", minutes(now - since), "time");
  time.dataset.since = since;
  const place = `${lesson} ${exercise}`;
  const tries = counted(attempts);
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
  if (nudge) {
    const what = `${NUDGES[nudge] ?? nudge}, ${minutes(now - at)} ago`;
    made.append(make("span", what, "nudged note"));
  }
  return made;
}

function nudgeButton(name, nudge) {
  const button = make("button", "Nudge");
  button.type = "button";
  button.ariaLabel = `Nudge ${name}`;
  button.addEventListener("click", nudge);
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
  made.title = [state, counted(attempts), step].filter(Boolean).join(", ");
  const sign = make("span", SIGNS[state]);
  sign.ariaHidden = "true";
  made.append(sign, make("span", `${state}, ${counted(attempts)}`, "unseen"));
  return made;
}

function counted(attempts) {
  return `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
}

export function minutes(seconds) {
  const passed = Math.max(0, seconds) / 60;
  if (passed < 1) return "under 1 min";
  if (passed < 120) return `${Math.floor(passed)} min`;
  return `${Math.floor(passed / 60)} h`;
}

export function make(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
