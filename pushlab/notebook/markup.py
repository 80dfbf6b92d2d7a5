"""The panel's texts, as small pieces of HTML. Each function is pure: it returns one string.

Every value from outside is escaped, because anybody may have written a notification's title.
Colours are JupyterLab's own variables, so that a piece suits a light and a dark theme.
"""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from pushlab.appserver.broadcast.sender import Counts
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.participants import Participant
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import PushlabError
from pushlab.journal import Event
from pushlab.lab.invitation import Invitation
from pushlab.notebook.pictures import theme
from pushlab.notebook.pictures.sequence import COLOURS, describe, shorten
from pushlab.protocol.encryption import MAX_PLAINTEXT, OVERHEAD
from pushlab.text import counted
from pushlab.useragent.base import Notification

LOG_LINES = 100

# The rules apply to the panel alone. The fallbacks are for front ends other than JupyterLab.
STYLE = """<style>
.pushlab-panel { color: var(--jp-ui-font-color1, #222); }
.pushlab-panel .jupyter-button { width: auto; }
.pushlab-panel .widget-label { width: auto; min-width: 84px; }
.pushlab-panel .widget-html-content { line-height: 1.45; }
.pushlab-card { border: 1px solid var(--jp-border-color2, #ccc); border-radius: 8px;
  padding: 10px 14px; }
.pushlab-card b.pushlab-heading { font-size: 1.1em; }
.pushlab-faint { color: var(--jp-ui-font-color2, #666); }
.pushlab-panel a { color: var(--jp-content-link-color, #1976d2); text-decoration: underline; }
.pushlab-panel table { border-collapse: collapse; width: 100%; }
.pushlab-panel th, .pushlab-panel td { text-align: left; padding: 2px 14px 2px 0; }
.pushlab-panel th { font-weight: 600; border-bottom: 1px solid var(--jp-border-color2, #ccc); }
.pushlab-dot { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 50%;
  margin-right: 0.4em; }
.pushlab-dated { display: flex; flex-wrap: wrap; align-items: baseline; }
.pushlab-dated > .pushlab-verdict { flex: 1 1 300px; }
.pushlab-verdict { border-left: 4px solid; padding: 4px 10px; margin: 0 4px; }
.pushlab-result { min-height: 2.5em; }
.pushlab-toast { border: 1px solid var(--jp-border-color2, #ccc); border-radius: 8px;
  padding: 6px 12px; margin: 4px 0; background: var(--jp-layout-color2, #eee); }
.pushlab-wide { overflow-x: auto; }
.pushlab-wide svg { display: block; height: auto; }
.pushlab-screen img { display: block; width: 100%; max-height: 300px; object-fit: cover;
  object-position: top; border: 1px solid var(--jp-border-color2, #ccc); border-radius: 8px; }
.pushlab-large .pushlab-screen img { max-height: none; }
.pushlab-progress progress { width: 100%; accent-color: #2e8b57; }
.pushlab-shown { margin-bottom: 8px; }
.pushlab-rows { max-height: 300px; overflow: auto; margin-top: 4px; }
.pushlab-rows th { position: sticky; top: 0; background: var(--jp-layout-color0, #fff); }
.pushlab-rows td:not(:first-child) { white-space: nowrap; }
.pushlab-command { font-size: 1.05em; overflow-wrap: anywhere; }
.pushlab-qr svg { display: block; max-width: 100%; height: auto; margin: 8px 0; border-radius: 6px; }
.pushlab-scroll { max-height: 170px; overflow: auto; display: flex; flex-direction: column-reverse;
  font-family: var(--jp-code-font-family, monospace); font-size: 0.9em; }
DARK</style>""".replace("DARK", theme.rules(scope=f"{theme.IS_DARK} .pushlab-diagram "))

DONE, BUSY, LOST, FAILED = "#2e8b57", "#6b7280", "#c77800", "#c62828"
VERDICTS = {"accepted": DONE, "gone": LOST, "retry": LOST, "refused": FAILED, "failed": FAILED}

