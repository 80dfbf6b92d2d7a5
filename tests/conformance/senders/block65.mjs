// @block65/webcrypto-web-push: it describes a request, and its README sends that with fetch.

import { buildPushPayload } from "@block65/webcrypto-web-push";

import { post, read } from "./arguments.mjs";

const { subscription, payload, ttl, urgency, topic, ...vapid } = read();
// It takes text, and numbers or objects that it writes as JSON: no bytes.
const message = { data: payload.toString("utf8"), options: { ttl, urgency, topic } };
await post(subscription.endpoint, await buildPushPayload(message, subscription, vapid));
