"""What a text is that should be a subscription, and is no JSON."""

import base64
import html
import json
import re
from urllib.parse import quote

import pytest

from pushlab.doctor.subscription import examine_subscription
from pushlab.errors import NotASubscription
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.spelling.subscription_text import MAX_TEXT, find_in_text
from pushlab.protocol.subscription import PushSubscription

E = "https://fcm.googleapis.com/fcm/send/secret-part:APA91b-and-some-more"
P256DH, AUTH = (RFC8291.subscription.to_json()["keys"][name] for name in ("p256dh", "auth"))
SUBSCRIPTION = {"endpoint": E, "expirationTime": None, "keys": {"p256dh": P256DH, "auth": AUTH}}
JSON = json.dumps(SUBSCRIPTION)
INDENTED = json.dumps(SUBSCRIPTION, indent=2)

DUMPS = [
    ("printed-by-ruby", f'{{"endpoint"=>"{E}", "keys"=>{{"p256dh"=>"{P256DH}", "auth"=>"{AUTH}"}}}}'),
    ("printed-by-ruby", f'{{:endpoint=>"{E}", :keys=>{{:p256dh=>"{P256DH}", :auth=>"{AUTH}"}}}}'),
    ("printed-by-ruby", f'  Parameters: {{"keys"=>{{"auth"=>"[FILTERED]"}}, "endpoint"=>"{E}"}}'),
    ("printed-by-php", f"[\n 'endpoint' => '{E}',\n 'keys' => ['p256dh' => '{P256DH}']\n]"),
    ("printed-by-php", f"Subscription::create([\n 'endpoint' => '{E}',\n 'authToken' => '{AUTH}'])"),
    ("printed-by-php", f"Array\n(\n    [endpoint] => {E}\n    [keys] => Array\n (\n [auth] => {AUTH}"),
    ("printed-by-php", f'object(stdClass)#3 (2) {{\n  ["endpoint"]=>\n  string(188) "{E}"\n'),
    ("printed-by-php", f'array("endpoint" => "{E}", "p256dh" => "{P256DH}")'),
    ("printed-by-go", f"{{Endpoint:{E} Keys:{{Auth:{AUTH} P256dh:{P256DH}}}}}"),
    ("printed-by-go", f'webpush.Subscription{{Endpoint:"{E}", Keys:webpush.Keys{{Auth:"{AUTH}"}}}}'),
    ("printed-by-elixir", f'%{{keys: %{{p256dh: "{P256DH}", auth: "{AUTH}"}}, endpoint: "{E}"}}'),
    ("printed-by-elixir", f'%{{"endpoint" => "{E}", "keys" => %{{"auth" => "{AUTH}"}}}}'),
    (
        "printed-by-rust",
        f'SubscriptionInfo {{ endpoint: "{E}", keys: SubscriptionKeys {{ p256dh: "B" }} }}',
    ),
    ("printed-by-tostring", f"Subscription(endpoint={E}, keys=Keys(p256dh={P256DH}, auth={AUTH}))"),
    ("printed-by-tostring", f"Subscription{{id=7, endpoint='{E}', keys=Keys{{p256dh='{P256DH}'}}}}"),
    ("printed-by-tostring", f"Subscription {{ Endpoint = {E}, P256DH = {P256DH}, Auth = {AUTH} }}"),
    ("is-code", f'var one = new PushSubscription("{E}", "{P256DH}", "{AUTH}");'),
    ("is-code", f'Webpush.payload_send(\n  endpoint: "{E}",\n  p256dh: "{P256DH}")'),
    ("is-code", f"web-push send-notification --endpoint={E} --key={P256DH} --auth={AUTH}"),
    ("is-a-row", "\n".join(("INSERT INTO `push` (`id`, `endpoint`)", f"VALUES (1, '{E}');"))),
    ("is-a-row", f" id | endpoint | p256dh\n----+----\n  1 | {E} | {P256DH}\n(1 row)"),
    ("is-a-row", f"*************************** 1. row ***\n        id: 1\n  endpoint: {E}\n"),
    ("is-a-row", f"endpoint,p256dh,auth\n{E},{P256DH},{AUTH}\n"),
    ("is-a-row", f"1\t{E}\t{P256DH}\t{AUTH}\n"),
    ("is-a-row", f"1|{E}|{P256DH}|{AUTH}"),
    ("quotes-doubled", '"' + JSON.replace('"', '""') + '"'),
    ("printed-by-python", f"subscription_info={{'endpoint': '{E}', 'keys': {{'auth': '{AUTH}'}}}}"),
    ("printed-by-python", JSON.replace("null", "None")),
    ("printed-by-python", f"webpush(subscription_info={SUBSCRIPTION!r}, data='hi')"),
    ("json-in-a-text", f'webpush(subscription_info={JSON}, data="hi", vapid_claims={{"sub": "a"}})'),
    ("single-quotes", JSON.replace('"', "'")),
    ("printed-by-mongosh", f"{{ _id: ObjectId('65'), endpoint: '{E}', keys: {{ auth: '{AUTH}' }} }}"),
    ("printed-by-mongosh", f'{{ "_id" : ObjectId("65"), "endpoint" : "{E}" }}'),
    ("is-javascript", f"{{ id: 7, endpoint: '{E}', keys: {{ auth: '{AUTH}' }} }}"),
    ("is-javascript", f'PushSubscription\n  endpoint: "{E}"\n  expirationTime: null\n'),
    ("with-a-margin", "\n".join(f"> {line}" for line in INDENTED.split("\n"))),
    ("with-a-margin", "\n".join(f"> > {line}" for line in INDENTED.split("\n"))),
    ("other-characters", INDENTED.replace("  ", "\u00a0\u00a0")),
    ("other-characters", JSON.replace(": ", "\uff1a", 1)),
    ("typographic-quotes", re.sub('"([^"]*)"', "\u2018\\1\u2019", JSON)),
    ("typographic-quotes", re.sub('"([^"]*)"', "\u00ab\\1\u00bb", JSON)),
    ("lines-wrapped", "\n".join(JSON[at : at + 80] for at in range(0, len(JSON), 80))),
    ("lines-wrapped", "\r\n".join(JSON[at : at + 76] for at in range(0, len(JSON), 76))),
    ("is-lines", f'endpoint = "{E}"\n[keys]\np256dh = "{P256DH}"\n'),
    ("is-lines", f"ENDPOINT={E}\nP256DH={P256DH}\nAUTH={AUTH}\n"),
    ("is-yaml", f"- endpoint: {E}\n  keys:\n    p256dh: {P256DH}\n"),
    ("is-yaml", f"Endpoint: {E}\nKeys: {P256DH} {AUTH}"),
    ("is-xml", f"<subscription><endpoint>{E}</endpoint></subscription>"),
    ("percent-encoded", f"subscription={quote(JSON)}"),
    ("form-encoded", f"subscription[endpoint]={quote(E, safe='')}&subscription[keys][auth]={AUTH}"),
    ("form-encoded", f"subscription%5Bendpoint%5D={quote(E, safe='')}&data=1"),
    ("json-escaped", f'level=info sub="{json.dumps(JSON)[1:-1]}"'),
    ("several", JSON + JSON),
    ("json-in-a-text", JSON + "}"),
    ("json-in-a-text", f"Error: 410 for {JSON}"),
    ("without-braces", JSON[1:]),
    ("endpoint-alone", f"<{E}>"),
    ("is-an-expo-token", "ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]"),
    ("is-nobody", "undefined"),
    ("is-nobody", "None"),
    ("is-an-error", "AbortError: Registration failed - push service error"),
    ("is-an-error", "Uncaught (in promise) DOMException: Registration failed - permission denied"),
]


