"""A few thousand strange inputs for every parser; ``./lab fuzz`` has a hundred thousand of each.

The inputs are the same in every run: what fails here fails again. Hypothesis's profile ``long`` takes
other inputs each time, and many more; PUSHLAB_SEED repeats them.
"""

import doctest
import runpy
import subprocess
import sys
from pathlib import Path

import answers
import inputs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from targets import TARGETS, Target, TookTooLong

from pushlab.errors import BadField
from pushlab.settings import patience

from ..run import chance

PROGRAM = Path(__file__).parent / "__main__.py"
FEW, MANY = chance.examples(60), chance.examples(2500)
"""Inputs for each target: of hypothesis, which finds the smallest one that fails, and of a seed."""

SEED = chance.seed() if chance.is_long() else 8030

few = settings(
    max_examples=FEW, derandomize=not chance.is_long(),
    phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_nothing_but_our_own_errors_comes_out(target):
    for seed in target.seeds:
        target(seed)
    few(given(inputs.inputs(target.seeds))(target.__call__))()
    for number, data in enumerate(inputs.many(target.seeds, MANY, SEED)):
        try:
            target(data)
        except BaseException as found:
            found.add_note(f"input {number} of seed {SEED}: {data!r}")
            raise


def fuzz(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(PROGRAM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=patience(120))


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("engine", ["atheris", "hypothesis"])
def test_the_program_counts_what_it_has_tried(engine):
    if engine == "atheris":
        pytest.importorskip("atheris")
    done = fuzz("varint", "base64url", "--inputs", "300", "--engine", engine, "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{engine}, seed 1" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines() if " inputs " in line]
    assert [line[0] for line in lines] == ["varint", "base64url"]
    assert all(int(line[1].replace(",", "")) >= 300 and line[-1] == "ok" for line in lines)


def test_one_input_can_be_tried_again(capsys):
    program = runpy.run_path(str(PROGRAM))
    assert program["main"](["varint", "--input", r"b'\xff'"]) == 0
    with pytest.raises(SystemExit):
        program["main"](["varnt"])
    assert "there is no varnt" in capsys.readouterr().err


def test_both_senders_bear_what_push_services_answer(run):
    """``./lab fuzz answers`` has 20,000 answers, and this has a hundred."""
    assert run(answers.converse(chance.examples(100), patience(60), SEED)) >= chance.examples(100)


# --- the fuzzer can find something ----------------------------------------------------------------


def test_an_error_that_is_not_ours_is_a_finding():
    def read(data: bytes) -> None:
        if data.startswith(b"{") and b"null" in data:
            raise KeyError("endpoint")

    broken = Target("broken", read, (b"{}",), (BadField,))
    with pytest.raises(KeyError):
        settings(few, max_examples=2000)(given(inputs.inputs(broken.seeds))(broken.__call__))()
    with pytest.raises(KeyError):
        for data in inputs.many(broken.seeds, 2500, SEED):
            broken(data)


def test_an_error_of_ours_that_is_not_named_is_a_finding():
    def read(data: bytes) -> None:
        raise BadField("not what this parser promises")

    with pytest.raises(BadField):
        Target("broken", read, ())(b"")


def test_what_does_not_end_is_a_finding(monkeypatch):
    monkeypatch.setattr("targets.INPUT_SECONDS", 0.05)

    def read(data: bytes) -> None:
        total = 0
        for number in range(10**8):
            total += number

    with pytest.raises(TookTooLong):
        Target("endless", read, ())(b"")


def test_the_examples_of_the_edits():
    assert doctest.testmod(inputs).failed == 0
