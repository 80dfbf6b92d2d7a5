"""The checks of lesson 06b: right code of any kind passes, and each mistake is named."""

from pushlab.notebook.checks import processes


def by_need(window, waiting):
    """Share out in proportion, one place for each first: another right answer than the lesson's."""
    given = {name: min(1, count) for name, count in waiting.items()}
    if sum(given.values()) > window:
        return dict.fromkeys(waiting, 0) | dict.fromkeys(list(waiting)[:window], 1)
    while True:
        left = window - sum(given.values())
        needy = [name for name in given if given[name] < waiting[name]]
        if not (left and needy):
            return given
        for name in needy[:left]:
            given[name] += min(waiting[name] - given[name], max(1, left // len(needy)))


def test_another_right_answer_passes():
    assert repr(processes.shares(by_need)).startswith("✓")


def test_a_counter_is_a_dict():
    from collections import Counter

    def outcomes(records):
        accepted = {number for number, outcome in records if outcome == "accepted"}
        return Counter((dict(records) | dict.fromkeys(accepted, "accepted")).values())

    assert repr(processes.outcomes(outcomes)).startswith("✓")
