"""A sender of this folder, as the examination asks for one: without a process for each message."""

import traceback

from pushlab.conformance.exchange import Message as Asked
from pushlab.conformance.exchange import SenderReport
from pushlab.protocol.delivery import PushOptions

from .delivery import Outcome, Sender


class InProcess:
    """Hand on each message, and say what a command would have said."""

    form = "in process"
    sets = frozenset({"payload", "ttl", "urgency", "topic"})
    at_once = 50
    ends = reports = True

    def __init__(self, sender: Sender):
        self.sender = sender

    async def open(self) -> None:
        """Nothing has to be made ready."""

    async def close(self) -> None:
        self.sender.close()

    async def send(self, message: Asked) -> SenderReport:
        try:
            report = await self.sender.send(
                message.recipient.subscription,
                message.payload,
                PushOptions(message.ttl, message.urgency, message.topic or None),
            )
        except Exception:  # noqa: BLE001  a command would end with it, and say so
            return SenderReport(accepted=False, text=traceback.format_exc(), status="exit status 1")
        accepted = report.outcome is Outcome.ACCEPTED
        return SenderReport(accepted, str(report), f"exit status {int(not accepted)}")
