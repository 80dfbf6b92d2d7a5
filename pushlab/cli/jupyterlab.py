"""JupyterLab, as ``./lab`` starts it: ``python -m pushlab.cli.jupyterlab [options of JupyterLab]``.

What a killed lab has left is deleted first, and the lessons are trusted. Everything after that is
JupyterLab's own, in this process: so Ctrl-C reaches it, and its question is answered here. It does
not ask whether to notify of its news: in a lesson on notifications that looks like a part of it.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from pushlab.cli.trust import trust
from pushlab.throwaway import sweep

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

ASKS_ABOUT_NEWS = "@jupyterlab/apputils-extension:announcements"


def without_news(_handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
    """Tell JupyterLab's page, when it is asked for, to do without the question about news."""
    page_config["disabledExtensions"] = [*page_config.get("disabledExtensions", ()), ASKS_ABOUT_NEWS]
    return page_config


def main(arguments: list[str]) -> None:
    """Run JupyterLab until it ends."""
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]  # It has no types.

    sweep()
    try:
        trust(NOTEBOOKS)
    except OSError as reason:
        print(f"The lessons are not trusted ({reason}): their pictures may be missing.", file=sys.stderr)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # JupyterLab would end at once when its terminal is closed, and leave its kernels behind.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    LabApp.serverapp_config |= {"tornado_settings": {"page_config_hook": without_news}}
    LabApp.launch_instance(argv=arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
