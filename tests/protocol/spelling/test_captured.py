"""The same request in each form that a tool writes is read as the same request."""

import base64
import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pushlab.protocol.spelling import captured
from pushlab.protocol.spelling.captured import LEFT_OUT, MAX_REQUESTS, Captured, read
from tests.protocol.spelling.dumps import dump

URL = "https://push.example.net/wpush/v2/secret?x=1"
HEADERS = {
    "Host": "push.example.net",
    "TTL": "60",
    "Content-Encoding": "aes128gcm",
    "Authorization": "vapid t=a.b.c, k=BA",
    "Content-Length": "200",
}
BODY = bytes(range(56, 256))
LINES = [f"{name}: {value}" for name, value in HEADERS.items()]


def raw(line: str = "POST /wpush/v2/secret?x=1 HTTP/1.1", end: str = "\r\n") -> bytes:
    return end.join([line, *LINES, "", ""]).encode("ascii") + BODY


def trace(in_hex: bool = True, time: str = "") -> bytes:
    head = raw().removesuffix(BODY)
    lines = ["== Info: Connected", f"{time}=> Send header, {len(head)} bytes", dump(head, in_hex)]
    lines += [f"{time}=> Send data, {len(BODY)} bytes"]
    lines += [dump(BODY) if in_hex else "0000: ...............", "<= Recv header, 22 bytes"]
    return "\n".join([*lines, dump(b"HTTP/1.1 201 Created\r\n", in_hex), ""]).encode("latin-1")


def verbose(mark: str = "> ", line: str = "POST /wpush/v2/secret?x=1 HTTP/2") -> bytes:
    sent = "\n".join(mark + one for one in [line, *LINES, ""])
    return f"* Connected to push.example.net\n{sent}\n}} [200 bytes data]\n< HTTP/2 201\n< ".encode()


def har(posted: dict, wrap=lambda entry: {"log": {"entries": [{"request": PAGE}, entry]}}) -> bytes:
    listed = [{"name": name, "value": value} for name, value in HEADERS.items()]
    request = {"method": "POST", "url": URL, "headers": listed, "postData": posted}
    return json.dumps(wrap({"request": request})).encode("utf-8")


HEAD = raw().removesuffix(BODY).decode("ascii").replace("\r\n", "\n").rstrip()
SENT = HEAD.replace("\nContent-Length: 200", "")  # As many tools copy it.


def block(before: str = "* Connected to push.example.net\n", end: str = "\n") -> bytes:
    """Write what libcurl says, as PHP and Python print it: one mark for the whole head."""
    after = "* upload completely sent off: 200 bytes\n< HTTP/1.1 201 Created\n< TTL: 60\n"
    return f"{before}> {HEAD}\n\n{after}".replace("\n", end).encode()


def debug_level(body: bytes = BODY) -> bytes:
    """Write what http.client prints with debuglevel = 1."""
    head = raw().removesuffix(BODY)
    return "\n".join(
        [
            f"send: {head!r}",
            *([f"send: {body!r}"] if body else []),
            "reply: 'HTTP/1.1 201 Created\\r\\n'",
        ]
    ).encode("ascii")


