"""The examples with which these tests compare name their sources."""

import re

import pytest


@pytest.mark.parametrize("name", ["rfc8188", "rfc8291", "rfc8292"])
def test_a_vector_names_its_source(vector, name):
    content = vector(name)
    for entry in content if isinstance(content, list) else [content]:
        assert re.match(rf"RFC {name[3:]}, (Section|Appendix) ", entry["source"])


def test_a_missing_vector_fails(vector):
    with pytest.raises(FileNotFoundError):
        vector("rfc0000")
