// The client page. After each action, `render()` reads the facts from the browser and paints them.

import { actionOf, followTabs, greet, introduce, known } from "./actions.js";
import { followBoard } from "./board.js";
import { explain, standing, StepFault } from "./explain.js";
import { follow } from "./log.js";
import { belongsTo, look, multiplyPatience, notificationsShown, surroundings } from "./push.js";
import { refreshRoom } from "./room.js";
import { exchange, getHealth, getParticipants, report, ServerError } from "./server.js";
import { $, BUTTONS, flash, hold, paint, paintNotifications } from "./view.js";
import { paintRoom, paintUnknown, release, say, sayFault, shutLog } from "./view.js";
import { code, enter, hasOldLink, leave, name, rename, token } from "./who.js";

const AFTER_NEWS = 500; // milliseconds

const ONLY_STEERS =
  "You lead the room from this page. It came by plain http, so this browser itself receives no " +
  "messages. You do not need them here.";

let listing; // the timer of the list of notifications
let underWay = false; // whether an action is running
let fault = null; // the fault of the last action, as `explain` returns it
let news = null; // the fault that the worker found in a push message
let painting = Promise.resolve();

// Run an action, from the click until the page shows its result. `action` is called before anything
// is awaited, because a browser asks for permission only while it handles the click.
async function act(id, action) {
  const work = action();
  underWay = true;
  fault = null;
  hold(id);
  say($(id) ? `${$(id).textContent} …` : "", "busy");
  try {
    say(await work, "done");
  } catch (error) {
    fault = explain(error, surroundings());
    sayFault(fault, "error");
    await tell(id, error.cause ?? error);
  }
  underWay = false;
  await render();
}

// Report the browser's errors to the server. Its own errors, which have an id, it knows.
async function tell(action, error) {
  if (!error.id) await report("error", { action, error: error.name });
}

// Render one after the other, so that older facts never replace newer ones.
function render() {
  painting = painting.then(ask).then(show, refuse);
  return painting;
}

// A worker that takes long to install is active at some time. `ready` waits for it, however long.
async function renderWhenActive() {
  await navigator.serviceWorker?.ready;
  await render();
}

async function ask() {
  const facts = await look();
  const { subscription } = facts;
  const { serverKey, stored } = known;
  return {
    ...facts,
    fault,
    room: known.room,
    instructor: known.room && Boolean(token()),
    mayNotifyAll: !known.room || Boolean(token()),
    supported: facts.secure && facts.missing.length === 0,
    keyFits: !subscription || !serverKey || belongsTo(subscription, serverKey),
    stored: Boolean(subscription) && stored === subscription.endpoint,
  };
}

function show(facts) {
  paint(facts);
  clearTimeout(listing);
  listing = setTimeout(list, AFTER_NEWS);
  if (underWay) return; // the result of the action comes first
  release(facts);
  // If no button can be pressed, the reason is shown beside the buttons too, not only at a step.
  const obstacle = standing("secure", facts) ?? standing("supported", facts);
  if (obstacle && !$("outcome").textContent) {
    if (facts.instructor) say(ONLY_STEERS, "note");
    else sayFault(obstacle, "error");
  }
  if (news) sayFault(news, "note");
  news = null;
}

// A browser that does not list its notifications may still receive messages: the page goes on.
async function list() {
  try {
    paintNotifications(await notificationsShown());
  } catch (error) {
    paintNotifications(null);
    await tell("list", error);
  }
}

// Handle a message of the worker. Explain a push that a worker without its fallbacks would lose.
async function hear({ data }) {
  if (data.fault) {
    const cause = { name: data.fault, message: "" };
    news = explain(new StepFault("message", cause), surroundings());
  }
  await render();
}

function refuse(error) {
  clearTimeout(listing);
  sayFault(explain(new StepFault("look", error), surroundings()), "error");
  paintUnknown();
}

async function begin() {
  let refused = await comeIn().catch((error) => error);
  const { room, patience } = await getHealth();
  known.room = room;
  multiplyPatience(patience);
  if (known.room && token() && (await isRefused())) refused ??= sessionEnded();
  paintRoom(known.room, Boolean(token()), name());
  if (known.room && !token()) shutLog();
  else follow($("events"), hearEvent, token(), hasEnded);
  if (known.room && token()) followBoard();
  const said = await greet();
  if (refused) throw refused;
  return said;
}

// Become the instructor's page, if the link has a code for that. Without it nothing happens.
async function comeIn() {
  if (hasOldLink) {
    throw new ServerError(
      "old-link",
      "This link holds a token, as links of an earlier version did. The browser would keep it in " +
        "its history, so such links no longer work. Open the link that the lab prints now.",
    );
  }
  try {
    if (code) enter(await exchange(code));
  } catch (error) {
    if (!token() || (await isRefused())) throw error; // otherwise this tab has used a link before
  }
}

function hearEvent(event) {
  flash(event);
  if (known.room) refreshRoom($("room"));
}

// In a room only the instructor may read the log, and the token may be from a lab that has ended.
async function isRefused() {
  try {
    await getParticipants();
    return false;
  } catch (error) {
    return error.status === 401;
  }
}

// The stream of events was refused. If that is because the lab was started again, say so.
async function hasEnded() {
  if (!(await isRefused())) return false;
  shutLog();
  paintRoom(known.room, false, name());
  sayFault(explain(sessionEnded(), surroundings()), "error");
  await render();
  return true;
}

function sessionEnded() {
  leave();
  return new ServerError("session-ended", "");
}

// ---- event listeners --------------------------------------------------------------------------

for (const button of BUTTONS) {
  button.addEventListener("click", () => {
    if (!underWay) act(button.id, actionOf(button.id));
  });
}
// The worker, the browser's settings or another tab may change everything.
navigator.serviceWorker?.addEventListener("message", hear);
addEventListener("focus", render);
followTabs(render);
navigator.permissions
  ?.query({ name: "notifications" })
  .then((permission) => permission.addEventListener("change", render));
$("name").addEventListener("change", () => {
  rename($("name").value);
  introduce().catch((error) => sayFault(explain(error, surroundings()), "error"));
});
await act("load", begin);
renderWhenActive().catch(refuse);