@pytest.mark.parametrize(("name", "text"), DUMPS)
def test_each_form_is_named_and_is_no_fault_of_the_browser(name, text):
    assert find_in_text(text).name == name
    for source in (text, text.encode(), f"\ufeff{text}"):
        (finding,) = examine_subscription(source, 0)
        assert (finding.code, finding.fault) == (f"subscription-{name}", "application server")
        with pytest.raises(NotASubscription) as caught:
            PushSubscription.from_json(source)
        assert caught.value.fault == "application server"
        for shown in (str(finding), str(caught.value)):
            assert not any(secret in shown for secret in ("secret-part", P256DH[:12], AUTH[:12]))


BROKEN = [
    (JSON.replace("null", "undefined"), "expecting value at character"),
    (JSON.replace('", "auth', '" "auth'), "expecting ',' delimiter at character"),
    (JSON.replace('"auth"', '"auth'), "at character"),
    (JSON.replace("null", "NaN"), "out of range"),
    (JSON.replace('"keys"', '"endpoint"'), "a name appears twice"),
    (f"{{ // a remark\n{JSON[1:]}", "at character 3"),
    (f"let it = start(); it.endpoint <- `{E}`", "at character 1"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_json_that_is_broken_is_told_with_the_place(text, words):
    (finding,) = examine_subscription(text, 0)
    assert (finding.code, finding.fault) == ("not-a-subscription", "application server")
    assert words in finding.seen and "an endpoint is in it" in finding.seen
    assert "JSON.stringify(subscription)" in finding.fix and "secret" not in str(finding)


@pytest.mark.parametrize("text", ["hello", "7", "[1]", '{"a": "b', "12 |", "endpoint", "new Thing('x')"])
def test_a_text_without_an_endpoint_is_no_form_of_a_subscription(text):
    assert find_in_text(text) is None
    (finding,) = examine_subscription(text, 0)
    assert (finding.code, finding.fault) == ("not-a-subscription", "application server")


LONG = [
    "{",
    "[[https://",
    "*****",
    "'a'=>",
    "&a[",
    "> ",
    '""',
    "endpoint =\n",
    "(endpoint",
    "a&https://",
]


@pytest.mark.parametrize("bit", LONG)
def test_a_long_text_is_looked_at_in_part(bit):
    place = find_in_text(f"{bit * MAX_TEXT}{JSON.replace('null', 'None')}")
    assert place is None or place.name != "printed-by-python"


def test_many_tabs_after_a_url_take_no_time():
    assert find_in_text("http://a" + "\t" * (MAX_TEXT - 9) + "x") is None


PLAIN = {"endpoint": "https://push.example.net/x", "keys": {"p256dh": "B", "auth": "A"}}
SHORT = json.dumps(PLAIN)
TEXTS = {
    "": "is-empty",
    " \n": "is-empty",
    "https://push.example.net/secret": "endpoint-alone",
    "cTZ1oXk1Yw8:APA91bHqz": "is-a-firebase-token",
    "<!doctype html><title>Log in</title>": "is-html",
    f"{SHORT}\n{SHORT}\n": "one-a-line",
    f"{SHORT[:-1]},}}": "comma-too-many",
    f"const subscription = {SHORT};": "json-in-a-text",
    f"subscription={SHORT}": "json-in-a-text",
    str(PLAIN | {"expirationTime": None}): "printed-by-python",
    base64.b64encode(SHORT.encode()).decode(): "in-base64",
    "{ endpoint: 'https://push.example.net/x' }": "is-javascript",
    "user=1&endpoint=https%3A%2F%2Fpush.example.net%2Fx&auth=A": "form-encoded",
    "endpoint: https://push.example.net/x\nkeys:\n  auth: A\n": "is-yaml",
    "[object Object]": "is-an-object-s-name",
    "[object PushSubscription]": "is-an-object-s-name",
    SHORT.replace('"', '\\"'): "json-escaped",
    json.dumps(PLAIN, indent=1).replace('"', '\\"').replace("\n", "\\n"): "json-escaped",
    html.escape(SHORT): "html-escaped",
    SHORT.replace('"', "&#34;"): "html-escaped",
    quote(SHORT): "percent-encoded",
    re.sub('"([^"]*)"', "\u201c\\1\u201d", SHORT): "typographic-quotes",
    SHORT[1:-1]: "without-braces",
}


def test_a_text_that_is_no_json_is_named_and_none_of_it_is_shown():
    for text, name in TEXTS.items():
        place = find_in_text(text)
        assert (place and place.name) == name, text
        assert "secret" not in str(place)
    for text in ("hello", "{", "[1, 2", '{"a": "b', "a=b&c=d"):
        assert find_in_text(text) is None
    for text in ('{"endpoint' + '\\"' * 8000, '{"keys"' * 2000, "&quot;" * 2000, "%22" * 5000):
        find_in_text(text)
    for text in ("{'a'" * 4000, "&" * 16000, ",}" * 8000, "{ " * 8000, "A" * 16000):
        find_in_text(text)


@pytest.mark.parametrize("end", range(12, len(SHORT)))
def test_json_that_was_cut_anywhere_is_told(end):
    place = find_in_text(SHORT[:end])
    assert place.name == "is-cut" and "column" in place.turn
    with pytest.raises(NotASubscription, match="ends in the middle") as caught:
        PushSubscription.from_json(SHORT[:end])
    assert caught.value.fault == "application server"


@pytest.mark.parametrize("wrong", [SHORT.replace('",', ",", 1), SHORT.replace('"}', '""}', 1)])
def test_json_with_a_quote_too_many_or_too_few_was_not_cut(wrong):
    place = find_in_text(wrong)
    assert place is None or place.name != "is-cut"


def test_a_text_of_keys_is_no_subscription():
    for text in ("VAPID_SUBJECT=a\nVAPID_PRIVATE_KEY=secret", "-----BEGIN EC PRIVATE KEY-----\nsecret"):
        assert find_in_text(text).name == "is-a-key-file"
