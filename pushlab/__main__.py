"""``python -m pushlab`` is the ``pushlab`` command."""

import sys

from pushlab.cli.commands import main

sys.exit(main())
