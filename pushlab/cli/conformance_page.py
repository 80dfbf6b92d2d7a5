"""The report of an examination as a page: one file, without scripts, and nothing is loaded.

A case that failed has its requests as pictures: who sent what to whom, the body as a byte map, the
token as a token map. The page may be shown to others, so an endpoint is its origin, and the signature
of a token is blanked out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby

from pushlab.conformance.arrived import Arrived
from pushlab.conformance.case import Result, Verdict
from pushlab.conformance.exchange import Exchange
from pushlab.conformance.report.jsonl import counts
from pushlab.errors import PushlabError
from pushlab.journal import Event, Party
from pushlab.notebook.pictures import theme
from pushlab.notebook.pictures.gallery import byte_map, message_map, token_map
from pushlab.notebook.pictures.sequence import sequence
from pushlab.protocol import base64url
from pushlab.protocol.content_coding import Header
from pushlab.protocol.delivery import LONG
from pushlab.protocol.trace import Span
from pushlab.text import show

AS, PS = Party.APPLICATION_SERVER, Party.PUSH_SERVICE

GROUPS = {
    "bytes": "The encrypted body",
    "token": "Who the sender says it is",
    "headers": "What it asks of the push service",
    "answers": "What it makes of an answer",
    "many": "One message to many subscriptions",
    "safety": "What it takes from strangers",
}
MARKS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.WARN: "!",
    Verdict.NA: "–",
    Verdict.NOT_REACHED: "?",
}
SECRET = ("authorization", "crypto-key", "encryption")
"""Headers of which only the beginning of each value is shown."""

SECTION = re.compile(r"RFC (\d{4})(?: §([\d.]+\d|\d))?")

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --faint: #57606a; --ground: #ffffff; --card: #f6f7f8;
  --edge: #d5d7da; --pass: #1a6b3c; --fail: #b3261e; --warn: #8a5200; --na: #57606a;
  --not-reached: #57606a; --link: #0a57b3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --faint: #a3adba; --ground: #0f1319;
  --card: #181d25; --edge: #3a4350; --pass: #6fd39b; --fail: #ff8f9f; --warn: #ffb066; --na: #a3adba;
  --not-reached: #a3adba; --link: #7fb0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 1.5rem 1rem 4rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
a { color: var(--link); } code { font: .9em ui-monospace, Menlo, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .4rem 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 1rem 0; list-style: none; }
.counts li { border: 1px solid var(--edge); border-radius: 8px; background: var(--card);
  padding: .4rem .9rem; } .counts b { font-size: 1.25rem; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .warn { color: var(--warn); }
.na, .not-reached { color: var(--faint); }
details { border: 1px solid var(--edge); border-radius: 8px; margin: .35rem 0;
  background: var(--card); }
summary { display: grid; grid-template-columns: 7rem 13rem 5rem 1fr; gap: .3rem .8rem;
  padding: .4rem .8rem; cursor: pointer; list-style: none; align-items: baseline; }
summary::-webkit-details-marker { display: none; }
summary b { font-weight: 600; } summary .level { color: var(--faint); font-size: .85rem; }
summary:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 8px; }
@media (max-width: 760px) { summary { grid-template-columns: 6.5rem 1fr; }
  summary .why { grid-column: 1 / -1; } }
.inside { padding: .2rem .9rem .9rem; border-top: 1px solid var(--edge); }
.fix { border-left: 4px solid var(--warn); padding: .3rem .8rem; margin: .6rem 0;
  background: var(--ground); }
table { border-collapse: collapse; margin: .3rem 0; } th, td { text-align: left; vertical-align: top;
  padding: .15rem .9rem .15rem 0; border-bottom: 1px solid var(--edge); font-weight: 400;
  overflow-wrap: anywhere; } th { color: var(--faint); white-space: nowrap; }
.pushlab-wide { overflow-x: auto; margin: .4rem 0; } .note { color: var(--faint); font-size: .9rem; }
"""


