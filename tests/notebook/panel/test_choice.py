"""The panel's lists: what is chosen stays chosen, whoever asks, and whenever."""

import threading

import pytest

from pushlab.notebook.panel.choice import Choice


@pytest.fixture
def choice():
    choice = Choice("browser", "browser", "none is open")
    choice.offer([("Ada", 1), ("Bob", 2)])
    return choice


def test_what_is_chosen_stays_chosen_as_long_as_it_is_there(choice):
    choice.choose(2)
    choice.offer([("Eve", 3), ("Ada", 1), ("Bob", 2)])
    assert (choice.chosen, choice.widget.label) == (2, "Bob")
    choice.choose(4)
    assert choice.chosen == 2, "nobody is there by that number"
    choice.offer([("Eve", 3), ("Ada", 1)])
    assert choice.chosen == 3
    choice.offer([])
    assert (choice.chosen, choice.widget.label) == (None, "none is open")


def test_another_thread_never_sees_the_first_in_place_of_what_is_chosen(choice):
    """A button's thread asks while the painter's writes the list and then what was chosen."""
    choice.choose(2)
    answers, askers = [], []

    def ask(change):
        askers.append(threading.Thread(target=lambda: answers.append(choice.chosen)))
        askers[-1].start()
        askers[-1].join(0.2)  # It waits for offer(), so the time is always over.

    choice.widget.observe(ask, "options")
    choice.offer([("Eve", 3), ("Bob", 2)])
    assert choice.chosen == 2
    for asker in askers:
        asker.join()
    assert answers == [2]


def test_whoever_is_told_of_a_change_may_ask(choice):
    told = []
    choice.widget.observe(lambda change: told.append(choice.chosen), "value")
    choice.offer([("Eve", 3)])
    assert told == [3]
