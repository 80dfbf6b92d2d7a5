// web-push: sendNotification(), which sends with node:https.

import webpush from "web-push";

import { read } from "./arguments.mjs";

const { subscription, payload, ttl, urgency, topic, ...vapidDetails } = read();
const options = { TTL: ttl, urgency, topic, vapidDetails };
console.log((await webpush.sendNotification(subscription, payload, options)).statusCode);
