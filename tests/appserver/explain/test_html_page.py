"""HTML pages as one sentence: title and text, bounded, without tags, styles and scripts."""

import pytest

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.html_page import MAX_TEXT, MAX_TITLE, sentence_of
from pushlab.appserver.explain.outcome import explain

GOOGLE = """<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <title>Error 404 (Not Found)!!1</title>
  <style>
    *{margin:0;padding:0}html,code{font:15px/22px arial,sans-serif}
  </style>
  <a href=//www.google.com/><span id=logo aria-label=Google></span></a>
  <p><b>404.</b> <ins>That’s an error.</ins>
  <p>The requested URL <code>/wp/</code> was not found on this server.  <ins>That’s all we know.</ins>
"""
PAGES = {
    "Google": (
        GOOGLE,
        (
            'an HTML page, "Error 404 (Not Found)!!1": 404. That’s an error. The requested URL /wp/ was '
            "not found on this server. That’s all we know."
        ),
    ),
    "nginx": (
        (
            "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n<center>"
            "<h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</html>"
        ),
        'an HTML page, "413 Request Entity Too Large": 413 Request Entity Too Large nginx',
    ),
    "GCM": (
        "<HTML>\n<HEAD>\n<TITLE>UnauthorizedRegistration</TITLE>\n</HEAD>\n<H1>Error 400</H1>",
        'an HTML page, "UnauthorizedRegistration": Error 400',
    ),
    "XHTML": (
        '\ufeff<?xml version="1.0"?>\n<!-- a proxy --><html><body>Access &amp; policy<br/>denied</body>',
        "an HTML page: Access & policy denied",
    ),
    "only a title": ("<title>Bad\n  Gateway</title>", 'an HTML page, "Bad Gateway"'),
    "a script without end": ("<html><body>Log in<script>var a = '", "an HTML page: Log in"),
    "a comment without end": ("<html>Log in<!-- more", "an HTML page: Log in"),
    "a tag without end": ("<html>Log in<a href='", "an HTML page: Log in"),
    "nothing": ("<html></html>", "an HTML page"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_told_as_one_sentence(name):
    page, sentence = PAGES[name]
    assert sentence_of(page) == sentence
    response = PushResponse(502, (("Content-Type", "text/html"),), page.encode(), "Bad Gateway")
    text = explain(response).text
    assert f" It says: {sentence}" in text and "Its body" not in text


@pytest.mark.parametrize("text", ["", "a < b", '{"message": "<b>no</b>"}', "<thing/>", "push <p>"])
def test_what_is_no_page_stays_as_it_is(text):
    assert sentence_of(text) is None


def test_a_page_is_bounded_and_can_steer_no_terminal():
    page = f"<title>{'t' * 999} </title><p>\x1b[31m{'word ' * 9999}"
    sentence = sentence_of(page) or ""
    assert len(sentence) < MAX_TITLE + MAX_TEXT + 40 and "\x1b" not in sentence


@pytest.mark.parametrize("piece", ["<", "<!--", "<script>", "<title>", "<a ", "&", "<html", "</style"])
def test_a_hostile_page_takes_no_time(piece):
    assert len(sentence_of("<html>" + piece * 50_000) or "") < MAX_TITLE + MAX_TEXT + 40


def test_a_token_in_a_page_is_hidden():
    token = "gAAAAABkJzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"
    text = explain(
        PushResponse(404, body=f"<title>{token}</title><p>/wp/short".encode()), ["/wp/short"]
    ).text
    assert token not in text and "short" not in text
