// webpush-webcrypto: it describes a request, and its README sends that with fetch.

import { createPrivateKey, webcrypto } from "node:crypto";
import { ApplicationServerKeys, generatePushHTTPRequest, setWebCrypto } from "webpush-webcrypto";

import { jwk, post, read } from "./arguments.mjs";

setWebCrypto(webcrypto);
const { subscription, payload, ttl, urgency, topic, subject, ...keys } = read();
const pkcs8 = createPrivateKey({ key: jwk(keys), format: "jwk" }).export({
  type: "pkcs8",
  format: "der",
});
const { endpoint, headers, body } = await generatePushHTTPRequest({
  applicationServerKeys: await ApplicationServerKeys.fromJSON({
    publicKey: keys.publicKey,
    privateKey: pkcs8.toString("base64url"),
  }),
  payload: new Uint8Array(payload),
  target: subscription,
  adminContact: subject,
  ttl,
  topic,
  urgency,
});
await post(endpoint, { headers, body });
