# %% [markdown]
# # Glossary
#
# Each term of the lessons, in two sentences, with the document that defines it and the lesson that
# builds it. The names are those of the RFCs. A term with no document is one that people who run such
# servers use, and no RFC defines.

# %% [markdown]
# ## A
#
# - **AES-GCM**: A cipher that encrypts a text with a key and a nonce, and adds a tag that proves
#   that nobody has changed it. Web push uses it with a key of 16 bytes and a nonce of 12
#   ([RFC 8188 §2.2](https://www.rfc-editor.org/rfc/rfc8188#section-2.2), [03](03_encrypt.ipynb)).
# - **aes128gcm**: The content coding of a push message: a header in the clear, and after it records
#   that AES-GCM has sealed. Older code may say `aesgcm`, which is a draft that the RFC replaced
#   ([RFC 8188 §2](https://www.rfc-editor.org/rfc/rfc8188#section-2), [03](03_encrypt.ipynb)).
# - **application server**: Your server, which stores subscriptions and sends messages to push
#   services. It never speaks to a browser about a message: the push service stands between them
#   ([RFC 8030 §1.1](https://www.rfc-editor.org/rfc/rfc8030#section-1.1), [00](00_start_here.ipynb)).
# - **applicationServerKey**: The public VAPID key as the page hands it to `subscribe()`: 65 bytes,
#   or their 87 characters of base64url. A subscription belongs to the key that it was made with,
#   and to no other ([W3C Push API](https://www.w3.org/TR/push-api/), [01](01_keys.ipynb)).
# - **as_private**, **as_public**: A key pair that the application server generates for one message
#   and then forgets. The public half travels in the header of the body, so that the browser can
#   compute the same keys
#   ([RFC 8291 §3.1](https://www.rfc-editor.org/rfc/rfc8291#section-3.1), [03](03_encrypt.ipynb)).
# - **aud**: The claim that names the push service a token is for, as an origin. Another push service
#   refuses the token, so no vendor can use it at another
#   ([RFC 8292 §2](https://www.rfc-editor.org/rfc/rfc8292#section-2), [04](04_sign.ipynb)).
# - **auth**, **auth_secret**: Sixteen secret bytes of a subscription, which the browser makes and
#   gives to the application server. They go into every key of a message, so whoever knows only the
#   browser's public key cannot write to it
#   ([RFC 8291 §3.2](https://www.rfc-editor.org/rfc/rfc8291#section-3.2), [02](02_subscribe.ipynb)).
# - **Authorization**: The header of a request that carries the token and the public key, as
#   `vapid t=…, k=…`. The RFC suggests 401 if the header is missing and 403 if the token is not
#   believed; vendors differ
#   ([RFC 8292 §3](https://www.rfc-editor.org/rfc/rfc8292#section-3), [05](05_send.ipynb)).
#
# ## B
#
# - **base64url**: A way to write bytes with the 64 characters `A-Z a-z 0-9 - _`, four for three
#   bytes. Plain base64 has `+` and `/` in place of the last two, and web push leaves out the padding
#   `=` ([RFC 4648 §5](https://www.rfc-editor.org/rfc/rfc4648#section-5), [01](01_keys.ipynb)).
# - **body**: What a request to a push service carries: push services must take 4096 bytes, of which
#   the encryption adds 103. The push service stores it and cannot read it
#   ([RFC 8291 §4](https://www.rfc-editor.org/rfc/rfc8291#section-4), [03](03_encrypt.ipynb)).
#
# ## C
#
# - **case**: One question of an examination: what is sent to a server, what must be seen, by which
#   rule, and what to do if it is not seen. Its id is its group and its name, such as `answers.410`
#   ([10](10_your_server.ipynb)).
# - **CEK**: The content encryption key, 16 bytes with which AES-GCM seals one message. Both ends
#   derive it from the PRK, and it never travels
#   ([RFC 8188 §2.2](https://www.rfc-editor.org/rfc/rfc8188#section-2.2), [03](03_encrypt.ipynb)).
# - **claim**: A statement in a token: for whom it is (`aud`), until when it is good (`exp`), whom to
#   contact (`sub`). The sender signs all of them together, and the push service checks each
#   ([RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4), [04](04_sign.ipynb)).
# - **clients.claim()**: The method by which an active service worker becomes the controller of pages
#   that were loaded before it. Without it, such a page has no controller, or an older one, until it
#   is loaded again ([Service Workers](https://www.w3.org/TR/service-workers/),
#   [07b](07b_worker_life.ipynb)).
# - **Content-Encoding**: The header that says how a body was made, here `aes128gcm`. A message
#   without a payload has no body, and needs no such header
#   ([RFC 9110 §8.4](https://www.rfc-editor.org/rfc/rfc9110#section-8.4), [05](05_send.ipynb)).
# - **controller**: The active service worker that a page had when it was loaded, or that has claimed
#   the page since. Push needs none: its event goes to the active worker, with or without a page
#   ([Service Workers](https://www.w3.org/TR/service-workers/), [07b](07b_worker_life.ipynb)).
#
# ## D
#
# - **declarative push**: A payload in JSON that a browser can show by itself, without waking the
#   page's worker. Safari does so, and Firefox and Chromium hand the same JSON to the worker
#   ([W3C Push API](https://www.w3.org/TR/push-api/), [07b](07b_worker_life.ipynb)).
# - **delimiter**: The byte that ends the text in a record: `02` in the last one, `01` in all others.
#   Zeros may follow it, to hide how long the text is
#   ([RFC 8188 §2](https://www.rfc-editor.org/rfc/rfc8188#section-2), [03](03_encrypt.ipynb)).
# - **DER**: A binary format that wraps a key in bytes that name its kind and its curve. Libraries
#   write keys and signatures in it, and a browser wants neither
#   ([RFC 5480 §2](https://www.rfc-editor.org/rfc/rfc5480#section-2), [01](01_keys.ipynb)).
#
# ## E
#
# - **ECDH**, **ecdh_secret**: Elliptic-curve Diffie-Hellman: my private key and your public key give
#   32 bytes, and your private key and my public key give the same 32. Nobody else can compute this
#   secret, and it never travels
#   ([RFC 8291 §3.1](https://www.rfc-editor.org/rfc/rfc8291#section-3.1), [03](03_encrypt.ipynb)).
# - **endpoint**: The URL of one subscription at its push service, to which messages are sent. Treat
#   it as a secret, because whoever knows it can try to send there
#   ([RFC 8030 §4](https://www.rfc-editor.org/rfc/rfc8030#section-4), [02](02_subscribe.ipynb)).
# - **.env**: A text file with a line `NAME=value` for each setting, read when a server starts. Ours
#   holds both halves of the VAPID key in base64url and the contact address
#   ([01](01_keys.ipynb)).
# - **ES256**: The signature of a VAPID token: ECDSA on the curve P-256, over a SHA-256 hash. It has
#   64 bytes, the numbers r and s
#   ([RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4), [04](04_sign.ipynb)).
# - **exp**: The claim that says until when a token is good, in seconds since 1970. It may lie at most
#   24 hours ahead, by the push service's clock
#   ([RFC 8292 §2](https://www.rfc-editor.org/rfc/rfc8292#section-2), [04](04_sign.ipynb)).
# - **expirationTime**: The time at which a subscription will end, if its push service says so, in
#   milliseconds since 1970. It is mostly `null`, and a subscription can end earlier all the same
#   ([W3C Push API](https://www.w3.org/TR/push-api/), [02](02_subscribe.ipynb)).
#
# ## G
#
# - **gesture**: An action of the person, such as a click or a key press, which a browser remembers
#   for a moment. Firefox and Safari ask for permission only during one, and a worker opens a window
#   only after a click
#   ([HTML](https://html.spec.whatwg.org/multipage/interaction.html#tracking-user-activation),
#   [02](02_subscribe.ipynb)).
# - **gone**: What an answer 404 or 410 says of a subscription: it has ended, and never comes back.
#   Remove it, and remove none for any other status
#   ([RFC 8030 §7.3](https://www.rfc-editor.org/rfc/rfc8030#section-7.3), [05](05_send.ipynb)).
#
# ## H
#
# - **header**: In a body, the first 86 bytes in the clear: salt, rs, the length of keyid, and keyid.
#   In a token, the first part, which names the algorithm
#   ([RFC 8188 §2.1](https://www.rfc-editor.org/rfc/rfc8188#section-2.1), [03](03_encrypt.ipynb)).
# - **HKDF**: A recipe that makes keys from a secret with HMAC, in two steps: extract, then expand.
#   The `info` of the second step keeps keys for different purposes apart
#   ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869), [03](03_encrypt.ipynb)).
# - **HMAC**: A function that makes 32 bytes from a key and a message, with the hash SHA-256. Without
#   the key nobody can compute them, or tell them from random bytes
#   ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104), [03](03_encrypt.ipynb)).
#
# ## I
#
# - **IKM**: Input keying material, the secret of 32 bytes with which RFC 8188 begins. RFC 8291 makes
#   it from the ECDH secret, `auth_secret` and both public keys
#   ([RFC 8291 §3.3](https://www.rfc-editor.org/rfc/rfc8291#section-3.3), [03](03_encrypt.ipynb)).
# - **in flight**: Said of a request that was sent and has not been answered yet. A sender keeps many
#   in flight at once, because nearly all of its time is waiting
#   ([06](06_notify_all.ipynb)).
# - **installing, waiting, active**: The three places for a service worker in a registration. A new
#   worker waits until no page uses the old one, and only the active one gets `push` events
#   ([Service Workers](https://www.w3.org/TR/service-workers/), [07b](07b_worker_life.ipynb)).
#
# ## J
#
# - **job**: One message for one subscription, as a row in a table. A sender that was killed goes on
#   with the rows that are left
#   ([09](09_operate.ipynb)).
# - **JWK**: A key written as JSON, with its numbers in base64url. A public key of ours has `x` and
#   `y` in it, and the private key `d` as well
#   ([RFC 7518 §6.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2), [01](01_keys.ipynb)).
# - **JWT**: A JSON Web Token: a header and claims in JSON, and a signature over both. Each part is
#   written in base64url, and dots stand between them
#   ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519), [04](04_sign.ipynb)).
#
# ## K
#
# - **k**: The public VAPID key as a parameter of the Authorization header, in base64url. The push
#   service verifies the token with it, and compares it with the key of the subscription
#   ([RFC 8292 §3.2](https://www.rfc-editor.org/rfc/rfc8292#section-3.2), [04](04_sign.ipynb)).
# - **key_info**: The 144 bytes that tie the IKM to one browser and one message: a text, a zero byte,
#   ua_public and as_public. On either side ua_public stands first
#   ([RFC 8291 §3.3](https://www.rfc-editor.org/rfc/rfc8291#section-3.3), [03](03_encrypt.ipynb)).
# - **keyid**: The last field of a body's header, after a byte with its length. In a push message it
#   is as_public, 65 bytes
#   ([RFC 8188 §2.1](https://www.rfc-editor.org/rfc/rfc8188#section-2.1), [03](03_encrypt.ipynb)).
#
# ## L
#
# - **lane**: A worker that sends to one vendor only. If that vendor is slow or down, nobody else's
#   messages wait for it
#   ([09](09_operate.ipynb)).
# - **lease**: How long a worker may keep a job that it took. When it is over the job is free again, so a worker
#   that was killed keeps nothing
#   ([09](09_operate.ipynb)).
# - **level**: How much a case of an examination matters: MUST or SHOULD, in the meaning that RFCs give
#   these words, or practice. A practice is in no RFC, and has its reason beside it
#   ([RFC 2119](https://www.rfc-editor.org/rfc/rfc2119), [10](10_your_server.ipynb)).
# - **Location**: The header of an answer 201 that names the message's own URL. A message that still
#   waits can be withdrawn by a DELETE of that URL, where the push service allows that
#   ([RFC 8030 §5](https://www.rfc-editor.org/rfc/rfc8030#section-5), [05](05_send.ipynb)).
#
# ## N
#
# - **NONCE**: Twelve bytes that AES-GCM wants with a key, and that must never be the same for two
#   texts under one key. Both ends derive it from the PRK, so it does not travel
#   ([RFC 8188 §2.3](https://www.rfc-editor.org/rfc/rfc8188#section-2.3), [03](03_encrypt.ipynb)).
# - **notification**: What a person sees: a title and options that the service worker hands to
#   `showNotification`. It is not the push message: a message can arrive and show nothing
#   ([Notifications API](https://notifications.spec.whatwg.org/), [07](07_receive.ipynb)).
#
# ## O
#
# - **origin**: The scheme, the host and the port of a URL, with no path. `https://push.example.net`
#   is the origin of an endpoint there, and a slash at its end would be too much
#   ([RFC 6454 §4](https://www.rfc-editor.org/rfc/rfc6454#section-4), [02](02_subscribe.ipynb)).
# - **outcome**: What has become of one message: accepted, gone, refused, or to be tried again. A
#   message that was never accepted before its TTL was over has expired
#   ([09](09_operate.ipynb)).
#
# ## P
#
# - **P-256**: The elliptic curve of all keys in web push: points (x, y) of 32 bytes each that satisfy
#   one equation. Bytes that do not satisfy it are not a key, whatever their length
#   ([RFC 5480 §2.1.1](https://www.rfc-editor.org/rfc/rfc5480#section-2.1.1), [01](01_keys.ipynb)).
# - **p256dh**: The browser's public key in a subscription: 65 bytes, for which you encrypt. Its
#   private half never leaves the browser
#   ([RFC 8291 §3.1](https://www.rfc-editor.org/rfc/rfc8291#section-3.1), [02](02_subscribe.ipynb)).
# - **payload**: What the service worker finds in `event.data`: your text, decrypted. Without a body
#   there is none, and `event.data` is `null`
#   ([W3C Push API](https://www.w3.org/TR/push-api/), [07](07_receive.ipynb)).
# - **PEM**: DER in plain base64, between two lines of dashes that name what it is. It is for files,
#   and no browser takes it as an applicationServerKey
#   ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468), [01](01_keys.ipynb)).
# - **permission**: What a person answers to the browser's question whether a site may show
#   notifications: `granted`, `denied`, or `default` for no answer yet. After `denied` a page cannot
#   ask again ([Notifications API](https://notifications.spec.whatwg.org/), [02](02_subscribe.ipynb)).
# - **plaintext**: The text before it is encrypted, at most 3993 bytes in one push message. The
#   browser alone can read it again
#   ([RFC 8291 §4](https://www.rfc-editor.org/rfc/rfc8291#section-4), [03](03_encrypt.ipynb)).
# - **PRK**: A pseudorandom key, the 32 bytes that HKDF extracts from a secret. CEK and NONCE are
#   derived from it ([RFC 8188 §2.2](https://www.rfc-editor.org/rfc/rfc8188#section-2.2),
#   [03](03_encrypt.ipynb)).
# - **private key**, **d**: A number of 32 bytes, never 0, that only its owner knows. Whoever has it can
#   sign as the application server, or read as the browser
#   ([RFC 7518 §6.2.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.2), [01](01_keys.ipynb)).
# - **public key**: A point of the curve that belongs to a private key, as 65 bytes: `04`, x and y.
#   It may be shown to everybody: with it others verify a signature, or encrypt for its owner
#   ([RFC 5480 §2.2](https://www.rfc-editor.org/rfc/rfc5480#section-2.2), [01](01_keys.ipynb)).
# - **push event**: What the browser fires in the service worker when a message has arrived and could
#   be decrypted. The worker has to show something for it
#   ([W3C Push API](https://www.w3.org/TR/push-api/), [07](07_receive.ipynb)).
# - **push message**: A body and its headers on the way from the application server, through the push
#   service, to the browser. A *message* in the lessons is this, and not the notification
#   ([RFC 8030 §1.1](https://www.rfc-editor.org/rfc/rfc8030#section-1.1), [05](05_send.ipynb)).
# - **push service**: The server of the browser's vendor that makes endpoints, stores messages and
#   delivers them. The page cannot choose it
#   ([RFC 8030 §1.1](https://www.rfc-editor.org/rfc/rfc8030#section-1.1), [00](00_start_here.ipynb)).
# - **pushsubscriptionchange**: An event in the service worker which says that the subscription has
#   ended or was replaced without the page. Not every browser fires it, so a page sends its
#   subscription to the server at every visit ([W3C Push API](https://www.w3.org/TR/push-api/),
#   [07b](07b_worker_life.ipynb)).
#
# ## R
#
# - **range**: In a notify-all from several processes, the subscribers whose numbers lie between two
#   numbers, which one worker is given at a time. Each subscriber is in exactly one
#   ([06b](06b_processes.ipynb)).
# - **record**: A piece of text that is sealed at once, with a delimiter and a tag of its own. A push
#   message has exactly one
#   ([RFC 8188 §2](https://www.rfc-editor.org/rfc/rfc8188#section-2), [03](03_encrypt.ipynb)).
# - **registration**: What `register()` makes: a scope, and the service workers for it. It stays when
#   the page is gone, and a push subscription belongs to it
#   ([Service Workers](https://www.w3.org/TR/service-workers/), [07b](07b_worker_life.ipynb)).
# - **Retry-After**: The header of an answer 429 or 503 that says how long to wait before the next
#   attempt, in seconds or as a date. Whether to try again is said by the status, not by this header
#   ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3), [05](05_send.ipynb)).
# - **rs**: The record size in a body's header: four bytes, the high ones first. In a push message it
#   is larger than the one record, mostly 4096
#   ([RFC 8188 §2.1](https://www.rfc-editor.org/rfc/rfc8188#section-2.1), [03](03_encrypt.ipynb)).
#
# ## S
#
# - **salt**: Sixteen random bytes, fresh for each message and sent along in the clear. With it two
#   equal texts for one browser still get different keys
#   ([RFC 8188 §2.1](https://www.rfc-editor.org/rfc/rfc8188#section-2.1), [03](03_encrypt.ipynb)).
# - **scheduler**: The program that gives ranges of subscribers to workers, and those of a worker that
#   has died to another. It sends nothing itself, and keeps no key
#   ([06b](06b_processes.ipynb)).
# - **scope**: The part of a site that a service worker is responsible for: a URL, and every URL that
#   begins with it. A worker at `/app/sw.js` has `/app/` unless the server allows more
#   ([Service Workers](https://www.w3.org/TR/service-workers/), [02](02_subscribe.ipynb)).
# - **secure context**: A page that came by https, or from this machine itself. Only there does a
#   browser offer service workers and push
#   ([Secure Contexts](https://www.w3.org/TR/secure-contexts/), [02](02_subscribe.ipynb)).
# - **service worker**: A script that the browser keeps when the page is gone, starts for an event and
#   stops soon after it. A message may arrive with no page open, so it goes to the worker, or in
#   Safari to the browser itself if it is declarative
#   ([Service Workers](https://www.w3.org/TR/service-workers/), [07](07_receive.ipynb)).
# - **signature**, **r**, **s**: Two numbers of 32 bytes each, which only the private key can make for
#   these exact bytes and which the public key verifies. A token has them side by side, 64 bytes, and
#   not in DER ([RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4),
#   [04](04_sign.ipynb)).
# - **skipWaiting()**: The method by which a new service worker becomes active at once. It does not
#   wait until the pages of the old worker are closed
#   ([Service Workers](https://www.w3.org/TR/service-workers/), [07b](07b_worker_life.ipynb)).
# - **sub**: The claim that names whom to contact about the messages, as a `mailto:` or an `https:`
#   URL. RFC 8292 does not demand it, and some push services do
#   ([RFC 8292 §2.1](https://www.rfc-editor.org/rfc/rfc8292#section-2.1), [04](04_sign.ipynb)).
# - **subscription**: What `subscribe()` gives a page: an endpoint, p256dh and auth. It belongs to one
#   service worker in one browser, and to one applicationServerKey
#   ([W3C Push API](https://www.w3.org/TR/push-api/), [02](02_subscribe.ipynb)).
#
# ## T
#
# - **t**, **token**: A JWT that says who sends, to which push service and until when, signed with the
#   VAPID key. It says nothing about a message, so one serves for many
#   ([RFC 8292 §3.1](https://www.rfc-editor.org/rfc/rfc8292#section-3.1), [04](04_sign.ipynb)).
# - **tag**: Of AES-GCM, 16 bytes after a sealed text, which fit only this text under this key. Of a
#   notification, a name: a new notification replaces the shown one with the same tag
#   ([Notifications API](https://notifications.spec.whatwg.org/), [07](07_receive.ipynb)).
# - **take**: What one statement of the database does with a job: it gives it to one worker, and to no
#   other. Looking for a free job first and marking it later could give it to two
#   ([09](09_operate.ipynb)).
# - **Topic**: A header by which a new message replaces the one with the same topic that still waits
#   at the push service. It is 1 to 32 characters of base64url, and is not encrypted
#   ([RFC 8030 §5.4](https://www.rfc-editor.org/rfc/rfc8030#section-5.4), [05](05_send.ipynb)).
# - **TTL**: The header that says for how many seconds a message may wait for a browser that is away.
#   With 0 it is delivered now or never
#   ([RFC 8030 §5.2](https://www.rfc-editor.org/rfc/rfc8030#section-5.2), [05](05_send.ipynb)).
#
# ## U
#
# - **ua_private**, **ua_public**: The key pair that the browser makes in `subscribe()`. The public half
#   is p256dh, and the private half never leaves the browser
#   ([RFC 8291 §3.1](https://www.rfc-editor.org/rfc/rfc8291#section-3.1), [03](03_encrypt.ipynb)).
# - **update**: The browser fetches the script of a service worker again and compares it byte by byte.
#   If it differs, the browser installs it as a new worker beside the old one
#   ([Service Workers](https://www.w3.org/TR/service-workers/), [07b](07b_worker_life.ipynb)).
# - **Urgency**: A header, from `very-low` to `high`, by which a push service decides whether to wake a
#   device that saves its battery. It does not reach the browser
#   ([RFC 8030 §5.3](https://www.rfc-editor.org/rfc/rfc8030#section-5.3), [05](05_send.ipynb)).
# - **user agent**: The browser, as the RFCs call it. It makes the subscription, decrypts messages and
#   wakes the service worker
#   ([RFC 8030 §1.1](https://www.rfc-editor.org/rfc/rfc8030#section-1.1), [00](00_start_here.ipynb)).
# - **userVisibleOnly**: The promise to the browser that every push shows something to the person.
#   Chromium and Safari subscribe only with it
#   ([W3C Push API](https://www.w3.org/TR/push-api/), [02](02_subscribe.ipynb)).
#
# ## V
#
# - **VAPID**, **VAPID key**: The way in which an application server names itself to push services: a
#   token that is signed with a key pair of its own. The pair stays the same for years, and it never
#   encrypts ([RFC 8292](https://www.rfc-editor.org/rfc/rfc8292), [04](04_sign.ipynb)).
# - **verdict**: What an examination says of one case: pass, fail, warn, not applicable or not reached.
#   The last means that something else failed first, so nothing is known
#   ([10](10_your_server.ipynb)).
#
# ## W
#
# - **waitUntil**: A method of an event in the service worker that is given a promise: the browser
#   keeps the worker alive until the promise is settled. Without it, the browser may stop the worker
#   before anything is shown ([Service Workers](https://www.w3.org/TR/service-workers/),
#   [07](07_receive.ipynb)).
# - **window**: How many requests to one push service may be in flight, learned from its answers. It
#   holds for all processes of a sender together
#   ([RFC 5681 §2](https://www.rfc-editor.org/rfc/rfc5681#section-2), [06b](06b_processes.ipynb)).
# - **worker**: In a sender, a coroutine, thread or process that sends a message, then takes the
#   next, until none is left. It has nothing to do with a service worker
#   ([06](06_notify_all.ipynb)).
#
# ## X
#
# - **x**, **y**: The two numbers of a public key's point, 32 bytes each, the high ones first. Zeros in
#   front belong to them
#   ([RFC 7518 §6.2.1](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1), [01](01_keys.ipynb)).
#
# ## Numbers
#
# - **201 Created**: The answer of a push service that has accepted a message. It does not say that the
#   message was delivered, could be decrypted, or was seen
#   ([RFC 8030 §5](https://www.rfc-editor.org/rfc/rfc8030#section-5), [05](05_send.ipynb)).
