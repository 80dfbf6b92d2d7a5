"""The error clinic, lessons 08 and 08b: 28 cases, each with its treatment, in the order of the card."""

import re
from pathlib import Path

from .lessons import NOTEBOOKS

SITTINGS = ["08_error_clinic", "08b_error_clinic"]
CASES = list(range(1, 29))


def lesson(name: str) -> str:
    """Return prose and code of a lesson's source."""
    source = (NOTEBOOKS / "source" / f"{name}.py").read_text("utf-8")
    return re.sub(r"^# ?", "", source, flags=re.MULTILINE)


def headed(text: str) -> list[int]:
    """Return the cases that headings name, in their order."""
    found = re.findall(r"^## Cases? ([\d, ]+) ·", text, re.MULTILINE)
    return [int(number) for numbers in found for number in numbers.split(",")]


def on_the_card(text: str) -> list[int]:
    card = text.partition("the card on the wall")[2]
    return [int(number) for number in re.findall(r"^\| (\d+) \|", card, re.MULTILINE)]


def test_each_case_has_its_treatment_in_the_order_of_the_card():
    sittings = [lesson(name) for name in SITTINGS]
    assert [case for text in sittings for case in on_the_card(text)] == CASES
    for text in sittings:
        assert headed(text) == on_the_card(text)


def test_each_group_of_cases_is_predicted_and_cured():
    for name in SITTINGS:
        for part in re.split(r"^## (?=Case)", lesson(name), flags=re.MULTILINE)[1:]:
            part = part.partition("\n## ")[0]
            assert re.search(r"\*Predict\*", part), part[:40]
            assert re.search(r"\*\*The cure|cured", part), part[:40]


def test_the_client_page_cites_cases_that_are_treated():
    table = (Path(__file__).parents[2] / "static" / "faults.js").read_text("utf-8")
    cited = {int(number) for number in re.findall(r"clinic: (\d+),", table)}
    assert cited and cited <= set(CASES)
