"""A small application server for web push: accounts, subscriptions, and a queue of messages.

    pip install tornado pywebpush
    VAPID_SUBJECT=mailto:you@your.site python server.py        # http://127.0.0.1:8000/

| variable | what it is | without it |
|---|---|---|
| VAPID_SUBJECT | whom to tell of trouble: mailto:you@your.site or https://your.site | an example |
| DATA | the folder of the database and of the VAPID key | data, beside this file |
| PORT | the TCP port at 127.0.0.1 | 8000 |
| BEHIND_PROXY | 1 if a proxy in front speaks https and passes Host on | it is reached directly |
| TEST_PUSH_ORIGIN | a push service on this machine, such as http://127.0.0.1:8030 | none |

TEST_PUSH_ORIGIN is the one exception to the rule that endpoints are https and public. Leave it out in
production. What is left to you: limits on log-in attempts, backups, and your own reasons to notify.
"""

import asyncio
import base64
import contextlib
import email.utils
import hashlib
import hmac
import io
import ipaddress
import json
import logging
import mimetypes
import os
import random
import re
import secrets
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02, VapidException
from pywebpush import WebPushException, webpush
from requests.adapters import HTTPAdapter
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

HERE = Path(__file__).resolve().parent
SUBJECT = os.environ.get("VAPID_SUBJECT", "mailto:push@example.com")
DATA = Path(os.environ.get("DATA", HERE / "data"))
PORT = int(os.environ.get("PORT", "8000"))
BEHIND_PROXY = os.environ.get("BEHIND_PROXY") == "1"
TEST_PUSH_ORIGIN = os.environ.get("TEST_PUSH_ORIGIN", "")

SESSION_DAYS = 30
TTL = 24 * 3600  # seconds that a message is worth delivering
AT_ONCE = 40  # requests to push services at one time
AT_ONE_HOST = 8  # of them to one push service: the others have places left if it is slow
ANSWER_SECONDS = 20  # for an answer's status and headers
LONGEST_PAUSE = 600  # seconds that one answer can hold back other messages
CONFIRMED = 10  # 429 for so many subscriptions of one push service, and no success: all of it waits
log = logging.getLogger("push")

# On some machines a script is text/plain, and a browser refuses to run that.
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


# ---- what is kept --------------------------------------------------------------------------------

# A subscription belongs to a session: one person, in one browser. It goes when the session goes.
SCHEMA = """
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, salt BLOB, hash BLOB);
CREATE TABLE IF NOT EXISTS sessions (
    id BLOB PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    expires REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS subscriptions (
    endpoint TEXT PRIMARY KEY,
    p256dh TEXT NOT NULL,
    auth TEXT NOT NULL,
    session BLOB NOT NULL UNIQUE REFERENCES sessions ON DELETE CASCADE,
    seen REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS gone (endpoint TEXT PRIMARY KEY);
-- AUTOINCREMENT gives no number twice. Otherwise a late answer about a message that was removed would
-- delete the message that got its number, unsent.
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    host TEXT NOT NULL,
    payload TEXT NOT NULL,
    expires REAL NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS next_messages ON messages (host, due, id);
-- Until when nothing is sent to an endpoint, or to a host.
CREATE TABLE IF NOT EXISTS pauses (whom TEXT PRIMARY KEY, until REAL NOT NULL);
"""


