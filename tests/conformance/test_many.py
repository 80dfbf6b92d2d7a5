"""The cases with many subscriptions: which of them the app has stored first."""

import asyncio
from types import SimpleNamespace

from pushlab.conformance.answer import ACCEPTED, always
from pushlab.conformance.cases.many import TEN, subscribed


class Unsteady:
    """An app that stores each second subscription more slowly than the one before it."""

    def __init__(self) -> None:
        self.stored: list[int] = []

    async def subscribe(self, recipient: int) -> SimpleNamespace:
        for _ in range(9 if recipient % 2 else 1):
            await asyncio.sleep(0)
        self.stored.append(recipient)
        return SimpleNamespace(accepted=True)


def test_the_one_in_the_middle_is_in_the_middle_for_the_app_too(run):
    async def stored(in_order: bool) -> list[int]:
        app, numbers = Unsteady(), iter(range(TEN))
        service = SimpleNamespace(recipient=lambda **_: next(numbers))
        exam = SimpleNamespace(keeper=app, service=service, key=None, sender=SimpleNamespace(at_once=40))
        assert await subscribed(exam, TEN, always(ACCEPTED), in_order=in_order) == [*range(TEN)]
        return app.stored

    assert run(stored(in_order=False)) != [*range(TEN)], "the control: it stores them in another order"
    assert run(stored(in_order=True)) == [*range(TEN)]
