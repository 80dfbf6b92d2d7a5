// Node's web-push as a sender: the job comes on standard input, the result goes to standard output.
// senders.py says what is in both.

const fs = require("node:fs");
const https = require("node:https");
const readline = require("node:readline");
const webpush = require("web-push");

const TTL = 10000;

// Yield one subscription after the other, without holding them all.
async function* subscriptions(job) {
  let left = job.count;
  for await (const line of readline.createInterface({ input: fs.createReadStream(job.lines) })) {
    if (left-- === 0) return;
    yield JSON.parse(line);
  }
}

// The most memory held so far, in MB. As machine.py says: not maxRSS, where there is better.
function peakMemory() {
  if (!fs.existsSync("/proc/self/status")) return process.resourceUsage().maxRSS / 1024;
  return /VmHWM:\s+(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1] / 1024;
}

async function main() {
  const job = JSON.parse(fs.readFileSync(0, "utf8"));
  const agent = new https.Agent({
    keepAlive: true,
    maxSockets: job.in_flight,
    ca: fs.readFileSync(job.authority),
  });
  const options = { TTL, agent, vapidDetails: job.vapid, contentEncoding: "aes128gcm" };
  const rows = subscriptions(job);
  let accepted = 0;

  async function work() {
    for (;;) {
      const { value, done } = await rows.next();
      if (done) return;
      const response = await webpush.sendNotification(value, job.payload, options);
      accepted += response.statusCode === 201;
    }
  }

  const memory = peakMemory();
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await Promise.all(Array.from({ length: Math.min(job.in_flight, job.count) }, work));
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const used = process.cpuUsage(cpu);
  const peak = peakMemory();
  agent.destroy();
  console.log(
    JSON.stringify({
      seconds,
      cpu: (used.user + used.system) / 1e6,
      peak,
      growth: peak - memory,
      accepted,
    }),
  );
}

main();
