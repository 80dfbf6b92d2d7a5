"""A real JupyterLab, with settings of its own."""

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOKEN = "test"
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page at once
}

# Open a notebook, run all its cells, and return what became of them. Playwright's evaluate() knows
# no time-out, so it has one here.
RUN_ALL = """async (path) => {
  const app = window.jupyterapp;
  const run = async () => {
    await app.restored;
    const widget = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
    await Promise.all([widget.context.ready, widget.revealed, widget.sessionContext.ready]);
    await widget.sessionContext.session.kernel.info;
    await app.commands.execute("notebook:run-all-cells");
    return Array.from(widget.content.model.cells, (cell) => cell.toJSON());
  };
  const late = new Promise((_, fail) => setTimeout(fail, 120000, new Error("Run All is too slow")));
  return Promise.race([run(), late]);
}"""

# End every kernel, and with it its lab and its browsers.
SHUT_DOWN = "() => jupyterapp.serviceManager.sessions.shutdownAll()"

CHANGE_THEME = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"


@contextmanager
def running(home: Path, folder: Path, base: str = "/") -> Iterator[str]:
    """Start JupyterLab on a folder of notebooks; give its address, which ends in ``base``."""
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "PUSHLAB_DATA": "pushlab",
    }
    environment = os.environ | {name: str(home / where) for name, where in folders.items()}
    environment |= {"PUSHLAB_PORT": "0", "PUSHLAB_PUSH_PORT": "0"}
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    command += [f"--ServerApp.base_url={base}"]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=environment, cwd=home, text=True, **pipes)
    said = queue.SimpleQueue()  # Read to the end: a full pipe would stop JupyterLab.
    reader = threading.Thread(target=lambda: [said.put(line) for line in process.stderr])
    reader.start()
    shown = re.compile(rf"(http://127\.0\.0\.1:\d+{re.escape(base)})lab\?")
    try:
        while not (found := shown.search(said.get(timeout=60))):
            continue
        yield found.group(1)
    finally:
        process.terminate()
        process.wait(timeout=30)
        reader.join(timeout=30)
        process.stderr.close()
