"""Warn once that a real push service cannot tell anybody when something is wrong.

RFC 8292 §2.1 has a contact in each signature so that an operator can write to the sender. The lab's
default is nobody's mailbox. For the lab's own push service that does not matter.
"""

import logging

from pushlab.appserver.keys import DEFAULT_SUBJECT
from pushlab.reader import command

log = logging.getLogger("pushlab")


class ContactWarning:
    """Warn before the first message to a push service of another operator, if nobody reads ``subject``.

    >>> ContactWarning("mailto:me@site.org").due, ContactWarning(DEFAULT_SUBJECT).due
    (False, True)
    """

    def __init__(self, subject: str | None):
        self.due = subject == DEFAULT_SUBJECT

    def sending_to(self, origin: str) -> None:
        """Warn, if that is still to be done. Plain http leads to this machine only."""
        if self.due and origin.startswith("https:"):
            self.due = False
            log.warning(
                "%s cannot write to you if something is wrong: the contact (sub) in the signature is "
                "the lab's default, %s, and nobody reads its mail. Give your own: "
                'Lab(subject="mailto:YOU"), or %s.',
                origin,
                DEFAULT_SUBJECT,
                command("keys --subject mailto:YOU"),
            )