def open_database() -> sqlite3.Connection:
    """Open the database. Each statement is a transaction of its own."""
    DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = sqlite3.connect(DATA / "push.sqlite3", isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA foreign_keys = ON")  # without this, SQLite ignores ON DELETE CASCADE
    database.executescript(SCHEMA)
    return database


def load_key() -> tuple[Vapid02, str]:
    """Return the VAPID key and its public half in base64url. The first start makes the key.

    Keep the file: with another key, every browser has to subscribe again.
    """
    path = DATA / "vapid.pem"
    if not path.exists():
        vapid = Vapid02()
        vapid.generate_keys()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(vapid.private_pem())
    vapid = Vapid02.from_file(path)
    public = vapid.public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return vapid, base64.urlsafe_b64encode(public).rstrip(b"=").decode()


def check_subject(vapid: Vapid02) -> None:
    """End the program if SUBJECT cannot be signed. RFC 8292 §2.1 allows more than this library does."""
    try:
        vapid.sign({"sub": SUBJECT, "aud": "https://push.example"})
    except VapidException:
        raise SystemExit(
            f"VAPID_SUBJECT is {SUBJECT!r}. Write mailto:you@your.site, or https://your.site with "
            "neither a path nor a port: the library signs nothing else."
        ) from None


# ---- what is accepted from a page ----------------------------------------------------------------


def check_endpoint(endpoint: object) -> str:
    """Return the endpoint. Raises ValueError unless it may be the URL of a push service.

    Where its host's name leads is looked at when a message is sent: see PublicConnection.
    """
    if not isinstance(endpoint, str) or not re.fullmatch(r"[!-~]{1,2048}", endpoint):
        raise ValueError("The subscription has no endpoint.")
    url = urlsplit(endpoint)
    if TEST_PUSH_ORIGIN and f"{url.scheme}://{url.netloc}" == TEST_PUSH_ORIGIN:
        return endpoint
    if url.scheme != "https" or url.port not in (None, 443) or "@" in url.netloc or not url.hostname:
        raise ValueError("The endpoint is not https at a push service.")
    return endpoint


def check_keys(keys: object) -> tuple[str, str]:
    """Return p256dh and auth. Raises ValueError unless a message can be encrypted with them."""
    try:
        p256dh, auth = keys["p256dh"], keys["auth"]
        point, secret = (base64.urlsafe_b64decode(text + "==") for text in (p256dh, auth))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except (TypeError, KeyError, ValueError):
        raise ValueError("p256dh or auth is broken.") from None
    if (len(point), len(secret)) != (65, 16):
        raise ValueError("p256dh or auth has the wrong length.")
    return p256dh, auth


# ---- the routes ----------------------------------------------------------------------------------


class Handler(RequestHandler):
    """What all routes share: headers, the session, JSON in and out."""

    def initialize(self, push: "Push") -> None:
        self.push, self.database = push, push.database

    def set_default_headers(self) -> None:
        set_security_headers(self)

    def prepare(self) -> None:
        """Refuse what another site's page sends with this person's cookie (CSRF)."""
        if self.request.method != "POST":
            return
        if self.request.headers.get("Origin", "").partition("://")[2] != self.request.host:
            raise HTTPError(403, "This request comes from another site.")
        try:
            self.body = json.loads(self.request.body)
            json.dumps(self.body, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError):  # RecursionError: thousands of brackets
            self.body = None
        if not isinstance(self.body, dict):
            raise HTTPError(400, "The body is not a JSON object.")

    def write_error(self, status_code: int, **what: tuple) -> None:
        """Write the sentence of an HTTPError; of any other error the page learns nothing."""
        error = what.get("exc_info", (None, None))[1]
        self.finish({"error": getattr(error, "log_message", None) or "The server has failed."})

    def session(self) -> sqlite3.Row | None:
        """Return the session that the cookie names, or None."""
        query = "SELECT * FROM sessions WHERE id = ? AND expires > ?"
        return self.database.execute(query, (self.session_id(), time.time())).fetchone()

    def session_id(self) -> bytes:
        """Return the cookie's digest. Whoever reads the database cannot log in with it."""
        return hashlib.sha256(self.get_cookie("session", "").encode()).digest()

    def require_session(self) -> sqlite3.Row:
        """Return the session. Raises HTTPError 401 if nobody is logged in."""
        if session := self.session():
            return session
        raise HTTPError(401, "Log in first.")


def set_security_headers(handler: RequestHandler) -> None:
    policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    handler.set_header("Content-Security-Policy", policy)
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "no-referrer")
    handler.set_header("Cross-Origin-Opener-Policy", "same-origin")