PAGE = {"method": "GET", "url": "https://app.example.net/", "headers": []}
AS_BASE64 = {"text": base64.b64encode(BODY).decode(), "encoding": "base64"}
WHOLE = {
    "raw": ("raw HTTP", raw()),
    "raw, line feeds": ("raw HTTP", raw(end="\n")),
    "raw, an editor's last line": ("raw HTTP", raw() + b"\r\n"),
    "whole URL": (".http file", raw(f"POST {URL} HTTP/1.1")),
    "without a version": (".http file", raw(f"post {URL}")),
    "remarks before it": (".http file", b"# a\n// b\n@c = d\n\n" + raw(f"POST {URL}")),
    "curl --trace": ("curl --trace", trace()),
    "http.client": ("http.client", debug_level()),
    "after a sentence": ("raw HTTP", b"This is sent:\n\n" + raw()),
    "curl --trace-time": ("curl --trace", trace(time="17:36:46.123456 ")),
    "HAR": ("HAR", har({"text": BODY.decode("latin-1")})),
    "HAR, base64": ("HAR", har(AS_BASE64)),
    "an entry of a HAR": ("HAR", har(AS_BASE64, lambda entry: entry)),
    "entries of a HAR": ("HAR", har(AS_BASE64, lambda entry: [entry])),
    "its request": ("HAR", har(AS_BASE64, lambda entry: entry["request"])),
}
WITHOUT_BODY = {
    "curl -v": ("curl -v", verbose()),
    "curl -v --trace-time": ("curl -v", verbose("17:36:46.123456 > ")),
    "curl -v, Windows": ("curl -v", verbose().replace(b"\n", b"\r\n")),
    "curl --trace-ascii": ("curl --trace", trace(in_hex=False)),
    "raw": ("raw HTTP", raw().removesuffix(BODY)),
    "HAR": ("HAR", har({})),
    "libcurl": ("curl -v", block()),
    "libcurl, Windows": ("curl -v", block(end="\r\n")),
    "libcurl, with times": ("curl -v", block("17:36:46.123456 * Connected\n17:36:46.123456 ")),
    "libcurl, the end was cut": ("curl -v", block().partition(b"\n\n")[0]),
    "http.client": ("http.client", debug_level(b"")),
    "a head alone": ("raw HTTP", HEAD.encode()),
    "a head alone, and an empty line": ("raw HTTP", f"{HEAD}\n\n".encode()),
    "between fences": ("raw HTTP", f"```http\n{HEAD}\n```\n".encode()),
    "fences after a sentence": ("raw HTTP", f"This is sent:\n\n```\n{HEAD}\n\n```\nWhy?\n".encode()),
    "between other fences": ("raw HTTP", f"```js\npush()\n```\n```\n{HEAD}\n```\n".encode()),
    "after a sentence": ("raw HTTP", f"This is sent:\n\n{HEAD}\n".encode()),
    "after an answer": ("raw HTTP", f"HTTP/1.1 201 Created\nTTL: 60\n\n{HEAD}\n".encode()),
}


@pytest.mark.parametrize("what", WHOLE)
def test_each_form_is_read(what):
    form, content = WHOLE[what]
    for start in (b"", b"\xef\xbb\xbf"):
        (found,) = read(start + content)
        assert (found.form, found.method, found.url) == (form, "POST", URL)
        assert found.body == BODY and not found.without
        assert dict(found.headers) == HEADERS


@pytest.mark.parametrize("what", [what for what in WHOLE if WHOLE[what][0] in ("curl --trace", "HAR")])
def test_a_file_in_utf_16_is_read_as_the_same_request(what):
    content = WHOLE[what][1].decode("utf-8")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        (found,) = read(content.encode(encoding))
        assert (found.url, found.body, dict(found.headers)) == (URL, BODY, HEADERS)


def test_a_body_that_went_through_utf_16_is_lost():
    (found,) = read(raw().decode("cp437").encode("utf-16"))  # What PowerShell's > makes of bytes.
    assert (found.url, found.body) == (URL, None) and "UTF-16" in found.without
    (found,) = read(verbose().decode("ascii").encode("utf-16"))
    assert (found.url, found.without) == (URL, LEFT_OUT)


@pytest.mark.parametrize("what", WITHOUT_BODY)
def test_a_body_that_was_left_out_is_missed(what):
    form, content = WITHOUT_BODY[what]
    (found,) = read(content)
    assert (found.form, found.url, found.body, found.without) == (form, URL, None, LEFT_OUT)
    assert dict(found.headers) == HEADERS


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n\r\n"])
def test_a_head_without_a_length_is_no_request_without_a_body(end):
    for content in (SENT, SENT.replace("HTTP/1.1", "HTTP/2"), f"POST {URL}\n" + SENT.partition("\n")[2]):
        (found,) = read((content + end).encode())
        assert (found.body, found.without) == (None, LEFT_OUT)
    (found,) = read(f"{SENT}\nContent-Length: 0{end}".encode())
    assert (found.body, found.without) == (b"", "")


def test_an_empty_line_after_a_head_without_a_coding_is_a_request_without_a_body():
    (found,) = read(b"POST /p HTTP/1.1\nHost: x\nTTL: 60\n\n")
    assert found.body == b""
    (found,) = read(b"POST /p HTTP/1.1\nHost: x\nTTL: 60")
    assert (found.body, found.without) == (None, LEFT_OUT)


def test_several_requests_of_one_text():
    found = read(block() + block())
    assert [one.url for one in found] == [URL, URL] and dict(found[1].headers) == HEADERS
    found = read(debug_level() + b"\n" + debug_level(b""))
    assert [one.body for one in found] == [BODY, None]


def test_a_sentence_that_only_looks_like_a_request_is_none():
    assert read(b"I called\nPOST /fcm/send/x HTTP/1.1\nand nothing came.\nNote: TTL is 60\n") == []
    assert read(b"Dear all,\n\nPOST /p\nX: y\n") == []


