// The arguments that all wrappers have. Exit status 0: the push service has accepted the message.

import { createECDH } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const names = ["subscription", "payload", "ttl", "urgency", "topic", "vapid-private", "subject"];
const options = Object.fromEntries(names.map((name) => [name, { type: "string", default: "" }]));

export function read() {
  const { values } = parseArgs({ options });
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(Buffer.from(values["vapid-private"], "base64url"));
  return {
    subscription: JSON.parse(readFileSync(values.subscription, "utf8")),
    payload: readFileSync(values.payload),
    ttl: Number(values.ttl),
    urgency: values.urgency || undefined,
    topic: values.topic || undefined,
    subject: values.subject,
    privateKey: values["vapid-private"],
    publicKey: ecdh.getPublicKey("base64url"),
  };
}

// The private key as the formats of Web Crypto.
export function jwk({ publicKey, privateKey }) {
  const point = Buffer.from(publicKey, "base64url");
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((n) => n.toString("base64url"));
  return { kty: "EC", crv: "P-256", x, y, d: privateKey };
}

// For the libraries that describe a request and leave it to fetch to send it. Of a refusal, the
// beginning is shown.
export async function post(endpoint, request) {
  const response = await fetch(endpoint, { method: "POST", ...request });
  console.log(response.status);
  if (response.ok) return;
  process.exitCode = 1;
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await reader?.cancel();
  console.log(Buffer.from(value ?? []).toString("utf8").slice(0, 4096));
}
