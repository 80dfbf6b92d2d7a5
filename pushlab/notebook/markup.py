"""The panel's words, as small pieces of HTML. Pure functions: values in, one string out.

Everything that came from outside is escaped: a notification's title is as foreign as any input.
Colours are JupyterLab's own variables, so that a piece fits a light and a dark theme.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.participants import Participant
from pushlab.appserver.delivery.sender import Counts
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import PushlabError
from pushlab.lab.invitation import Invitation
from pushlab.journal import Event
from pushlab.notebook.pictures.sequence import COLOURS, describe, shorten
from pushlab.protocol.encryption import MAX_PLAINTEXT, OVERHEAD
from pushlab.useragent.base import Notification

LOG_LINES = 100

# Scoped to the panel. The fallbacks serve front ends that are not JupyterLab.
STYLE = """<style>
.pushlab-panel { color: var(--jp-ui-font-color1, #222); }
.pushlab-panel .jupyter-button { width: auto; }
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
.pushlab-verdict { border-left: 4px solid; padding: 4px 10px; margin: 0 4px; }
.pushlab-result { min-height: 2.5em; }
.pushlab-toast { border: 1px solid var(--jp-border-color2, #ccc); border-radius: 8px;
  padding: 6px 12px; margin: 4px 0; background: var(--jp-layout-color2, #eee); }
.pushlab-rows { max-height: 300px; overflow: auto; margin-top: 4px; }
.pushlab-rows th { position: sticky; top: 0; background: var(--jp-layout-color0, #fff); }
.pushlab-rows td:not(:first-child) { white-space: nowrap; }
.pushlab-command { font-size: 1.05em; overflow-wrap: anywhere; }
.pushlab-qr svg { display: block; max-width: 100%; height: auto; margin: 8px 0; border-radius: 6px; }
.pushlab-scroll { max-height: 170px; overflow: auto; display: flex; flex-direction: column-reverse;
  font-family: var(--jp-code-font-family, monospace); font-size: 0.9em; }
</style>"""

DONE, BUSY, LOST, FAILED = "#2e8b57", "#6b7280", "#c77800", "#c62828"
VERDICTS = {"accepted": DONE, "gone": LOST, "retry": LOST, "refused": FAILED, "failed": FAILED}

NEXT = "Press Subscribe here, or the buttons on the page itself."
BESIDE = "To keep it in view: right-click this panel, Create New View for Cell Output."
SUBSCRIBED = "Its push service made an endpoint; the application server stored it with two keys."
UNSUBSCRIBED = "Its old endpoint will never work again, and the application server has removed it."
NO_BROWSER = '<span class="pushlab-faint">The lab has no browser open.</span>'


def ways(kinds: Sequence[str], screen: bool) -> str:
    """Say what the lab's own browsers are, on a machine with or without a screen."""
    if kinds == ["virtual"]:
        return "No real browser is found here. A virtual one speaks the same protocols."
    said = "A real browser that uses the lab's own push service: no internet, no account."
    return said if screen else f"{said} There is no screen here, so the panel shows what it shows."


def own_browser(url: str) -> str:
    """Return the link for the learner's own browser, whose vendor runs its push service."""
    return (
        f'Or <a href="{escape(url)}" target="_blank">open it in your own browser</a>.'
        ' <span class="pushlab-faint">Its vendor runs its push service: that needs internet.</span>'
    )


def heading(said: str, explanation: str = "") -> str:
    """Return the head of a part of the panel."""
    more = f'<div class="pushlab-faint">{escape(explanation)}</div>' if explanation else ""
    return f'<b class="pushlab-heading">{escape(said)}</b>{more}'


def parties() -> str:
    """Return the legend: who has which colour."""
    return " &nbsp; ".join(
        f'<span style="white-space:nowrap"><span class="pushlab-dot" '
        f'style="background:{colour}"></span>{escape(party.value)}</span>'
        for party, colour in COLOURS.items()
    )


def verdict(said: str, colour: str, more: str = "") -> str:
    """Return one sentence with a coloured edge, and what follows from it."""
    rest = f'<div class="pushlab-faint">{escape(more)}</div>' if more else ""
    return f'<div class="pushlab-verdict" style="border-color:{colour}">{escape(said)}{rest}</div>'


def outcome(result: Outcome) -> str:
    """Explain what became of one message."""
    return verdict(str(result), VERDICTS[result.kind])


def counts(result: Counts) -> str:
    """Explain what became of one message to everybody."""
    sent = result.done
    said = f"Sent to {sent} subscription{'s' if sent != 1 else ''}: {result.accepted} accepted"
    if result.gone:
        said += f", {result.gone} gone and removed"
    if result.failed:
        said += f", {result.failed} failed"
    more = f"{result.retried} needed a second try." if result.retried else ""
    return verdict(f"{said}.", FAILED if result.failed else LOST if result.gone else DONE, more)


def fault(error: Exception) -> str:
    """Say in words what went wrong. What is not one of our own errors is a bug, and says so."""
    if isinstance(error, PushlabError):
        return verdict(str(error), FAILED)
    said = f"{type(error).__name__}: {error}"
    return verdict(shorten(said, 400), FAILED, "This is a bug of the lab: please report it.")


def subscriptions(count: int, newest: Sequence[StoredSubscription]) -> str:
    """Say how many are subscribed, and list the newest of them, the newest last.

    An endpoint is a secret and is never shown.
    """
    if not newest:
        return '<span class="pushlab-faint">Nobody yet. Press Subscribe.</span>'
    rows = "".join(
        f"<tr><td>{escape(one.display_name or 'Browser')}</td><td><code>{escape(one.subscription.label)}"
        f"</code></td><td>{escape(urlsplit(one.subscription.origin).hostname or '')}</td><td>{clock(one.created_at)}</td>"
        f"<td style='white-space:nowrap'>{'← Notify me' if one is newest[-1] else ''}</td></tr>"
        for one in newest
    )
    head = "<tr><th>who</th><th>label</th><th>push service</th><th>since</th><th></th></tr>"
    if count > len(newest):
        head += f"<tr><td colspan=5>… {count - len(newest)} earlier</td></tr>"
    return f"<table>{head}{rows}</table>"


def room(participants: Sequence[Participant]) -> str:
    """List who is in the room: here or away, what waits, and whether the last message arrived."""
    if not participants:
        return '<span class="pushlab-faint">Nobody yet: whoever joins and subscribes appears here.</span>'
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{escape(one.browser)}</td>"
        f"<td>{_presence(one.connected)}</td><td>{one.waiting or ''}</td>"
        f"<td>{_arrival(one)}</td></tr>"
        for one in participants
    )
    here = sum(bool(one.connected) for one in participants)
    reached = sum(bool(one.reached) for one in participants)
    sums = f"{len(participants)} subscribed · {here} connected · {reached} reached by the last message"
    head = "<tr><th>name</th><th>browser</th><th>now</th><th>waiting</th><th>last message</th></tr>"
    table = f'<div class="pushlab-rows"><table>{head}{rows}</table></div>'
    return f'<div class="pushlab-faint">{sums}</div>{table}'


def _presence(connected: bool | None) -> str:
    if connected is None:
        return '<span class="pushlab-faint" title="Its vendor runs its push service">vendor’s</span>'
    return _dot(DONE, "here") if connected else _dot(LOST, "away")


def _arrival(one: Participant) -> str:
    if one.reached is None:
        return ""
    at = f'<span class="pushlab-faint">{clock(one.sent_at)}</span> '
    return at + (f"✓ {one.latency:.0f} ms" if one.reached else "not yet")


def _dot(colour: str, said: str) -> str:
    return f'<span class="pushlab-dot" style="background:{colour}"></span>{said}'


def invitation(how: Invitation) -> str:
    """Say how others get in: a line to type, an address, and its QR code."""
    return (
        f'<code class="pushlab-command">{escape(how.command)}</code><br>'
        f'<a href="{escape(how.page_url)}" target="_blank">{escape(how.page_url)}</a>'
        f'<div class="pushlab-qr">{how.qr_svg()}</div>'
    )


def instructor_link(how: Invitation) -> str:
    """Return the link with which a page may notify all. It is shown on demand alone."""
    return (
        f'<a href="{escape(how.instructor_url)}" target="_blank">The page, as the instructor</a>'
        '<div class="pushlab-faint">Its address holds the token: copy it for nobody else.</div>'
    )


def keys(pair: VapidKeys) -> str:
    """Say what the application server is called: its public key, never the private one."""
    named = pair.application_server_key
    return (
        f"VAPID public key: <code>{escape(named[:12])}…</code> "
        f'<span class="pushlab-faint">{len(pair.public)} bytes, {len(named)} characters. '
        "Every subscription is made for it. Its private half, 32 bytes, never leaves the server."
        "</span>"
    )


def room_left(used: int) -> str:
    """Count a plaintext against what one message holds. RFC 8291 §4."""
    return (
        f'<span class="pushlab-faint">{used} bytes as JSON, {MAX_PLAINTEXT - used} of {MAX_PLAINTEXT} '
        f"left · {used + OVERHEAD} bytes on the way</span>"
    )


def too_much(error: PushlabError) -> str:
    """Say that a message cannot be sent, while it is being written."""
    return f'<b style="color:{FAILED}">✗</b> {escape(error.detail)}'


def notifications(shown: Sequence[Notification], name: str) -> str:
    """Draw the notifications as the user agent itself reports them."""
    if not shown:
        return f'<span class="pushlab-faint">{escape(name)} shows no notification.</span>'
    toasts = "".join(
        f'<div class="pushlab-toast"><b>{escape(one.title)}</b><br>{escape(one.body)}</div>'
        for one in shown[-5:]
    )
    return f'<span class="pushlab-faint">{escape(name)} says that it shows:</span>{toasts}'


def log(events: Iterable[Event]) -> str:
    """Return the story as text, the newest last and in view."""
    lines = "".join(
        f'<div style="white-space:nowrap">{clock(event.at)} {escape(str(event))} '
        f'<span class="pushlab-faint">{escape(describe(event.detail))}</span></div>'
        for event in list(events)[-LOG_LINES:]
    )
    # The reversed outer box keeps the end in view with no script.
    return f'<div class="pushlab-scroll"><div>{lines}</div></div>'


def clock(at: float) -> str:
    """Return seconds since 1970 as the time of day here."""
    return f"{datetime.fromtimestamp(at):%H:%M:%S}"
