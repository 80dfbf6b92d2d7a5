"""How long it takes to begin: imports in a fresh interpreter, and ``Lab()``.

What Tornado itself costs is a row of its own. The rows below begin after that, because every
program of this kind, a notebook's kernel too, has imported it already.
"""

import sys
import tempfile

from machine import run
from report import Rounds, Row

TORNADO = "import tornado.web, tornado.httpserver, tornado.httpclient, tornado.websocket"
BEGIN = "import time; start = time.perf_counter()"
END = "print((time.perf_counter() - start) * 1000)"
LAB = "lab = Lab(port=0, push_port=0, data=sys.argv[1])"
FROM = "from pushlab import Lab"

STEPS = {
    "import tornado.web": f"{BEGIN}; {TORNADO}; {END}",
    "import pushlab, after that": f"{TORNADO}; {BEGIN}; import pushlab; {END}",
    "from pushlab import Lab, after that": f"{TORNADO}; {BEGIN}; {FROM}; {END}",
    "Lab(), imported before": f"import sys; {FROM}; {BEGIN}; {LAB}; {END}; lab.stop()",
}


def compare(times: int) -> list[Row]:
    """Run each step ``times`` times, one after the other, each in an interpreter of its own."""
    rounds = Rounds()
    for _ in range(times):
        for name, code in STEPS.items():
            with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as data:
                output = run([sys.executable, "-c", code, data], [])
            rounds.add(name, {"ms": float(output)})
    rows = rounds.rows("start", "import tornado.web", "ms")
    return [Row(row.benchmark, row.name, row.figures, rounds=row.rounds) for row in rows]


def main(quick: bool) -> list[list[Row]]:
    """Measure imports and the start of the lab."""
    return [compare(2 if quick else 9)]