class Me(Handler):
    """GET /me: who is logged in, and the key to subscribe with."""

    def get(self) -> None:
        session = self.session()
        self.set_header("Cache-Control", "no-store")
        self.finish({"user": session["user"] if session else None, "key": self.push.public_key})


class LogIn(Handler):
    """POST /login {name, password}. The first log-in makes the account: put your own log-in here."""

    async def post(self) -> None:
        name, password = self.body.get("name"), self.body.get("password")
        if not isinstance(name, str) or not isinstance(password, str) or not name:
            raise HTTPError(400, "A name and a password, please.")
        if not 8 <= len(password) <= 128:
            raise HTTPError(400, "A password has 8 to 128 characters.")
        if not await self.is_right(name, password.encode()):
            raise HTTPError(403, "Name or password is wrong.")
        # A browser has one session. The one before it ends, and its subscription with it.
        now, token = time.time(), secrets.token_urlsafe()
        ended = "DELETE FROM sessions WHERE id = ? OR expires < ?"
        self.database.execute(ended, (self.session_id(), now))
        session = hashlib.sha256(token.encode()).digest(), name, now + SESSION_DAYS * 86400
        self.database.execute("INSERT INTO sessions VALUES (?, ?, ?)", session)
        self.set_cookie(
            "session", token, expires_days=SESSION_DAYS,
            httponly=True, samesite="Lax", secure=self.request.protocol == "https",
        )  # fmt: skip
        self.finish({})

    async def is_right(self, name: str, password: bytes) -> bool:
        """Say whether it is this account's password. An unknown name becomes an account."""
        known = self.database.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
        salt = known["salt"] if known else secrets.token_bytes(16)
        # It takes long on purpose, so it runs in a thread. OWASP asks for at least these numbers.
        hashed = await asyncio.to_thread(hashlib.scrypt, password, salt=salt, n=2**14, r=8, p=5)
        if known:
            return hmac.compare_digest(hashed, known["hash"])
        insert = "INSERT INTO users VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        return self.database.execute(insert, (name, salt, hashed)).rowcount == 1


class LogOut(Handler):
    """POST /logout: end the session. Its subscription and the messages that wait for it go too."""

    def post(self) -> None:
        self.database.execute("DELETE FROM sessions WHERE id = ?", (self.session_id(),))
        self.clear_cookie("session")
        self.finish({})


class AddSubscription(Handler):
    """POST /add-subscription {endpoint, keys}: 201 new, 200 known, 410 ended at its push service."""

    def post(self) -> None:
        session = self.require_session()["id"]
        try:
            endpoint = check_endpoint(self.body.get("endpoint"))
            keys = check_keys(self.body.get("keys"))
        except ValueError as error:
            raise HTTPError(400, str(error)) from None
        if self.database.execute("SELECT * FROM gone WHERE endpoint = ?", (endpoint,)).fetchone():
            raise HTTPError(410, "The push service has ended this subscription: make a new one.")
        query = "SELECT p256dh, auth FROM subscriptions WHERE endpoint = ?"
        known = self.database.execute(query, (endpoint,)).fetchone()
        # To know an endpoint is not to own it. A browser never changes the keys of an endpoint.
        if known and (known["p256dh"], known["auth"]) != keys:
            raise HTTPError(409, "This endpoint is known with other keys.")
        with self.database:  # all of it or nothing
            self.database.execute("BEGIN")
            # This browser's older endpoint ends; so does what another person has left in it.
            ended = "DELETE FROM subscriptions WHERE (session = ?) != (endpoint = ?)"
            self.database.execute(ended, (session, endpoint))
            upsert = """INSERT INTO subscriptions VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (endpoint) DO UPDATE SET seen = excluded.seen"""
            self.database.execute(upsert, (endpoint, *keys, session, time.time()))
        self.set_status(200 if known else 201)
        self.finish({})