def test_a_body_between_fences_is_no_request_and_stays_whole():
    body = b"```\nPOST /p HTTP/1.1\nTTL: 60\n```"
    (found,) = read(f"POST {URL}\nTTL: 5\n\n".encode() + body)
    assert found.body == body and found.values("TTL") == ["5"]


def indented(content: bytes, first: bool = True) -> bytes:
    """Indent each line but empty ones, as a triple-quoted string in a cell has them."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    return b"\n".join(
        b"    " * bool(line and (number or first)) + line for number, line in enumerate(lines)
    )


INDENTED = {
    "raw": raw().removesuffix(BODY) + b"body",
    "whole URL": raw(f"POST {URL}").removesuffix(BODY) + b"body",
    "remarks before it": b"# a\n### b\n" + raw(f"POST {URL}").removesuffix(BODY) + b"< body.bin",
    "curl -v": verbose(),
    "curl -v, Windows": verbose().replace(b"\n", b"\r\n"),
    "curl --trace-ascii": trace(in_hex=False),
}


@pytest.mark.parametrize("first", [True, False], ids=["all lines", "all but the first"])
@pytest.mark.parametrize("what", INDENTED)
def test_an_indented_text_is_the_same_request(what, first):
    if what == "curl --trace-ascii":
        first = True  # Its lines are told apart by where they begin.
    (plain,) = read(INDENTED[what])
    for before in (b"", b"\n", b"    \n\n") if first else (b"",):
        (found,) = read(before + indented(INDENTED[what], first))
        assert (found.form, found.method, found.url) == (plain.form, plain.method, plain.url)
        assert dict(found.headers) == dict(plain.headers) == HEADERS
        assert (found.without, found.body_file) == (plain.without, plain.body_file)


def test_indented_headers_alone_and_an_empty_line_that_is_not_empty():
    (found,) = read(b"\n    TTL: 60\n    Authorization: vapid t=a, k=b\n")
    assert found.values("TTL") == ["60"] and found.values("Authorization") == ["vapid t=a, k=b"]
    (found,) = read(b"    POST /p HTTP/1.1\n    Host: x\n    TTL: 60\n    \n    hello: you\n")
    assert dict(found.headers) == {"Host": "x", "TTL": "60"} and found.body == b"hello: you\n"
    (found,) = read(b"POST /p HTTP/1.1\n  Host: x\n  TTL: 60\n  \nhello: you")
    assert dict(found.headers) == {"Host": "x", "TTL": "60"} and found.body == b"hello: you"


def test_a_body_keeps_its_spaces():
    body = b"    a\n    b\n"
    assert read(raw().removesuffix(BODY).replace(b"200", b"12") + body)[0].body == body


def test_a_header_with_a_space_before_its_colon_is_kept():
    (found,) = read(b"POST /p HTTP/1.1\nHost: x\nTTL : 60\n\n")
    assert found.values("TTL") == ["60"] and ("TTL ", "60") in found.headers


def test_headers_alone():
    (found,) = read("\n".join(LINES).encode())
    assert (found.method, found.url, found.body) == ("POST", "", None)
    own = b":method: POST\n:authority: push.example.net\n:path: /wpush/v2/secret?x=1\n"
    (found,) = read(own + "\n".join(LINES[1:]).encode())
    assert (found.url, found.values("ttl")) == (URL, ["60"])


def test_a_body_that_was_lost_is_told():
    (found,) = read(har({"text": "\ufffd\u20ac"}))
    assert found.body is None and "lost" in found.without
    (found,) = read(har({"text": "*", "encoding": "base64"}))
    assert found.body is None and "base64" in found.without


def test_a_body_in_chunks():
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert read(head + b"5;a=b\r\nhello\r\n3\r\n\r\nx\r\n0\r\n\r\n")[0].body == b"hello\r\nx"
    assert read(head + b"5\r\nhel")[0].body == b"hel"


def test_an_http_file_has_several_requests_and_names_files():
    part = f"POST {URL}\nTTL: 5\n\n".encode()
    found = read(part + b"< ./body.bin\n\n### next\n" + part + b"hello")
    assert [one.body_file for one in found] == ["./body.bin", ""]
    assert [one.body for one in found] == [None, b"hello"]
    assert len(read(b"###\n".join([part] * 50))) == MAX_REQUESTS


def test_repeated_headers_and_folded_ones_are_kept():
    (found,) = read(b"POST /p HTTP/1.1\nHost: x\nTTL: 1\nttl: 2\nAuthorization: vapid t=a,\n  k=b\n\n")
    assert found.values("TTL") == ["1", "2"] and found.values("authorization") == ["vapid t=a, k=b"]


def test_this_machine_is_reached_by_http():
    assert read(b"POST /p HTTP/1.1\nHost: 127.0.0.1:8030\n\n")[0].url == "http://127.0.0.1:8030/p"


STRANGE = [
    b"", b"\0" * 1000, b"Dear all", b"Subject: hello\nFrom: me\n", b"{", b"[]", b"[[[", b'{"log": 3}',
    b'{"log": {"entries": [1, {"request": {"url": 3}}]}}', b"> ", b"=> Send header, 5 bytes\n0000: zz",
    b"send: b'POST / HTTP/1.1", b"send: b'\\xzz'\n", b"```\n```",
    b"=> Send data, 5 bytes\n0000: 00 01\n", b"###\n###", b"GET", b"\xff\xfeP\0O\0S\0T\0",
    b'{"request": {"url": "https://x/", "headers": {"TTL": 1}, "postData": []}}',
]  # fmt: skip


def test_what_is_no_request_gives_none():
    assert [read(content) for content in STRANGE] == [[]] * len(STRANGE)


def test_a_request_without_host_has_no_endpoint():
    (found,) = read(raw().replace(b"Host: push.example.net\r\n", b""))
    assert (found.url, found.body) == ("", BODY)
    (found,) = read(verbose().replace(b"> Host: push.example.net\n", b""))
    assert (found.url, found.values("TTL")) == ("", ["60"])


def test_a_request_shows_no_secret():
    said = repr(Captured("HAR", "POST", URL, tuple(HEADERS.items()), BODY))
    assert "secret" not in said and "vapid" not in said


class Accepting(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_what_a_real_curl_writes(tmp_path):
    path = tmp_path / "body"
    path.write_bytes(BODY)
    with HTTPServer(("127.0.0.1", 0), Accepting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/wpush/v2/secret"
        sent = ["-H", "TTL: 60", "-H", f"Authorization: {HEADERS['Authorization']}"]
        for options, body in ((["-v"], None), (["--trace", "-"], BODY), (["--trace-ascii", "-"], None)):
            command = ["curl", "-s", "-o", path.with_suffix(".out"), *options, *sent]
            command += ["--data-binary", f"@{path}", url]
            done = subprocess.run(command, capture_output=True, check=True)
            (found,) = read(done.stdout + done.stderr)
            assert (found.method, found.url, found.body) == ("POST", url, body), options
            assert found.values("TTL") == ["60"] and found.values("Content-Length") == ["200"]
        server.shutdown()


def test_more_headers_than_a_request_has_are_not_kept():
    lines = "".join(f"X-{number}: 1\n" for number in range(500))
    (found,) = read(f"POST {URL}\n{lines}\n".encode())
    assert len(found.headers) == captured.MAX_HEADERS


def test_a_body_of_many_spaces_is_read_at_once():
    head = b"POST https://push.example.net/p HTTP/1.1\r\nTTL: 60\r\n\r\n"
    [request] = read(head + b"< " + b" " * 200_000 + b"\0")
    assert not request.body_file and len(request.body) == 200_003


HEAD_OF_ONE = (
    b"POST /p HTTP/1.1\nHost: push.example.net\nTTL: 60\nAuthorization: vapid t=e30.e30.AA, k=BA\n"
    b"Content-Encoding: aes128gcm\nContent-Length: 144\n\n"
)


def test_what_follows_a_request_in_a_question_is_not_its_body():
    (one,) = read(b"This is what I send:\n\n" + HEAD_OF_ONE + b"Why do I get 401?\n")
    assert one.body is None and one.values("TTL") == ["60"]
    two = read(b"First:\n" + HEAD_OF_ONE + b"and then:\n" + HEAD_OF_ONE.replace(b"60", b"61") + b"Why?")
    assert [request.values("TTL") for request in two] == [["60"], ["61"]]


def test_the_requests_between_all_fences_are_read():
    text = b"First:\n```\n" + HEAD_OF_ONE + b"```\nSecond:\n```http\n" + HEAD_OF_ONE + b"```\n"
    assert len(read(text)) == 2


def test_an_endpoint_in_place_of_a_method_is_not_repeated():
    request = {"method": "https://push.example.net/secret", "url": "https://push.example.net/p",
               "headers": [{"name": "TTL", "value": "60"}]}  # fmt: skip
    (one,) = read(json.dumps({"request": request}).encode())
    assert "secret" not in repr(one).lower() and one.method == "?"
