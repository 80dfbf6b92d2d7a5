"""What people give in place of a request: an answer, a command, a key, or a part of a request."""

import re
from collections.abc import Iterator

from pushlab.protocol import utf8
from pushlab.protocol.spelling.body import SHORTEST, body_of
from pushlab.reader import Advice, command

MAX_NAMED = 4096
"""Bytes of a text that are looked at to say what it is."""


def named(content: bytes) -> tuple[str, str]:
    """Say what a text is that holds no request, and what to give instead; "" if that is not known.

    >>> named(b"curl -X POST https://push.example.net/p")[0]
    'a curl command'
    """
    text = utf8.in_utf8(content)[:MAX_NAMED].decode("latin-1").strip()
    return next(_names(text, content), ("", ""))


def _names(text: str, content: bytes) -> Iterator[tuple[str, str]]:
    yield from ((what, turn) for what, turn, pattern in OTHERS if pattern.search(text))
    body, written = body_of(content)
    # RFC 8291 §4: salt, rs, then 65 bytes of keyid, which is a point that is not compressed.
    if len(body) > SHORTEST and body[20:22] == b"\x41\x04":
        yield f"the body of a request alone{f', in {written}' if written else ''}", WITH_HEAD


AS_HTTP = "POST and the endpoint, one header a line, an empty line, and < with the file of the body"
WRITE_DOWN = f"Write down what it sends: {AS_HTTP}"
AS_HEADERS = "Write one header a line, as Name: value, without quotes"
THE_REQUEST = "Give the request that it answers; explain() says what the answer means (lesson 08)"
WITH_HEAD = Advice(
    "Give the request, and this as body=…", terminal="Give the request, and this with --body FILE"
)
TO_DOCTOR = "Give it to the doctor: {}"
KEYS = TO_DOCTOR.format(command("doctor --keys FILE"))
CLAIMS = TO_DOCTOR.format(command("doctor --claims FILE"))
SUBSCRIPTION = TO_DOCTOR.format(command("doctor --subscription FILE"))
WHOLE = "Give the whole request, or its header: Authorization: vapid t=…, k=…"
TOKEN = r"eyJ[\w-]+\.[\w-]+\.[\w-]*"
PROMPT = r"^(?:[\w.@:~/\\-]{0,60} ?[$>%#] ?)?(?:sudo )?(?:[\w./\\:-]{0,60}[/\\])?"

OTHERS = tuple(
    (what, turn, re.compile(pattern))
    for what, turn, pattern in (
        ("empty", "Save it again, and look into the file", r"^$"),

        # --- what comes back -------------------------------------------------------------------
        ("an answer of a server", THE_REQUEST,
            r"^(?:< )?HTTP/[\d.]+ \d{3}\b|^<(?:!(?i:doctype) )?html\b|^Client error: "),
        ("an answer of FCM", THE_REQUEST,
            r"^(?:the VAPID credentials in|permission denied: |push subscription has unsub)"),
        ("the answer of a push service", THE_REQUEST,
            r'^\{\s*"(?:code|errno|error|reason|status|statusCode)"\s*:'),
        ("an error of a library, with a push service's answer", THE_REQUEST,
            r"\bWebPush(?:Error|Exception)\b|\bPush failed: \d{3}\b|unexpected response code\b"),
        ("a traceback of Python",
            f"Its last line says what happened. If a request was sent, write it down: {AS_HTTP}",
            r"^Traceback \(most recent call last\)"),
        ("an error of a browser", SUBSCRIPTION, r"^(?:Uncaught\b.*)?DOMException\b"),
        ("a line of a log, without the headers", f"Write down what was sent: {AS_HTTP}",
            r'"(?:POST|GET|PUT) \S+ HTTP/[\d.]+"'),

        # --- what sends ------------------------------------------------------------------------
        ("a curl command",
            "Run the command with --trace - at its end, and give what it prints",
            rf"{PROMPT}curl(?:\.exe)?\s"),
        ("a command of another program", WRITE_DOWN,
            rf"{PROMPT}(?:https?(?: -\S++)*+ (?:POST|GET|PUT) |wget\s)"),
        ("JavaScript that calls fetch()",
            f"Save the request as a HAR file in the browser's tools, or write it down: {AS_HTTP}",
            r"\bfetch\s*\("),
        ("code that sends one", WRITE_DOWN,
            r"\b(?:(?:requests|httpx|session|axios|client|got)\.post|axios|webpush|sendNotification)\s*\("),
        ("a command of PowerShell", WRITE_DOWN,
            r"(?i)\b(?:Invoke-(?:WebRequest|RestMethod)|iwr|irm)\s+-"),

        # --- a part of a request ---------------------------------------------------------------
        ("a request as code prints it", WRITE_DOWN,
            r"""^\{\s*["']?(?:method|headers|url|endpoint|body)["']?\s*:(?=[\s\S]*\bheaders["']?\s*:)"""),
        ("what Ruby's Net::HTTP prints", WRITE_DOWN, r'^<- "(?:POST|GET|PUT) '),
        ("headers, in another form than HTTP's", AS_HEADERS,
            r"""(?i)(?:["'\[{\s]|^)authorization["'\]]?\s*(?::\s*\[?|=>)\s*["']?(?:vapid|webpush|bearer)\s"""),
        ("headers, with each value on a line of its own", AS_HEADERS, r"(?i)^:authority:?\s*\n"),
        ("the value of an Authorization header alone", "Write Authorization: in front of it",
            r"^(?i:vapid)\s+[tk]\s*="),
        ("a part of an Authorization header", WHOLE,
            rf"^[tk]\s*=\s*(?:eyJ|B)[\w-]{{3}}|^(?:Bearer|WebPush) {TOKEN}$"),
        ("a token alone", WHOLE, rf"""^(["'`]?){TOKEN}\1$"""),
        ("a URL alone",
            f"If it is an endpoint, write the request down: {AS_HTTP}", r"^https?://\S+$"),

        # --- what a request is made of ---------------------------------------------------------
        ("a subscription", SUBSCRIPTION,
            r"""^\{\s*["'](?:endpoint|expirationTime|keys)["']\s*:"""),
        ("a file of keys", KEYS,
            r"-----BEGIN [A-Z ]+-----|VAPID_\w{0,20}KEY\s*=|^\{[^{]*[\"'](?:kty|privateKey)[\"']\s*:"),
        ("as long as a private key", f"Show it to nobody. {KEYS}", r"^[\w-]{43}=?$"),
        ("as long as a public key", KEYS, r"^B[\w-]{86}=?$"),
        ("the claims of a token", CLAIMS, r"""^\{[^{]*["'](?:aud|exp|sub)["']\s*:"""),
        ("a message for Firebase's own API, which is not web push",
            "Give a request to the endpoint of a subscription",
            r'^\{\s*"(?:(?:registration_ids|to|validate_only)"\s*:|message"\s*:\s*\{)'),
        ("a payload before it is encrypted", "Give the request that carries it",
            r'^\{\s*"(?:title|body|notification|web_push)"\s*:|^\{\s*"message"\s*:\s*"[^"]*"\s*\}'),
    )
)  # fmt: skip
"""What people give in place of a request. The first row that fits is told."""
