"""``./lab bench [NAME …] [--json FILE] [--quick]``: how fast pushlab is, beside its peers.

What is compared runs in the same run, in turns, on the same machine: ratios hold elsewhere, and
absolute figures do not. Every output is verified; what did not work has no figure.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import crowd
import encryption
import latency
import machine
import notify_all
import outage
import report
import startup

from pushlab import settings

# Each yields the rows of one table after the other, when they are there.
BENCHMARKS: dict[str, Callable[[bool], Iterable[list[report.Row]]]] = {
    "encryption": encryption.main,
    "notify-all": notify_all.fast,
    "slow-endpoint": notify_all.slow,
    "latency": latency.main,
    "crowd": crowd.main,
    "outage": outage.main,
    "startup": startup.main,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that are named, else all; print each when it is done."""
    about = __doc__.partition("\n\n")[2]
    parser = argparse.ArgumentParser(prog="./lab bench", description=about)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="else bench.json in the data folder")
    parser.add_argument("--quick", action="store_true", help="few messages: does it run at all?")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(BENCHMARKS)}")
    here = machine.describe()
    print(f"{here['processor']}, {here['cores']} cores, {here['system']}")
    versions = {"Python": here["python"]} | here["versions"]
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    rows = []
    for name in options.names or BENCHMARKS:
        for made in BENCHMARKS[name](options.quick):
            print(f"\n{report.table(made)}", flush=True)
            rows += made
    path = options.json or settings.data_folder() / "bench.json"
    report.write(path, here, rows)
    print(f"\nWritten to {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
