"""An HTML page in place of a push service's words, as one sentence.

Google answers some faults with a page, and so do the gateways and proxies in between: a learner needs
its title and its text, not its style sheet. The page is a stranger's. It is read by three regular
expressions that look at each character a bounded number of times: Python's HTMLParser raises
AssertionError for some declarations.
"""

import re

from pushlab.protocol.spelling.entities import unescaped
from pushlab.text import one_line

MAX_READ = 16 * 1024
"""Characters of a page that are looked at."""

MAX_TITLE, MAX_TEXT = 100, 240
"""Characters of a page's title and of its text that are told."""

PAGE = re.compile(
    r"\ufeff?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--(?:(?!-->).){0,2000}-->\s*)?"
    r"<(?:!doctype\s+html|html|head|body|title|meta|center|div|pre|h[1-6]|p)\b",
    re.IGNORECASE | re.DOTALL,
)
TITLE = re.compile(r"<title\b[^>]{0,200}>([^<]*)", re.IGNORECASE)
UNSHOWN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title|svg|template)\b.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
TAG = re.compile(r"<[/!?a-z][^<>]*(?:>|\Z)", re.IGNORECASE)


def sentence_of(text: str) -> str | None:
    """Return what an HTML page says, in one line, or None if the text is not a page.

    >>> sentence_of("<html><title>Error 404</title><style>p {}</style><p>Not <b>here</b>.</p></html>")
    'an HTML page, "Error 404": Not here.'
    >>> sentence_of("a < b")
    """
    text = text[:MAX_READ]
    title = title_of(text)
    if title is None:
        return None
    shown = _bounded(TAG.sub(" ", UNSHOWN.sub(" ", text)), MAX_TEXT)
    named = f'an HTML page, "{title}"' if title else "an HTML page"
    return f"{named}: {shown}" if shown else named


def title_of(text: str) -> str | None:
    """Return the title of an HTML page, "" if it has none, or None if the text is not a page.

    >>> title_of("<title>502 Bad Gateway</title>"), title_of("<p>No</p>"), title_of("Bad Gateway")
    ('502 Bad Gateway', '', None)
    """
    text = text[:MAX_READ]
    if not PAGE.match(text):
        return None
    found = TITLE.search(text)
    return _bounded(found[1] if found else "", MAX_TITLE)


def _bounded(text: str, limit: int) -> str:
    text = re.sub(r" (?=[.,;:!?])", "", one_line(unescaped(text)))
    return text if len(text) <= limit else f"{text[:limit]}…"
