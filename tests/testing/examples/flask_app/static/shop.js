async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") return "Then we tell you nothing.";
  await navigator.serviceWorker.register("worker.js");
  const { pushManager } = await navigator.serviceWorker.ready;
  const applicationServerKey = await (await fetch("key")).text();
  const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
  const headers = { "Content-Type": "application/json" };
  await fetch("subscriptions", { method: "POST", headers, body: JSON.stringify(subscription) });
  return "We will tell you.";
}

document.getElementById("subscribe").addEventListener("click", async () => {
  document.getElementById("state").textContent = await subscribe();
});
