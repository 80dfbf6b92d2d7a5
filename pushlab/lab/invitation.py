"""How participants are invited: a line to type, a link to scan, and a link for the instructor only.

The token is a capability, as an endpoint is: anybody who has it may send to everybody. It stands in no
link, because browsers store links. The instructor's link has a code that works once and for a few
minutes. It stands in the fragment of the URL, which a browser sends to no server.
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import segno

from pushlab.reader import command

QUIET_ZONE = 4
"""Modules of margin around a QR code. Source: ISO/IEC 18004 §9.1."""

# Two modules a character: the upper half is the foreground, the lower half the background.
HALVES = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
WHITE_ON_BLACK, AS_BEFORE = "\033[97;40m", "\033[0m"


@dataclass(frozen=True)
class Invitation:
    """The invitation to the page at ``page_url``.

    ``token`` is the instructor's, for programs; ``new_code()`` gives a code for one link.

    >>> invitation = Invitation("http://192.168.1.20:8292/", "secret", lambda: "K7QF-2M9X-TB4E")
    >>> invitation.command
    './lab join http://192.168.1.20:8292'
    >>> invitation
    Invitation(page_url='http://192.168.1.20:8292/')
    """

    page_url: str
    token: str = field(repr=False)
    new_code: Callable[[], str] = field(repr=False)

    @property
    def command(self) -> str:
        """The command that a participant types. Nobody knows on which system."""
        return command(f"join {self.page_url.rstrip('/')}", system="posix")

    @property
    def command_on_windows(self) -> str:
        """The same command for a participant whose machine runs Windows."""
        return command(f"join {self.page_url.rstrip('/')}", system="nt")

    @property
    def class_line(self) -> str:
        """The line with which a participant's notebook reports its checks to the instructor's board."""
        return f'lab.join_class("{self.page_url}", name="…")'

    @property
    def serves_phones(self) -> bool:
        """Whether a phone that opens the page can receive messages: it can if the page has https.

        >>> Invitation("http://192.168.1.20:8292/", "", lambda: "").serves_phones
        False
        """
        return self.page_url.startswith("https:")

    def instructor_link(self) -> str:
        """Return a new link to the page for the instructor's browser. It works once.

        >>> Invitation("http://192.168.1.20:8292/", "", lambda: "K7QF-2M9X-TB4E").instructor_link()
        'http://192.168.1.20:8292/#code=K7QF-2M9X-TB4E'
        """
        return f"{self.page_url}#code={self.new_code()}"

    def qr_text(self, colour: bool = False) -> str:
        """Return the QR code of the page's URL as lines of half blocks, for a dark background.

        ``colour`` adds the colours, so that the code can be scanned from a terminal of any colour.
        """
        rows = [list(row) for row in self._code().matrix_iter(border=QUIET_ZONE)]
        if len(rows) % 2:
            rows.append([0] * len(rows[0]))
        lines = ["".join(_halves(*pair)) for pair in zip(rows[::2], rows[1::2], strict=True)]
        if colour:
            lines = [f"{WHITE_ON_BLACK}{line}{AS_BEFORE}" for line in lines]
        return "\n".join(lines)

    def qr_svg(self) -> str:
        """Return the QR code of the page's URL as an SVG element on white, four pixels to a module."""
        out = io.BytesIO()
        self._code().save(out, kind="svg", scale=4, border=QUIET_ZONE, light="#ffffff",
                          xmldecl=False, nl=False, title=f"QR code of {self.page_url}")  # fmt: skip
        return out.getvalue().decode("utf-8")

    def _code(self) -> segno.QRCode:
        return segno.make(self.page_url, error="m", micro=False)


def _halves(upper: list[int], lower: list[int]) -> Iterable[str]:
    return (HALVES[above & 1, below & 1] for above, below in zip(upper, lower, strict=True))
