"""The lessons in nbgrader: its own commands make the releases, grade what is handed in, and validate."""

import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from traitlets.config import Config

from ..run import kernels
from .lessons import LESSONS

# nbgrader adds a submission to its database in an order of which SQLAlchemy warns.
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted:sqlalchemy.exc.SAWarning")

LESSON = "00_start_here"

GOOD = "# %%\ndef f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
CHECK = '# %% tags=["check"]\nchecks.keys.b64url(f)\n'


@pytest.fixture(scope="module")
def course(build, tmp_path_factory):
    """Give the folder of a course that has every lesson as an assignment."""
    folder = tmp_path_factory.mktemp("course")
    build.main(["--nbgrader", str(folder)])
    return folder


@pytest.fixture(scope="module")
def grader(course, programs):
    """Give nbgrader at this course. Its programs run for seconds, and its import takes half of one."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    with kernels.folder() as sockets, pytest.MonkeyPatch.context() as patch:
        # It calls the program alembic, which is beside this Python.
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        config = Config(KernelManager=kernels.connection(sockets / "kernel"))
        config.CourseDirectory.root = str(course)
        yield NbGraderAPI(CourseDirectory(config=config), config=config)


@pytest.fixture(scope="module")
def released(course, grader):
    """Give the students' notebooks, by name, as ``nbgrader generate_assignment`` makes them."""
    for name in LESSONS:
        done = grader.generate_assignment(name)
        assert done["success"], done
    return {name: _read(course / "release" / name / f"{name}.ipynb") for name in LESSONS}


def _read(path):
    return nbformat.read(path, as_version=4)


def _cells(notebook) -> dict:
    """Return the cells that nbgrader knows, by their ids."""
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return {cell.metadata.nbgrader.grade_id: cell for cell in marked}


def test_every_exercise_is_released_with_a_stub_and_a_locked_check(build, course, released):
    for name, notebook in released.items():
        source = (build.NOTEBOOKS / "source" / f"{name}.py").read_text("utf-8")
        cells = _cells(notebook)
        checks = [one for one in cells if one.endswith("-check")]
        assert len(checks) == source.count('tags=["check"]') > 0
        for one in checks:
            about = cells[one].metadata.nbgrader
            assert (about.grade, about.locked, about.points) == (True, True, build.POINTS)
            stub = cells[one.removesuffix("-check")]
            assert stub.metadata.nbgrader.solution and "NotImplementedError" in stub.source
        text = nbformat.writes(notebook)
        assert "SOLUTION" not in text and not [cell for cell in notebook.cells if cell.get("outputs")]
        for link in re.findall(r"\]\(((?!http|#)[^)]+)\)", text):
            assert (course / "release" / name / link).is_file(), f"{name}: {link}"


def test_a_right_and_a_wrong_submission_get_their_points(course, grader, released, notebook_kernel):
    """The wrong one has one answer that is wrong, and has replaced the check by one that passes."""
    from nbgrader.api import Gradebook

    solved = _cells(_read(course / "source" / LESSON / f"{LESSON}.ipynb"))
    for one, cell in _cells(released[LESSON]).items():
        if cell.metadata.nbgrader.solution:
            cell.source = solved[one].source
    right, wrong = released[LESSON], nbformat.from_dict(released[LESSON])
    cells = _cells(wrong)
    cells["start_here-body_length"].source = "def body_length(text):\n    return 2 * len(text)"
    cells["start_here-body_length-check"].source = "print('✓ 20 points for me')"
    for student, notebook in (("ada", right), ("mallory", wrong)):
        folder = course / "submitted" / student / LESSON
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{LESSON}.ipynb")
        done = grader.autograde(LESSON, student)
        assert done["success"], done
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        scores = {
            student: {
                grade.name: grade.auto_score
                for grade in gradebook.find_submission_notebook(LESSON, LESSON, student).grades
            }
            for student in ("ada", "mallory")
        }
    assert scores == {
        "ada": {"start_here-body_length-check": 10, "start_here-messages-check": 10},
        "mallory": {"start_here-body_length-check": 0, "start_here-messages-check": 10},
    }
    graded = _read(course / "autograded" / "ada" / LESSON / f"{LESSON}.ipynb")
    errors = [one for cell in graded.cells for one in cell.get("outputs", []) if "ename" in one]
    assert not errors, "the whole lesson runs without a browser"


def test_validate_tells_the_student_what_is_missing(course, grader, released, notebook_kernel, tmp_path):
    from nbgrader.validator import Validator

    stub = tmp_path / "stub.ipynb"
    nbformat.write(released["04_sign"], stub)
    validator = Validator(parent=grader)
    assert len(validator.validate(str(stub))["failed"]) == 4
    whole = tmp_path / "whole.ipynb"
    shutil.copy(course / "source" / "04_sign" / "04_sign.ipynb", whole)
    assert validator.validate(str(whole)) == {}


def test_each_check_belongs_to_one_solution(build):
    made = build.assignment(build.solution(GOOD + CHECK))
    assert made.exercises == ["keys.b64url"] and made.ungraded == []
    for source, fault in [(GOOD, "no check"), (GOOD + GOOD + CHECK, "2 sol"), (CHECK, "0 sol")]:
        with pytest.raises(ValueError, match=fault):
            build.assignment(build.solution(source))
