"""Every example in a docstring is data that holds."""

import doctest
import importlib
from pathlib import Path

import pushlab

PACKAGE = Path(pushlab.__file__).parent


def test_examples():
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = [], 0
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " not in path.read_text("utf-8"):
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        done = doctest.testmod(importlib.import_module(name), optionflags=flags)
        failed += [name] * bool(done.failed)
        tried += done.attempted
    assert not failed, "what was expected and what was got is above"
    assert tried > 100
