"""``./lab bench [NAME …] [--json FILE] [--quick]``: how fast pushlab is, beside its peers.

What is compared runs in the same run, in turns, on the same machine: ratios hold elsewhere, and
absolute figures do not. Every output is verified; what did not work has no figure.
"""

import importlib
from pathlib import Path

from pushlab import settings
from pushlab.cli.parser import Parser, path

# Names, and the functions that yield the rows of one table after the other, when they are there.
BENCHMARKS = {
    "encryption": "encryption.main",
    "notify-all": "notify_all.fast",
    "slow-endpoint": "notify_all.slow",
    "latency": "latency.main",
    "crowd": "crowd.main",
    "outage": "outage.main",
    "startup": "startup.main",
    "million": "million.main",
}
LONG = {"million"}
"""What takes a quarter of an hour, and runs only if it is named."""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that are named, else all; print each when it is done."""
    about = __doc__.partition("\n\n")[2]
    parser = Parser(prog="./lab bench", description=about)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=path, metavar="FILE", help="else bench.json in the data folder")
    parser.add_argument("--quick", action="store_true", help="few messages: does it run at all?")
    parser.add_argument("--count", type=int, default=1_000_000, help="subscribers of million")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(BENCHMARKS)}")
    if options.json and not can_be_written(options.json):  # It is written when hours have passed.
        parser.error(f"{options.json} cannot be written")
    # What follows needs packages, and help does without them.
    import machine
    import report

    here = machine.describe()
    print(f"{here['processor']}, {here['cores']} cores, {here['system']}")
    versions = {"Python": here["python"]} | here["versions"]
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    rows = []
    for name in options.names or [name for name in BENCHMARKS if name not in LONG]:
        module, _, function = BENCHMARKS[name].partition(".")
        more = {"count": options.count} if name == "million" else {}
        for made in getattr(importlib.import_module(module), function)(options.quick, **more):
            print(f"\n{report.table(made)}", flush=True)
            rows += made
    file = options.json or settings.data_folder() / "bench.json"
    report.write(file, here, rows)
    print(f"\nWritten to {file}")
    return 0


def can_be_written(file: Path) -> bool:
    """Say whether a file is there, or can be made; it is made, and its folder with it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a"):
            return True
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    raise SystemExit(main())
