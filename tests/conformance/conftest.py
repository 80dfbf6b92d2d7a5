"""What these tests share: an examination that does not wait long."""

from pushlab.conformance.case import Result, Verdict
from pushlab.conformance.examination import Examination, Timing
from pushlab.conformance.examiner import chosen, examine
from pushlab.conformance.senders.base import Sender
from pushlab.conformance.service import ExaminationService
from pushlab.settings import patience

QUICK = Timing(
    arrival=patience(5), retry=patience(15), case=patience(90), total=patience(300), fresh=patience(20),
    quiet=0.5, patience=10, messages=20, subscribers=100,
)  # fmt: skip
"""As a user's examination, but for what takes long. A sender's own time limit is below its patience."""


async def examined(
    sender: Sender, *ids: str, certificates=None, timing: Timing = QUICK
) -> dict[str, Result]:
    """Examine a sender by these cases or groups, or by all; return each result by its case."""
    service = ExaminationService(certificates, patience=timing.patience)
    exam = Examination(sender, service, timing=timing)
    await service.start()
    try:
        await sender.open()
        return {result.case.id: result async for result in examine(exam, chosen(ids, LookupError))}
    finally:
        await exam.close()
        await sender.close()
        await service.stop()


def of(results: dict[str, Result], *verdicts: Verdict) -> dict[str, str]:
    """Return the reasons of the results that have one of these verdicts."""
    return {id: result.why for id, result in results.items() if result.verdict in verdicts}
