"""The glossary: each term once, in two sentences, with its document and the lesson that builds it."""

import re

import nbformat
import pytest

from .lessons import LESSONS, NOTEBOOKS

TEXT = "\n\n".join(
    cell.source for cell in nbformat.read(NOTEBOOKS / "glossary.ipynb", as_version=4).cells
)
ENTRIES = [
    (re.findall(r"\*\*(.+?)\*\*", head), re.sub(r"\s+", " ", body))
    for head, body in re.findall(
        r"^- (\*\*.+?\*\*): (.+?)(?=\n- |\n#|\n\n|\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
]
TERMS = [term for terms, _ in ENTRIES for term in terms]

IN_NO_DOCUMENT = {
    ".env",
    "case",
    "in flight",
    "job",
    "lane",
    "lease",
    "outcome",
    "range",
    "scheduler",
    "take",
    "verdict",
    "worker",
}


def defined_in(lesson: str) -> set[str]:
    """Return the terms that a lesson's table of words defines: what is bold there."""
    source = (NOTEBOOKS / "source" / f"{lesson}.py").read_text("utf-8")
    words = re.search(r"^# ## The words$(.+?)^(?:# ## |# %%)", source, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^# (\|.+)$", words[1] if words else "", re.MULTILINE)
    return {term.replace("`", "") for row in rows for term in re.findall(r"\*\*(.+?)\*\*", row)}


def test_each_term_is_there_once_and_in_order():
    assert len(ENTRIES) > 60
    assert len(set(TERMS)) == len(TERMS)
    words = [terms[0].lower().removeprefix(".") for terms, _ in ENTRIES]
    letters = [word for word in words if word[0].isalpha()]
    assert [word[0] for word in letters] == sorted(word[0] for word in letters)


def test_a_term_has_two_sentences_its_document_and_its_lesson():
    for terms, body in ENTRIES:
        text, links = re.sub(r" \(\[.*\)\.$", ".", body), re.findall(r"\]\(([^)]+)\)", body)
        assert len(re.split(r"(?<=[.?])\s+(?=[A-Z`])", text)) == 2, text
        *documents, lesson = links
        assert len(documents) == (0 if set(terms) <= IN_NO_DOCUMENT else 1), terms
        for document in documents:
            assert re.match(
                r"https://(www\.rfc-editor\.org/rfc/rfc|www\.w3\.org/TR/|\w+\.spec\.)", document
            )
        assert (NOTEBOOKS / lesson).exists() and f"[{lesson.split('_')[0]}]({lesson})" in body


def test_a_link_leads_to_the_section_that_it_names():
    rfc = r"\[RFC (\d+)(?: §([\d.]+))?\]\(https://www\.rfc-editor\.org/rfc/rfc(\d+)(?:#section-([\d.]+))?\)"
    found = re.findall(rfc, TEXT)
    assert len(found) > 40
    assert [(number, section) for number, section, _, _ in found] == [one[2:] for one in found]


@pytest.mark.parametrize("lesson", LESSONS)
def test_each_term_that_a_lesson_defines_is_in_it(lesson):
    assert defined_in(lesson) - set(TERMS) == set()


def test_what_newcomers_stumbled_on_is_in_it():
    asked = {"HMAC", "AES-GCM", "IKM", "PRK", "CEK", "scope", "waitUntil", "tag", "claim", "gesture"}
    assert asked <= set(TERMS)
    assert {"endpoint", "p256dh", "auth"} <= defined_in("02_subscribe")  # The control of the test above.