class RemoveSubscription(Handler):
    """POST /remove-subscription {endpoint}: forget it, if it is this session's."""

    def post(self) -> None:
        session = self.require_session()["id"]
        query = "DELETE FROM subscriptions WHERE session = ? AND endpoint = ?"
        self.database.execute(query, (session, str(self.body.get("endpoint"))))
        self.finish({})


class NotifyMe(Handler):
    """POST /notify-me: queue a message to each of this person's devices, and answer at once."""

    def post(self) -> None:
        user = self.require_session()["user"]
        queued = self.push.notify(user, "Hello", "This is a test.", tag="test")
        if not queued:
            raise HTTPError(409, "You have no device with notifications.")
        self.set_status(202)
        self.finish({"queued": queued})


class Files(StaticFileHandler):
    """The page, its script and its worker, and no other file of this folder."""

    def set_default_headers(self) -> None:
        set_security_headers(self)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-cache")  # ask each time whether there is a newer one


# ---- sending -------------------------------------------------------------------------------------


INTERNET = ipaddress.ip_network("2000::/3")  # of IPv6, all that is assigned
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address where there is IPv6 alone, RFC 6052


def is_public(text: str) -> bool:
    """Say whether an address is on the internet. An IPv6 address may lead to an IPv4 address in it."""
    address = ipaddress.ip_address(text)
    if address.version == 6:
        if address.ipv4_mapped or address in NAT64:
            address = ipaddress.IPv4Address(address.packed[-4:])
        elif address not in INTERNET or address.sixtofour:
            return False
    return address.is_global


class PublicConnection(HTTPSConnection):
    """A connection that refuses addresses of your own network, whatever DNS has just said."""

    def _new_conn(self):
        connection = super()._new_conn()
        if not is_public(connection.getpeername()[0]):
            connection.close()
            raise OSError("the endpoint's host has no public address")
        return connection

    def getresponse(self):
        """End the connection if status and headers take too long. `timeout` limits each read alone."""
        timer = threading.Timer(ANSWER_SECONDS, self.sock.shutdown, [socket.SHUT_RDWR])
        timer.start()
        try:
            return super().getresponse()
        finally:
            timer.cancel()


class PublicPool(HTTPSConnectionPool):
    ConnectionCls = PublicConnection


def drop_body(response: requests.Response, **_: object) -> None:
    """Leave an answer's body unread. It has nothing that we need, and may never end."""
    if response.headers.get("Content-Length") == "0":
        response.raw.drain_conn()  # there is no body, and the connection can be used again
    response.close()
    response.raw = io.BytesIO()


def open_session() -> requests.Session:
    """Return the connections to push services: public addresses, no redirects, no bodies.

    A proxy that HTTPS_PROXY names has to refuse such addresses itself.
    """
    adapter = HTTPAdapter(pool_maxsize=AT_ONE_HOST)
    adapter.poolmanager.pool_classes_by_scheme = {"https": PublicPool}
    session = requests.Session()
    session.mount("https://", adapter)
    session.get_redirect_target = lambda response: None
    session.auth = lambda request: request  # otherwise a password of ~/.netrc replaces our token
    session.stream, session.hooks["response"] = True, [drop_body]
    return session