def page(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """Return the page. ``facts``: what was examined, when, and how to repeat it."""
    dark = f"@media (prefers-color-scheme: dark) {{ {theme.rules(scope='svg ')} }}"
    return "\n".join([
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<title>Web push conformance</title>",
        f"<style>{STYLE}{dark}</style></head><body><main>",
        "<h1>Web push conformance</h1>",
        _definitions({name: escape(value) for name, value in facts.items()}),
        _counted(results),
        *_groups(results),
        "</main></body></html>\n",
    ])  # fmt: skip


def _definitions(facts: Mapping[str, str]) -> str:
    rows = (f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _counted(results: Sequence[Result]) -> str:
    items = (
        f'<li class="{name}"><b>{number}</b> {name.replace("-", " ")}</li>'
        for name, number in counts(results).items()
    )
    return f'<ul class="counts" aria-label="Verdicts">{"".join(items)}</ul>'


def _groups(results: Sequence[Result]) -> Iterator[str]:
    for group, found in groupby(results, key=lambda result: result.case.group):
        yield f"<section><h2>{escape(GROUPS[group])}</h2>"
        for result in found:
            yield _result(result)
        yield "</section>"


def _result(result: Result) -> str:
    case, verdict = result.case, result.verdict
    faulty = verdict in (Verdict.FAIL, Verdict.WARN)
    head = (
        f'<summary><b class="{verdict}"><span aria-hidden="true">{MARKS[verdict]}</span> {verdict}</b>'
        f"<code>{case.id}</code><span class='level'>{case.level}</span>"
        f'<span class="why">{escape(result.why)}</span></summary>'
    )
    facts = {
        "case": escape(case.title),
        "sends": escape(case.sends),
        "expects": escape(case.expects),
        "rule": linked(case.rule),
    }
    parts = [_definitions(facts)]
    if faulty:
        parts.append(f'<p class="fix"><b>What to do.</b> {escape(case.fix)}</p>')
    if faulty and result.exchange is not None and result.exchange.requests:
        parts += _pictures(result.exchange)
    opened = " open" if verdict is Verdict.FAIL else ""
    return f'<details{opened} id="{case.id}">{head}<div class="inside">{"".join(parts)}</div></details>'


def linked(rule: str) -> str:
    """Return a rule as HTML, with a link for each RFC.

    >>> linked("RFC 8292 §2.1")
    '<a href="https://www.rfc-editor.org/rfc/rfc8292#section-2.1">RFC 8292 §2.1</a>'
    """

    def link(found: re.Match[str]) -> str:
        section = f"#section-{found[2]}" if found[2] else ""
        return f'<a href="https://www.rfc-editor.org/rfc/rfc{found[1]}{section}">{found[0]}</a>'

    return SECTION.sub(link, escape(rule))


# --- pictures -------------------------------------------------------------------------------------


def _pictures(exchange: Exchange) -> Iterator[str]:
    yield "<h3>Who sent what</h3>"
    yield theme.inline(sequence(list(events(exchange))))
    arrived = exchange.requests[0]
    yield "<h3>The request</h3>"
    yield _headers(arrived)
    if arrived.body:
        yield f"<h3>Its body, {len(arrived.body)} bytes</h3>{theme.inline(_bytes(arrived.body))}"
    if token := _token(arrived):
        yield (
            "<h3>Its token</h3>"
            f'{theme.inline(token)}<p class="note">The signature is blanked out, so that nobody can use '
            "the token.</p>"
        )


def events(exchange: Exchange) -> Iterator[Event]:
    """Yield what passed between the sender and the push service, as a journal has it."""
    began = exchange.requests[0].at
    numbers = iter(range(1, 10**6))

    for arrived in exchange:
        after = arrived.at - began
        detail: dict[str, str | int] = {"bytes": len(arrived.body), "connection": arrived.connection}
        if after:
            detail |= {"after": f"{after:.2f} s"}
        yield Event(next(numbers), arrived.at, AS, PS, "POST message", detail=detail)
        waited = {"after": f"{arrived.waited:.1f} s"} if arrived.waited else {}
        yield Event(next(numbers), arrived.answered_at, PS, AS, arrived.answer, detail=waited)


def _headers(arrived: Arrived) -> str:
    request = arrived.request
    origin = "/".join(request.url.split("/", 3)[:3])
    rows = [("request", f"{request.method} {origin}/…"), *request.headers]
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(shown)}</code></td></tr>'
        for name, shown in ((name, _shown(name, value)) for name, value in rows)
    )
    return f"<table>{cells}</table>"


def _shown(name: str, value: str) -> str:
    return LONG.sub(r"\1…", value) if name.lower() in SECRET else show(value)


def _bytes(body: bytes) -> str:
    try:
        return message_map(body).markup
    except PushlabError as error:
        return byte_map(list(_parts(body, error.detail)), body).markup


def _parts(body: bytes, fault: str) -> Iterator[Span]:
    """Name the parts of a body that is not that of a push message, as far as its own header says."""
    try:
        header = Header.parse(body)
    except PushlabError:
        yield Span(0, len(body), "body", fault, "RFC 8188 §2.1")
        return
    yield Span(0, 16, "salt", "random, new for each message", "RFC 8188 §2.1")
    yield Span(16, 20, "rs", f"record size {header.rs}", "RFC 8188 §2.1")
    yield Span(20, 21, "idlen", f"{len(header.keyid)} bytes of keyid follow", "RFC 8188 §2.1")
    yield Span(21, len(header), "keyid", "the sender's public key: 65 bytes", "RFC 8291 §4")
    for number, start in enumerate(range(len(header), len(body), header.rs)):
        end = min(start + header.rs, len(body))
        yield Span(start, end, f"record {number}", fault, "RFC 8291 §4")


def _token(arrived: Arrived) -> str:
    """Draw the token with a blank in place of its signature; "" if there is none that can be read."""
    found = re.search(r"\bt=\"?([\w-]+\.[\w-]+)\.([\w-]+)", arrived.header("Authorization") or "")
    if found is None:
        return ""
    try:
        blank = base64url.encode(bytes(len(base64url.decode(found[2]))))
        return token_map(f"{found[1]}.{blank}").markup
    except PushlabError:
        return ""