NEXT = "Press Subscribe here, or use the buttons on the page itself."
KEEP_IN_VIEW = (
    "It is in your own browser. To keep it in view, right-click this panel and choose Create New View "
    "for Cell Output."
)
SUBSCRIBED = "Its push service made an endpoint, and the application server stored it with two keys."
UNSUBSCRIBED = "Its old endpoint will never work again, and the application server has removed it."
CLOSED = "It unsubscribed first, because nobody could read its messages any more."
NOT_OPEN = "The lab has no browser open. Press one of the buttons that open one"
NONE_OF_OURS = (
    "No browser of this lab is subscribed, and Notify me is for those alone. Subscribe one, or send to "
    "a participant with “Notify this one”"
)
EVERYONE = '<span class="pushlab-faint">Notify all sends to everybody who has subscribed.</span>'
DELIVERY = (
    "A push service delivers a message as soon as the browser is connected. What the lab's browsers "
    "show is listed beside the form."
)
NO_PHONES = (
    '<div class="pushlab-faint">Phones cannot take part: browsers give push only to a page that comes '
    "by https, and this one comes by http.</div>"
)
NO_BROWSER = '<span class="pushlab-faint">The lab has no browser open.</span>'


def ways(kinds: Sequence[str], screen: bool) -> str:
    """Say which browsers the lab can open, on a machine with or without a screen."""
    if kinds == ["virtual"]:
        return "No real browser is installed here. A virtual one speaks the same protocols."
    said = "The lab opens a real browser that uses the lab's own push service: no internet, no account."
    return said if screen else f"{said} There is no screen here, so you see a picture of its page."


def own_browser(url: str) -> str:
    """Return the link for the learner's own browser, whose vendor runs its push service."""
    return (
        f'Or <a href="{escape(url)}" target="_blank">open it in your own browser</a>.'
        ' <span class="pushlab-faint">It uses its maker’s push service, which needs internet.</span>'
    )


def heading(said: str, explanation: str = "") -> str:
    """Return the heading of a part of the panel, with an explanation below it."""
    more = f'<div class="pushlab-faint">{escape(explanation)}</div>' if explanation else ""
    return f'<b class="pushlab-heading">{escape(said)}</b>{more}'


def legend() -> str:
    """Return the legend: the colour of each party."""
    return " &nbsp; ".join(
        f'<span style="white-space:nowrap"><span class="pushlab-dot" '
        f'style="background:{colour}"></span>{escape(party.value)}</span>'
        for party, colour in COLOURS.items()
    )


def verdict(said: str, colour: str, more: str = "") -> str:
    """Return one sentence with a coloured edge, and below it what follows."""
    rest = f'<div class="pushlab-faint">{escape(more)}</div>' if more else ""
    return f'<div class="pushlab-verdict" style="border-color:{colour}">{escape(said)}{rest}</div>'


def dated(at: float, said: str) -> str:
    """Put the time before a verdict: what it says happened then, and may have changed since."""
    return f'<div class="pushlab-dated"><span class="pushlab-faint">{clock(at)}</span>{said}</div>'


def outcome(result: Outcome, recipient: str) -> str:
    """Explain the outcome of one message."""
    if result.kind == "accepted" and result.status == 201:
        said = f"The push service accepted the message to {recipient}: 201 Created ({result.rfc})."
        return verdict(said, DONE, DELIVERY)
    return verdict(f"The message to {recipient}: {result}", VERDICTS[result.kind])


def counts(result: Counts) -> str:
    """Explain the outcomes of one message to all subscriptions."""
    said = f"Sent to {counted(result.done, 'subscription')}: {result.accepted} accepted"
    if result.gone:
        said += f", {result.gone} gone and removed"
    if result.failed:
        said += f", {result.failed} failed"
    more = f"{result.retried} needed a second try." if result.retried else ""
    if result.failed and result.not_sent:
        more += f" {result.not_sent} were not sent to: their push service refused everybody."
    return verdict(f"{said}.", FAILED if result.failed else LOST if result.gone else DONE, more.strip())


