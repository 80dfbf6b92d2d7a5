"""What the lab's browsers answer the panel: the last that is known while a page is late."""

import asyncio

import pytest

from pushlab import Lab
from pushlab.errors import BrowserFailed
from pushlab.notebook.panel import answers


@pytest.fixture
def ada(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHLAB_BROWSER", "virtual")
    monkeypatch.setattr(answers, "LOOK_SECONDS", 60)
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        yield lab.open("virtual", name="Ada")


@pytest.fixture
def asked(ada):
    return answers.Answers(ada._run)


async def never():
    await asyncio.Event().wait()


async def closed():
    raise BrowserFailed("Target closed")


def hang(monkeypatch, ada, *questions: str) -> None:
    monkeypatch.setattr(answers, "LOOK_SECONDS", 0.2)
    for one in questions:
        monkeypatch.setattr(ada.agent, one, never)


def test_an_endpoint_stays_known_while_the_page_is_late(ada, asked, monkeypatch):
    assert asked.endpoint(ada) is None
    ada.subscribe()
    assert (endpoint := asked.endpoint(ada)) == ada.endpoint
    hang(monkeypatch, ada, "endpoint")
    assert asked.endpoint(ada) == endpoint


def test_a_browser_that_is_gone_has_no_endpoint(ada, asked, monkeypatch):
    ada.subscribe()
    assert asked.endpoint(ada)
    monkeypatch.setattr(ada.agent, "endpoint", closed)
    assert asked.endpoint(ada) is None


def test_a_page_that_never_answered_shows_nothing_and_says_why(ada, asked, monkeypatch):
    hang(monkeypatch, ada, "notifications", "screenshot")
    look = asked.look(ada, picture=True)
    assert (look.notifications, look.picture) == (None, None)
    assert "the page in Ada did not answer within" in look.late.detail


def test_what_a_page_answered_last_is_shown_while_it_is_late(ada, asked, monkeypatch):
    async def png():
        return b"first"

    monkeypatch.setattr(ada.agent, "screenshot", png)
    assert asked.look(ada, picture=True) == answers.Look([], b"first", None)
    hang(monkeypatch, ada, "notifications", "screenshot")
    look = asked.look(ada, picture=True)
    assert (look.notifications, look.picture) == ([], b"first") and look.late


def test_no_picture_is_taken_of_a_browser_with_a_window(ada, asked, monkeypatch):
    hang(monkeypatch, ada, "screenshot")
    assert asked.look(ada, picture=False) == answers.Look([], None, None)


def test_a_browser_that_is_gone_is_no_late_page(ada, asked, monkeypatch):
    monkeypatch.setattr(ada.agent, "notifications", closed)
    with pytest.raises(BrowserFailed):
        asked.look(ada, picture=True)
