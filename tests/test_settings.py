"""What the environment decides."""

import pytest

from pushlab import settings
from pushlab.errors import LabError


def test_patience_multiplies_every_guard(monkeypatch):
    monkeypatch.delenv("PUSHLAB_PATIENCE", raising=False)
    assert settings.patience(60) == 60
    monkeypatch.setenv("PUSHLAB_PATIENCE", "2.5")
    assert settings.patience(60) == 150


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "two"])
def test_a_patience_that_is_none_is_refused_by_name(monkeypatch, text):
    monkeypatch.setenv("PUSHLAB_PATIENCE", text)
    with pytest.raises(LabError, match="PUSHLAB_PATIENCE is"):
        settings.patience(60)
