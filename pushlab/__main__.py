"""``python -m pushlab`` is the ``pushlab`` command."""

import sys

from pushlab.cli import main

sys.exit(main())
