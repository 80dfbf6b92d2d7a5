"""The fuzz targets are a program in a folder: its modules find one another as when it runs."""

import sys
from pathlib import Path

# Hypothesis and the parametrization need the table when the tests are collected.
if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.append(here)
