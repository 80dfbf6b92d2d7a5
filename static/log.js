// The log: the events of the two servers and the user agents (GET /events, server-sent events).
//
// Each row begins with a piece of a sequence diagram: three lanes and one arrow.

const LANES = { "user agent": 10, "push service": 36, "application server": 62 };
const EVENTS_KEPT = 200;
const SVG = "http://www.w3.org/2000/svg";

// A browser reopens a stream that broke, but not one that was refused. The page does that itself.
const REOPEN_AFTER = 3000;

// Fill `list` (an <ol>) with events from now on, and call `onEvent` with each. The instructor's
// `token` goes into the URL, because an EventSource sends no header of ours. When the stream is
// refused, `refused` returns true if this page may not read it; then there is no further attempt.
export function follow(list, onEvent, token, refused) {
  list.replaceChildren(); // a new stream begins with the earlier events
  const query = token && `?access_token=${encodeURIComponent(token)}`;
  const stream = new EventSource(`events${query}`);
  stream.addEventListener("message", (message) => {
    const event = JSON.parse(message.data);
    append(list, row(event));
    onEvent(event);
  });
  stream.addEventListener("open", () => delete list.dataset.lost);
  stream.addEventListener("error", async () => {
    list.dataset.lost = "";
    if (stream.readyState !== EventSource.CLOSED) return;
    if (await refused()) delete list.dataset.lost;
    else setTimeout(follow, REOPEN_AFTER, list, onEvent, token, refused);
  });
}

function append(list, item) {
  const box = list.parentElement;
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  list.append(item);
  if (list.children.length > EVENTS_KEPT) list.firstElementChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight; // unless the reader has scrolled back
}

function row(event) {
  const alone = event.source === event.target;
  const item = document.createElement("li");
  item.dataset.party = event.source;
  const time = new Date(event.at * 1000);
  const clock = text("time", "when", time.toTimeString().slice(0, 8));
  clock.dateTime = time.toISOString();
  const route = text("p", "route", "");
  route.append(party(event.source), ...(alone ? [] : [" → ", party(event.target)]));
  const what = text("p", "what", event.what);
  const detail = Object.entries(event.detail)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${value}`);
  if (detail.length) what.append(" ", text("span", "detail", detail.join(" · ")));
  if (event.who) {
    const who = text("span", "who", event.who);
    if (event.label) who.title = `subscription ${event.label}`;
    what.append(" ", who);
  }
  what.append(" ", clock);
  const words = text("div", "words", "");
  words.append(route, what);
  item.append(arrow(LANES[event.source], LANES[event.target]), words);
  return item;
}

function party(name) {
  const span = text("span", "party", name);
  span.dataset.party = name;
  return span;
}

function text(tag, className, content) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = content;
  return element;
}

// The arrow from x to x2, or a dot for an event of one party alone.
function arrow(x, x2) {
  const drawing = shape("svg", { class: "arrow", viewBox: "0 0 72 20", "aria-hidden": "true" });
  const tip = x2 > x ? -9 : 9;
  drawing.append(
    ...(x === x2
      ? [shape("circle", { cx: x, cy: 10, r: 5 })]
      : [
          shape("path", { class: "line", d: `M${x} 10H${x2 + tip / 2}` }),
          shape("path", { class: "tip", d: `M${x2} 10l${tip} -5.5v11z` }),
        ]),
  );
  return drawing;
}

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
