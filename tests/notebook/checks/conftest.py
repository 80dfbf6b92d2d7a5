"""What the tests of the checks share."""

import pytest


@pytest.fixture(scope="session")
def mistakes() -> dict[str, dict[str, object]]:
    """Give the natural mistakes of each exercise. They are made of all lessons, which takes a second."""
    from .natural_mistakes import MISTAKES

    return MISTAKES
