"""How a picture follows the theme of the page that shows it.

The theme of JupyterLab is an attribute of its page. A picture in an ``<img>`` is a document of its
own: it does not see that attribute, but it does see the CSS property ``color-scheme`` of the
``<img>``, as ``prefers-color-scheme`` (CSS Color Adjustment §2.2; seen with Chromium 156 and Firefox
153). So the HTML around the picture sets that property, and the picture has a style sheet for dark.
A viewer that removes style sheets shows the light picture, also in a notebook that is not trusted.

In the panel a picture is part of the page. There ``rules`` are limited to JupyterLab's dark themes.
"""

import re
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import quote

DARK: Mapping[str, str] = {
    "#d5d7da": "#3a4350",  # lines and edges
    "#1f2328": "#e6eaf0",  # text
    "#5f6772": "#a3adba",  # faint text, and a part of a message
    "#1f5fbf": "#7fb0ff",  # user agent
    "#a8500a": "#ffb066",  # push service
    "#1d7044": "#6fd39b",  # application server
    "#7a3fa5": "#c79af0",  # the other parts of a message
    "#0b6e79": "#5cc4d0",
    "#b0263f": "#ff8f9f",
    "#4b4fc4": "#a5a8ff",
    "#86590a": "#e0b05a",
    "#a8246f": "#ff8fcb",
    "#4d6b12": "#a9cf5f",
}
"""The colour that replaces each colour of a light picture in its texts, lines and arrow heads. Boxes
with white text in them keep their colours."""

GROUNDS = {"#fbfbfa": "#181d25", "#ffffff": "#0f1319"}
"""What replaces the colour of a card and of a note, which are boxes with coloured text."""

INKED = ("text", "g", "path", "circle")

IS_DARK = '[data-jp-theme-light="false"]'
"""JupyterLab, and nbconvert's page, with a dark theme."""

# VS Code has a class of its own.
FOLLOW = (
    f"<style>{IS_DARK} .pushlab-picture,.vscode-dark .pushlab-picture{{color-scheme:dark}}"
    '[data-jp-theme-light="true"] .pushlab-picture{color-scheme:light}</style>'
)

SMALLEST = 0.66
"""A picture shrinks to this part of its width, and the diagram of three parties then fits into a
JupyterLab that is 1000 pixels wide. In a narrower place it is scrolled: its letters, 11 to 13 pixels
high, would be too small to read."""

# What both a data URL and an attribute in single quotes can hold as it is. The rest is percent-encoded.
UNQUOTED = ' !"$()*+,-./:;<=>?@[]_{|}~'
OPENING = re.compile(r'<svg [^>]*?width="([\d.]+)"[^>]*?aria-label="([^"]*)"')


def rules(markup: str = "", scope: str = "") -> str:
    """Return the style rules of a dark picture, for the colours in ``markup``, or for all of them.

    >>> rules('<text fill="#1f2328"/>')
    'text[fill="#1f2328"],g[fill="#1f2328"],path[fill="#1f2328"],circle[fill="#1f2328"]{fill:#e6eaf0}'
    """
    made = []
    for light, dark in DARK.items():
        if not markup or f'fill="{light}"' in markup:
            inked = [f'{scope}{tag}[fill="{light}"]' for tag in INKED]
            made.append(f"{','.join(inked)}{{fill:{dark}}}")
        if not markup or f'stroke="{light}"' in markup:
            made.append(f'{scope}[stroke="{light}"]{{stroke:{dark}}}')
    for light, dark in GROUNDS.items():
        if not markup or f'fill="{light}"' in markup:
            made.append(f'{scope}rect[fill="{light}"]{{fill:{dark}}}')
    return "".join(made)


def inline(markup: str) -> str:
    """Return HTML with a picture as a part of the page, scrolled where there is no room for it."""
    wide, label = _width_and_label(markup)
    svg = markup.replace("<svg ", f'<svg style="max-width:100%;min-width:{wide * SMALLEST:.0f}px" ', 1)
    return f'<div class="pushlab-wide" tabindex="0" role="group" aria-label="{label}">{svg}</div>'


def html(markup: str) -> str:
    """Return HTML that shows a picture in the page's theme, scrolled where there is no room for it."""
    wide, label = _width_and_label(markup)
    style = f"<style>@media (prefers-color-scheme:dark){{{rules(markup)}}}</style>"
    themed = markup.replace(">", f">{style}", 1)
    return (
        f'{FOLLOW}<div style="overflow-x:auto"><img class="pushlab-picture" alt="{label}" '
        f'style="width:{wide:g}px;min-width:{wide * SMALLEST:.0f}px;max-width:100%" '
        f"src='data:image/svg+xml,{quote(themed, safe=UNQUOTED)}'></div>"
    )


def _width_and_label(markup: str) -> tuple[float, str]:
    opening = OPENING.match(markup)
    assert opening, "svg.card() has made it"
    return float(opening[1]), escape(unescape(opening[2]))
