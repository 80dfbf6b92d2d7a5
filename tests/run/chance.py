"""What is random in the tests, and how much of it: PUSHLAB_SEED, and hypothesis's profiles.

The seed is printed at the start of each run, and decides what hypothesis tries and what a test draws
from ``chance.source()``. Keys, salts and tokens come from the operating system and are new each time.

    quick     a tenth of the examples      ./lab test --quick
    default
    long      twenty times as many, and fuzzing from a new seed    --hypothesis-profile long
"""

import os
import random

import pytest
from hypothesis import settings

EXAMPLES = 150
FACTORS = {"quick": 0.1, "default": 1, "long": 20}

# A loaded machine makes an example slow, not wrong; and what was found yesterday is in a test.
for name, factor in FACTORS.items():
    settings.register_profile(name, max_examples=int(EXAMPLES * factor), deadline=None, database=None)
settings.load_profile("default")


def examples(count: int) -> int:
    """Return how many examples a test tries that would try ``count`` by default."""
    return max(1, int(count * FACTORS[settings.get_current_profile_name()]))


def is_long() -> bool:
    """Tell whether this run looks for what no run has tried before."""
    return settings.get_current_profile_name() == "long"


def seed() -> int:
    """Return the seed of this run."""
    return int(os.environ["PUSHLAB_SEED"])


def source() -> random.Random:
    """Return a source of chance that gives the same in each run with the same seed."""
    return random.Random(seed())


def pytest_report_header() -> str:
    return f"PUSHLAB_SEED={seed()} (set it to repeat what is random in this run)"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault("PUSHLAB_SEED", str(random.SystemRandom().randrange(10**6)))
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(seed())
    if config.option.quick and not config.option.hypothesis_profile:
        config.option.hypothesis_profile = "quick"
