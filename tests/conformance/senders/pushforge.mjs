// @pushforge/builder: it describes a request, and its README sends that with fetch.

import { buildPushHTTPRequest } from "@pushforge/builder";

import { jwk, post, read } from "./arguments.mjs";

const { subscription, payload, ttl, urgency, topic, subject, ...keys } = read();
// It writes what it is given as JSON, also a text. So a text that is JSON is parsed first.
const { endpoint, headers, body } = await buildPushHTTPRequest({
  privateJWK: jwk(keys),
  subscription,
  message: { payload: value(payload), options: { ttl, urgency, topic }, adminContact: subject },
});
await post(endpoint, { headers, body });

function value(bytes) {
  const text = bytes.toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
