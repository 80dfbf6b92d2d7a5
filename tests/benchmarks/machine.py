"""This machine: its cores, the memory of a process, and processes that stay on a core."""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("pywebpush", "py-vapid", "http-ece", "aiohttp", "cryptography", "pycurl", "tornado")

PIN = """
import os, sys
os.sched_setaffinity(0, {int(core) for core in sys.argv[1].split(",")})
os.execvp(sys.argv[2], sys.argv[2:])
"""


def cores() -> tuple[list[int], list[int]]:
    """Return the core of the sender and the cores of the push endpoint.

    With a single core both have to share it. Where a process cannot be kept on a core, both lists
    are empty, and ratios are noisier.
    """
    if not hasattr(os, "sched_setaffinity"):
        return [], []
    first, *others = sorted(os.sched_getaffinity(0))
    return [first], others or [first]


def pinned(command: list[str], on: list[int]) -> list[str]:
    """Return the command that runs ``command`` on these cores alone."""
    return [sys.executable, "-c", PIN, ",".join(map(str, on)), *command] if on else command


def peak_memory(pid: int | str = "self") -> float:
    """Return the most memory that a process has held so far, in MB; of another one 0 if it is not known.

    Linux counts in ``ru_maxrss`` what the parent held before this program was started, so the
    process's own high-water mark is read where there is one.
    """
    if marks := memory(pid, "VmHWM"):
        return marks
    if pid != "self":
        return 0.0
    import resource

    unit = 1024 if sys.platform == "darwin" else 1  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / unit


def memory(pid: int | str, what: str = "VmRSS") -> float:
    """Return what a process holds in memory now, in MB; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(rf"{what}:\s+(\d+)", status.read_text()) if status.is_file() else None
    return int(found[1]) / 1024 if found else 0.0


def processor_seconds(pid: int) -> float:
    """Return for how long processors have worked for a process; 0 where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.is_file():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def describe() -> dict:
    """Return what a reader of the figures has to know about the machine, in words."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "load before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file() and (
        name := re.search(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE)
    ):
        return name[1]
    return platform.processor() or "unknown"


def run(command: list[str], on: list[int], text: str = "", **environment: str) -> str:
    """Run a command on these cores with ``text`` as its input; return its output.

    Raise RuntimeError with what it said if it fails.
    """
    done = subprocess.run(
        pinned(command, on), input=text, capture_output=True, text=True, encoding="utf-8",
        env=os.environ | environment,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[:3]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
