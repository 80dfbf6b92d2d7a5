"""``./lab fuzz [NAME …] [--inputs N] [--seconds S]``: strange inputs for every parser, by the thousand.

``answers`` is no parser but both senders: a hostile push service answers their notify-alls, and
20,000 answers are its default.

Nothing but our own errors may come out, within two seconds each, and what is read and written again
must be the same. With atheris the inputs grow towards code that no input has reached before; where
there is no atheris for this machine, hypothesis changes valid examples as often. A finding is
printed as Python bytes: try it with ``--input``, and make a test of it.

``./lab fuzz agents`` attacks a whole push service, beside honest user agents: see ``agents``.
"""

import argparse
import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from pushlab.cli.parser import Parser, whole_number
from pushlab.settings import patience

HERE = Path(__file__).parent
EXCHANGES = {"answers": "answers"}
"""What is fuzzed over sockets: names, and the modules whose ``run(inputs, seconds, seed)`` does it."""

INPUTS, EXCHANGED = 100_000, 20_000
"""Inputs by default: for each parser, and over sockets."""

CHUNK = 5000
"""Inputs that hypothesis makes in one go: it remembers all of them until the end."""

PATIENCE = patience(120)
"""Seconds beyond what was asked for that a target may take to start and to end."""


class Result(NamedTuple):
    """What came of one target. ``finding`` is what it said, or empty."""

    inputs: int
    seconds: float
    finding: str


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the targets that are named, else all. Return 1 if there is a finding."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["agents"]:
        import agents

        return agents.main(arguments[1:])
    parser = Parser(prog="./lab fuzz", description=__doc__.partition("\n\n")[2])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a wrong one lists all that there are")
    parser.add_argument("--inputs", type=count, metavar="N", help="for each target")
    parser.add_argument("--seconds", type=count, default=600, metavar="S", help="at most, for each")
    parser.add_argument("--engine", choices=("atheris", "hypothesis"), help="else what is there")
    parser.add_argument("--seed", type=whole_number, metavar="N")
    parser.add_argument("--input", type=literal, metavar="BYTES", help="read this one, such as b'{}'")
    options = parser.parse_args(arguments)
    # What follows needs packages, and help does without them.
    from targets import TARGETS

    known = [*TARGETS, *EXCHANGES]
    seed = _seed() if options.seed is None else options.seed
    if unknown := set(options.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(known)}")
    names = options.names or known
    if options.input is not None:
        if socketed := set(names) & set(EXCHANGES):
            parser.error(f"an input is for parsers, and not for {', '.join(sorted(socketed))}")
        for name in names:
            TARGETS[name](options.input)
        return 0
    engine = options.engine or _engine()
    print(f"{engine}, seed {seed}", flush=True)
    findings = 0
    for name in names:
        inputs = options.inputs or (EXCHANGED if name in EXCHANGES else INPUTS)
        result = fuzz(name, engine, inputs, options.seconds, seed)
        speed = result.inputs / result.seconds if result.seconds else 0
        said = f"{result.inputs:>9,} inputs {result.seconds:>6.0f} s {speed:>8,.0f}/s"
        print(f"  {name:<26}{said}  {'FINDING' if result.finding else 'ok'}", flush=True)
        if result.finding:
            findings += 1
            print(result.finding, flush=True)
    return 1 if findings else 0


def count(value: str) -> int:
    """Take a number of inputs or of seconds."""
    if (number := whole_number(value)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return number


def literal(value: str) -> bytes:
    """Take bytes as Python writes them."""
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, bytes):
        raise argparse.ArgumentTypeError(f"{value!r} is not how Python writes bytes")
    return found


def _seed() -> int:
    """Return PUSHLAB_SEED, else another seed each time."""
    return int(os.environ.get("PUSHLAB_SEED") or time.time()) % 2**31


def _engine() -> str:
    if importlib.util.find_spec("atheris"):
        return "atheris"
    print("There is no atheris for this Python and this machine: hypothesis does the same work.")
    return "hypothesis"


def fuzz(name: str, engine: str, inputs: int, seconds: int, seed: int) -> Result:
    """Fuzz one target in a process of its own, so that even a crash of Python is a finding."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pushlab-fuzz-") as folder:
        job = [engine, name, str(inputs), str(seconds), str(seed), folder]
        command = [sys.executable, __file__, "--work", *job]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace",
                timeout=seconds + PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Result(0, time.monotonic() - started, "no input came to an end any more")
        said = done.stdout + done.stderr
        taken = time.monotonic() - started
        counts = re.findall(r"(?:^#|Done |inputs: )(\d+)", said, re.MULTILINE)
        count = max(map(int, counts), default=0)
        if done.returncode == 0:
            return Result(count, taken, "")
        guilty = [repr(path.read_bytes()) for path in Path(folder).glob("found-*")]
        return Result(count, taken, "\n".join([_story(said), *map("the input: {}".format, guilty)]))


def _story(said: str) -> str:
    """Return the traceback in what a worker has said, without the engine's own lines."""
    at = said.rfind("Traceback (most recent call last)")
    return said[at:].partition("\n\n")[0] if at >= 0 else said[-3000:]


# --- in the process of one target -------------------------------------------------------------------


def work(engine: str, name: str, inputs: str, seconds: str, seed: str, folder: str) -> None:
    """Fuzz one target here. An exception that comes out is the finding."""
    if name in EXCHANGES:
        run = importlib.import_module(EXCHANGES[name]).run
        print(f"inputs: {run(int(inputs), float(seconds), int(seed))}", flush=True)
        return
    (_with_atheris if engine == "atheris" else _with_hypothesis)(
        name, int(inputs), int(seconds), int(seed), Path(folder)
    )


def _with_atheris(name: str, inputs: int, seconds: int, seed: int, folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["pushlab"]):
        from targets import TARGETS
    target = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, example in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(example)
    options = [
        f"-runs={inputs}", f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=6000",
        # The target looks after the time itself, with the signal that this would use.
        "-timeout=0", f"-artifact_prefix={folder}/found-", "-rss_limit_mb=4096",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], target)
    atheris.Fuzz()  # It ends the process.


def _with_hypothesis(name: str, inputs: int, seconds: int, seed: int, folder: Path) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from inputs import inputs as strategy
    from targets import TARGETS

    target, ends, count = TARGETS[name], time.monotonic() + seconds, 0

    def read(data: bytes) -> None:
        nonlocal count
        count += 1
        (folder / "last").write_bytes(data)
        target(data)

    try:
        while count < inputs and time.monotonic() < ends:
            here = settings(
                max_examples=min(CHUNK, inputs - count), deadline=None, database=None,
                phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
            )  # fmt: skip
            seeded(seed)(here(given(strategy(target.seeds))(read)))()
            seed += 1
    except BaseException:
        # What hypothesis runs last is the smallest input that fails.
        (folder / "last").rename(folder / "found-1")
        raise
    finally:
        print(f"inputs: {count}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
    else:
        raise SystemExit(main())