class Push:
    """The queue of messages and the task that sends them."""

    def __init__(self) -> None:
        self.database = open_database()
        self.vapid, self.public_key = load_key()
        self.requests = open_session()
        self.news = asyncio.Event()
        self.threads = ThreadPoolExecutor(AT_ONCE)  # of its own: a log-in needs a thread too
        self.sending: dict[int, str] = {}  # a message's id and host
        self.throttled: dict[str, set[str]] = defaultdict(set)  # a host's endpoints that said 429

    def notify(
        self, user: str, title: str, body: str, *, tag: str = "", url: str = "", ttl: int = TTL
    ) -> int:
        """Queue one message to each device of a user; return how many. Sending happens later."""
        payload = json.dumps({"title": title, "body": body, "tag": tag, "url": url}, ensure_ascii=False)
        now = time.time()
        query = """SELECT endpoint FROM subscriptions JOIN sessions ON session = id
            WHERE user = ? AND expires > ?"""
        endpoints = [row["endpoint"] for row in self.database.execute(query, (user, now))]
        insert = "INSERT INTO messages (endpoint, host, payload, expires, due) VALUES (?, ?, ?, ?, ?)"
        for endpoint in endpoints:
            host = urlsplit(endpoint).hostname
            self.database.execute(insert, (endpoint, host, payload, now + ttl, now))
        self.news.set()
        return len(endpoints)

    async def run(self) -> None:
        """Send what is due, for ever. After a restart it goes on with what is in the database.

        A message that was on its way when the program was killed is sent again; its tag makes the
        second replace the first.
        """
        async with asyncio.TaskGroup() as tasks:
            while True:
                self.news.clear()
                for message in self.next_messages():
                    self.sending[message["id"]] = message["host"]
                    tasks.create_task(self.attempt(message))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):  # wait_for() could swallow the cancellation
                        await self.news.wait()

    def next_messages(self) -> list[sqlite3.Row]:
        """Return what may be sent now. Hosts with the fewest requests under way come first.

        So a slow push service keeps its own messages waiting, and no others.
        """
        now, under_way, chosen = time.time(), Counter(self.sending.values()), []
        self.database.execute("DELETE FROM pauses WHERE until <= ?", (now,))
        hosts = self.database.execute("SELECT DISTINCT host FROM messages WHERE due <= ?", (now,))
        query = """SELECT messages.*, p256dh, auth FROM messages JOIN subscriptions USING (endpoint)
            WHERE host = ? AND due <= ? AND host NOT IN (SELECT whom FROM pauses)
            AND endpoint NOT IN (SELECT whom FROM pauses) ORDER BY due, id LIMIT ?"""
        for host in sorted((row["host"] for row in hosts), key=lambda host: under_way[host]):
            due = self.database.execute(query, (host, now, AT_ONE_HOST)).fetchall()
            waiting = [message for message in due if message["id"] not in self.sending]
            chosen += waiting[: max(0, AT_ONE_HOST - under_way[host])]
        return chosen[: AT_ONCE - len(self.sending)]

    async def attempt(self, message: sqlite3.Row) -> None:
        """Send one message once, and make its place free."""
        try:
            await self.send(message)
        finally:
            del self.sending[message["id"]]
            self.news.set()

    async def send(self, message: sqlite3.Row) -> None:
        """Send one message once, and decide what becomes of it."""
        seconds = int(message["expires"] - time.time())  # what is left of its time to live
        status, pause = None, 0.0
        if seconds > 0:
            loop = asyncio.get_running_loop()
            status, pause = await loop.run_in_executor(self.threads, self.post, message, seconds)
        if seconds <= 0:
            self.finish(message, "expired")
        elif status == 0:
            self.finish(message, "it cannot be encrypted or signed", logging.ERROR)
        elif status is None or status in (406, 408, 425, 429) or status >= 500:
            self.try_later(message, status, pause)
        elif status in (404, 410):  # The subscription has ended, and its messages go with it.
            endpoint = (message["endpoint"],)
            self.database.execute("INSERT OR IGNORE INTO gone VALUES (?)", endpoint)
            self.database.execute("DELETE FROM subscriptions WHERE endpoint = ?", endpoint)
            self.finish(message, f"{status}, subscription removed")
        elif status < 300:
            self.throttled.pop(message["host"], None)
            self.finish(message, status)
        else:  # Our mistake. The subscription may be good, so it stays.
            self.finish(message, f"{status}: look at our key, token and payload", logging.ERROR)

    def post(self, message: sqlite3.Row, ttl: int) -> tuple[int | None, float]:
        """Encrypt, sign and post. Return the status, and Retry-After in seconds.

        The status is None if no answer has come, and 0 if nothing can be sent, now or later.
        """
        keys = {"p256dh": message["p256dh"], "auth": message["auth"]}
        try:
            response = webpush(
                {"endpoint": message["endpoint"], "keys": keys},
                message["payload"],
                vapid_private_key=self.vapid,
                vapid_claims={"sub": SUBJECT},  # a new dict each time: webpush() writes into it
                ttl=ttl,
                timeout=ANSWER_SECONDS,
                requests_session=self.requests,
            )
        except (WebPushException, VapidException) as error:
            response = getattr(error, "response", None)
            if response is None:
                log.error("%s: %s", message["host"], error)
                return 0, 0.0
        except Exception as error:  # noqa: BLE001 — whatever this one raises, the others are sent to
            # The text of an error may hold the endpoint.
            log.warning("%s: %s", message["host"], type(error).__name__)
            return None, 0.0
        return response.status_code, retry_after(response.headers.get("Retry-After", ""))

    def try_later(self, message: sqlite3.Row, status: int | None, pause: float) -> None:
        """Wait as long as the push service asks, and longer after each failure."""
        backoff = min(2 ** message["attempts"], 3600) * random.uniform(1, 2)
        due = time.time() + max(pause, backoff)
        if status in (429, 503):
            self.hold_back(message, status, min(due, time.time() + LONGEST_PAUSE))
        if due >= message["expires"]:
            self.finish(message, f"{status}, no time left")
            return
        log.info("%s: %s, again in %d s", message["host"], status, due - time.time())
        again = "UPDATE messages SET due = ?, attempts = attempts + 1 WHERE id = ?"
        self.database.execute(again, (due, message["id"]))

    def hold_back(self, message: sqlite3.Row, status: int, until: float) -> None:
        """Let others wait too: 429 is about the subscription, 503 about the push service.

        If many subscriptions get 429, and nothing is accepted meanwhile, it is about us. RFC 8030 §8.4.
        """
        host, whom = message["host"], message["endpoint"]
        if status == 429:
            self.throttled[host].add(whom)
        if status == 503 or len(self.throttled[host]) >= CONFIRMED:
            whom = host
        upsert = """INSERT INTO pauses VALUES (?, ?)
            ON CONFLICT (whom) DO UPDATE SET until = max(until, excluded.until)"""
        self.database.execute(upsert, (whom, until))

    def finish(self, message: sqlite3.Row, outcome: object, level: int = logging.INFO) -> None:
        """Log by vendor, and never the endpoint, which is a secret. The message is done."""
        log.log(level, "%s: %s", message["host"], outcome)
        self.database.execute("DELETE FROM messages WHERE id = ?", (message["id"],))


