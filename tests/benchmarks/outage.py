"""How soon a real browser has what was sent while its cable was pulled.

The machines are network namespaces (see ``tests/endtoend/network.py``). Both browsers must show every
message, else there is no figure. The clock starts when the cables are put back. A browser that has
lost its connection tries again in steps that grow, so a longer outage takes longer to get over.
"""

import sys
import tempfile
import time
from pathlib import Path

from report import Row

sys.path.insert(0, str(Path(__file__).parents[2]))  # the tests' own folder, as a package
from tests.endtoend.network import Network, why_not
from tests.endtoend.room import REAL, Room

NAME = "a pulled cable"
OUTAGE = 15.0
"""Seconds without a cable."""

SENT = ["away 1", "away 2", "away 3"]


def measure(outage: float) -> list[Row]:
    """Cut both browsers off for ``outage`` seconds, and send to them meanwhile."""
    with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as data:
        with Network("desk", *REAL, "crowd") as network:
            room = Room(network, data)
            room.fill([])
            room.pull_cables()
            for body in SENT:
                assert room.notify_all(body)["accepted"] == len(REAL)
                time.sleep(outage / len(SENT))
            back = room.cables_back(SENT)
            room.leave()
    return [
        Row(NAME, kind, {"without s": outage, "until all is shown s": seconds})
        for kind, (seconds, _) in back.items()
    ]


def main(quick: bool) -> list[list[Row]]:
    """Measure both real browsers, where network namespaces can be made."""
    if reason := why_not():
        return [[Row(NAME, kind, note=reason) for kind in REAL]]
    return [measure(3 if quick else OUTAGE)]
