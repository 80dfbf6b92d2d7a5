"""Every example in a docstring is data that holds."""

import doctest
import importlib
import pkgutil

import pytest

import pushlab

MODULES = [
    module.name
    for module in pkgutil.walk_packages(pushlab.__path__, "pushlab.")
    if module.name != "pushlab.__main__"
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0
