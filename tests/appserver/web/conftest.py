"""What the tests of the web server share."""

from functools import partial

import pytest

from pushlab.appserver import app
from pushlab.appserver.web.guesses import GuessLimiter


@pytest.fixture
def clock_of_guesses_stands(monkeypatch):
    """Forget no guess: on a busy machine, a second goes by between two of them."""
    monkeypatch.setattr(app, "GuessLimiter", partial(GuessLimiter, clock=lambda: 0.0))