def fault(error: Exception) -> str:
    """Explain an error. Any error that is not a PushlabError is a bug, and is called one."""
    if isinstance(error, PushlabError):
        return verdict(str(error), FAILED)
    said = f"{type(error).__name__}: {error}"
    return verdict(shorten(said, 400), FAILED, "This is a bug of the lab: please report it.")


def progress(done: int, total: int) -> str:
    """Show how many messages of a notify-all have an outcome."""
    said = f"Notify all: {done} of {total} messages have an outcome."
    return (
        f'<progress max="{max(total, 1)}" value="{done}" aria-label="Notify all"></progress><br>{said}'
    )


def subscriber(one: StoredSubscription, *, ours: bool = False) -> str:
    """Name a subscriber in plain text. ``ours``: whether it is a browser that the lab has open."""
    named = one.display_name or "Browser"
    return f"{'the lab’s ' if ours else ''}{named} · {one.subscription.label}"


def subscriptions(count: int, newest: Sequence[StoredSubscription], chosen: str | None = None) -> str:
    """List the newest of ``count`` subscriptions, the newest last. ``chosen``: the label of one.

    An endpoint is a secret and is never shown.
    """
    if not newest:
        return '<span class="pushlab-faint">Nobody is subscribed. Press Subscribe.</span>'
    rows = "".join(
        f"<tr><td>{escape(one.display_name or 'Browser')}</td>"
        f"<td><code>{escape(one.subscription.label)}</code></td>"
        f"<td>{escape(urlsplit(one.subscription.origin).hostname or '')}</td>"
        f"<td>{clock(one.created_at)}</td>"
        f"<td>{'← Notify me' if one.subscription.label == chosen else ''}</td></tr>"
        for one in newest
    )
    head = "<th>who</th><th>label</th><th>push service</th><th>since</th><th>next message</th>"
    more = f"<tr><td colspan=5>… {count - len(newest)} earlier</td></tr>" if count > len(newest) else ""
    return _table("Subscriptions", head, more + rows)


def _table(name: str, head: str, rows: str) -> str:
    return (
        f'<div class="pushlab-rows" tabindex="0" role="group" aria-label="{name}">'
        f"<table><tr>{head}</tr>{rows}</table></div>"
    )


def room(participants: Sequence[Participant], *, hidden: bool = False) -> str:
    """List the participants: connected or not, messages waiting, arrival of the last message.

    ``hidden``: leave out their names.
    """
    if not participants:
        said = "Nobody is subscribed. Each participant appears here after subscribing."
        return f'<span class="pushlab-faint">{said}</span>'
    rows = "".join(
        f"<tr><td>{'(hidden)' if hidden else escape(one.name)}</td><td>{escape(one.browser)}</td>"
        f"<td>{_presence(one.connected)}</td><td>{one.waiting or ''}</td>"
        f"<td>{_arrival(one)}</td></tr>"
        for one in participants
    )
    here = sum(bool(one.connected) for one in participants)
    reached = sum(bool(one.reached) for one in participants)
    sums = f"{len(participants)} subscribed · {here} connected · {reached} reached by the last message"
    head = "<th>name</th><th>browser</th><th>now</th><th>waiting</th><th>last message</th>"
    return f'<div class="pushlab-faint">{sums}</div>{_table("Participants", head, rows)}'


def _presence(connected: bool | None) -> str:
    if connected is None:
        return (
            '<span class="pushlab-faint" title="Its maker’s push service tells nobody">not known</span>'
        )
    return _dot(DONE, "here") if connected else _dot(LOST, "away")


