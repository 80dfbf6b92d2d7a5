"""Hostile user agents beside honest ones, for a few seconds; ``./lab fuzz agents`` does it for long.

Nothing here depends on how long anything takes, except the turns of the service's event loop: in
processor time, and with a bound that only a single frame without a limit of its own exceeds.
"""

import agents
import pytest

from pushlab.settings import patience

from ..run import chance

EXCHANGES = chance.examples(100)
SEED = chance.seed() if chance.is_long() else 8030

HELD = 0.5
"""Seconds of the processor; the longest frames of an earlier version took as long, each."""


@pytest.mark.usefixtures("programs")
def test_nobody_honest_loses_a_message_and_no_frame_holds_the_loop(run):
    result = run(agents.run(EXCHANGES, SEED, seconds=patience(60), apart=False), timeout=600)
    assert result.faults == []
    assert result.exchanges == EXCHANGES and len(result.calm) >= agents.CALM and result.delays
    assert result.longest < HELD
