// The client page. After each action, `render()` asks the browser what is true now and paints that.

import { actionOf, greet, introduce, known } from "./actions.js";
import { explain, standing, StepFault } from "./explain.js";
import { follow } from "./log.js";
import { belongsTo, look, notificationsShown, surroundings } from "./push.js";
import { refreshRoom } from "./room.js";
import { getParticipants, isRoom, report } from "./server.js";
import { $, BUTTONS, flash, hold, paint, paintNotifications } from "./view.js";
import { paintRoom, release, say, sayFault, shutLog } from "./view.js";
import { name, rename, token } from "./who.js";

const AFTER_NEWS = 500; // milliseconds

let listing; // the timer of the list of notifications
let underWay = false; // an action is
let fault = null; // what the last action ran into, as `explain` tells it
let news = null; // what the worker found wrong with a push
let painting = Promise.resolve();

// Run an action from the click to the page that shows what came of it. `action` is called before
// anything is awaited: a browser asks for permission only while it handles the click.
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

// The server knows its own errors (they have an id); the browser's are news to it.
async function tell(action, error) {
  if (!error.id) await report("error", { action, error: error.name });
}

// One rendering after the other, so that an older answer never covers a newer one.
function render() {
  painting = painting.then(ask).then(show, refuse);
  return painting;
}

async function ask() {
  const facts = await look();
  const { subscription } = facts;
  const { serverKey, stored } = known;
  return {
    ...facts,
    fault,
    mayNotifyAll: !known.room || Boolean(token()),
    supported: facts.secure && facts.missing.length === 0,
    keyFits: !subscription || !serverKey || belongsTo(subscription, serverKey),
    stored: Boolean(subscription) && stored === subscription.endpoint,
  };
}

function show(facts) {
  paint(facts);
  clearTimeout(listing);
  listing = setTimeout(async () => paintNotifications(await notificationsShown()), AFTER_NEWS);
  if (underWay) return; // what that comes to is said first
  release(facts);
  // Where nothing can be pressed, the reason stands where the buttons are, and not at a step alone.
  const obstacle = standing("secure", facts) ?? standing("supported", facts);
  if (obstacle && !$("outcome").textContent) sayFault(obstacle, "error");
  if (news) sayFault(news, "note");
  news = null;
}

// The worker tells what happened. A push that a lesser worker would have lost is worth a word.
async function hear({ data }) {
  if (data.fault) {
    const cause = { name: data.fault, message: "" };
    news = explain(new StepFault("message", cause), surroundings());
  }
  await render();
}

function refuse(error) {
  sayFault(explain(new StepFault("look", error), surroundings()), "error");
  document.body.dataset.state = "unsupported";
  delete document.body.dataset.busy;
}

async function begin() {
  known.room = await isRoom();
  paintRoom(known.room, Boolean(token()), name());
  if (known.room && !token()) shutLog();
  else follow($("events"), hearEvent, token(), isRefused);
  return greet();
}

function hearEvent(event) {
  flash(event);
  if (known.room) refreshRoom($("room"));
}

// In a room the story is the instructor's, and a token may be one of a lab that has ended.
async function isRefused() {
  try {
    await getParticipants();
    return false;
  } catch (error) {
    if (error.status === 401) shutLog();
    return error.status === 401;
  }
}

// ---- wired once -------------------------------------------------------------------------------

for (const button of BUTTONS) {
  button.addEventListener("click", () => {
    if (!underWay) act(button.id, actionOf(button.id));
  });
}
// The worker, the browser's settings or another tab may change everything.
navigator.serviceWorker?.addEventListener("message", hear);
addEventListener("focus", render);
navigator.permissions
  ?.query({ name: "notifications" })
  .then((permission) => permission.addEventListener("change", render));
$("name").addEventListener("change", () => {
  rename($("name").value);
  introduce().catch(refuse);
});
act("load", begin);