def _arrival(one: Participant) -> str:
    if one.reached is None or one.sent_at is None:
        return ""
    at = f'<span class="pushlab-faint">{clock(one.sent_at)}</span> '
    return at + (f"✓ {one.latency:.0f} ms" if one.reached else "not yet")


def _dot(colour: str, said: str) -> str:
    return f'<span class="pushlab-dot" style="background:{colour}"></span>{said}'


def invitation(how: Invitation) -> str:
    """Show how others join: a command to type, an address, and its QR code if it serves phones."""
    notebook = "To be on your board, in a notebook:"
    code = f'<div class="pushlab-qr">{how.qr_svg()}</div>' if how.serves_phones else NO_PHONES
    return (
        f'<code class="pushlab-command">{escape(how.command)}</code><br>'
        f"On Windows: <code>{escape(how.command_on_windows)}</code><br>"
        f"{notebook} <code>{escape(how.class_line)}</code><br>"
        f'<a href="{escape(how.page_url)}" target="_blank">{escape(how.page_url)}</a>{code}'
    )


def instructor_link(how: Invitation) -> str:
    """Return a new link to a page that may notify all. It is shown only on demand."""
    return (
        f'<a href="{escape(how.instructor_link())}" target="_blank">Open the instructor’s page</a>'
        '<div class="pushlab-faint">Keep this link to yourself. It works once, within ten minutes. '
        "To get another one, hide it and show it again.</div>"
    )


def keys(pair: VapidKeys) -> str:
    """Show the public key that identifies the application server, never the private one."""
    named = pair.application_server_key
    return (
        f"VAPID public key: <code>{escape(named[:12])}…</code> "
        f'<span class="pushlab-faint">{len(pair.public)} bytes, {len(named)} characters. '
        "Every subscription is made for this key. The private key, 32 bytes, never leaves the server."
        "</span>"
    )


def bytes_left(used: int) -> str:
    """Say how many bytes of plaintext one message can still hold. Source: RFC 8291 §4."""
    return (
        f'<span class="pushlab-faint">{used} bytes as JSON, {MAX_PLAINTEXT - used} of {MAX_PLAINTEXT} '
        f"left · {used + OVERHEAD} bytes on the way</span>"
    )


def invalid(error: PushlabError) -> str:
    """Say beside a field why what is typed there cannot be sent."""
    hint = f" {error.hint}." if error.hint else ""
    return f"✗ {escape(error.detail)}.{escape(hint)}"


def notifications(shown: Sequence[Notification], name: str, at: float) -> str:
    """Show the notifications that the user agent itself reported at a time.

    A browser takes a notification away by itself: Firefox does after 20 seconds.
    """
    when = f"At {clock(at)}, {escape(name)}"
    if not shown:
        return f'<div class="pushlab-faint pushlab-shown">{when} showed no notification.</div>'
    toasts = "".join(
        f'<div class="pushlab-toast"><b>{escape(one.title)}</b><br>{escape(one.body)}</div>'
        for one in shown[-5:]
    )
    said = f'<div class="pushlab-faint">{when} showed:</div>'
    return f'<div class="pushlab-shown">{said}{toasts}</div>'


def screen(png: bytes, name: str) -> str:
    """Show a picture of the page in a browser."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="The client page in {escape(name)}">'


def log(events: Iterable[Event]) -> str:
    """List the last events as text, the newest last and in view."""
    lines = "".join(
        f'<div style="white-space:nowrap">{clock(event.at)} {escape(str(event))} '
        f'<span class="pushlab-faint">{escape(describe(event.detail))}</span></div>'
        for event in list(events)[-LOG_LINES:]
    )
    # A box with reversed columns keeps its end in view without a script.
    attributes = 'class="pushlab-scroll" tabindex="0" role="group" aria-label="Log"'
    return f"<div {attributes}><div>{lines}</div></div>"


def clock(at: float) -> str:
    """Return seconds since 1970 as this machine's local time of day."""
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}"