def retry_after(text: str) -> float:
    """Return the seconds that a Retry-After header asks for: a number, or a date (RFC 9110 §10.2.3)."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):  # Windows has an OSError for a date before 1970
        return 0.0


# ---- start and stop ------------------------------------------------------------------------------


def make_application(push: Push) -> Application:
    """Return the routes."""
    files = r"/(index\.html|app\.js|sw\.js|style\.css|manifest\.webmanifest|)"
    routes = [("/me", Me), ("/login", LogIn), ("/logout", LogOut), ("/notify-me", NotifyMe)]
    routes += [("/add-subscription", AddSubscription), ("/remove-subscription", RemoveSubscription)]
    return Application(
        [(path, handler, {"push": push}) for path, handler in routes]
        + [(files, Files, {"path": HERE, "default_filename": "index.html"})]
    )


async def main() -> None:
    """Serve until the program is told to stop, or sending fails."""
    push, stop = Push(), asyncio.Event()
    check_subject(push.vapid)
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has none: Ctrl+C ends the program
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server = make_application(push).listen(
        PORT, "127.0.0.1", xheaders=BEHIND_PROXY, max_body_size=16 * 1024
    )
    log.info("http://127.0.0.1:%d/", PORT)
    sending, stopping = asyncio.create_task(push.run()), asyncio.create_task(stop.wait())
    await asyncio.wait([sending, stopping], return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending  # An error in there ends the program, and is seen.


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main())
