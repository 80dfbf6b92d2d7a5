"""A real JupyterLab, with settings and kernels of its own, in a real Chromium."""

import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import nbformat
from playwright.sync_api import Error, Page, expect

from pushlab.settings import patience
from pushlab.useragent.process import guard

from ..run import kernels
from ..run.chromium import SWITCHES

TOKEN = "test"
LOG = "jupyterlab.log"
RUNTIME = "runtime"
SETTINGS = {"apputils-extension/notification": {"fetchNews": "false"}}

GRADER = ("formgrader", "validate_assignment", "assignment_list", "course_list")
UNUSED = ("jupyter_lsp", "notebook", *(f"nbgrader.server_extensions.{name}" for name in GRADER))
WITHOUT = f"--ServerApp.jpserver_extensions={dict.fromkeys(UNUSED, False)}"
"""An argument of Jupyter's server: what no test uses takes two of the five seconds of CPU of a start."""

REMOVED_TWICE = "Failed to execute 'removeChild' on 'Node'"
"""JupyterLab's React stumbles over a node that is gone already: seen once, at a kernel's restart on a
busy machine, and all worked on. No lesson brings a script into the page that could do that."""

# Open a notebook, run all its cells, and return what became of them. Playwright's evaluate() knows
# no time-out, so it has one here.
RUN_ALL = """async ([path, seconds]) => {
  const app = window.jupyterapp;
  let doing = "JupyterLab starts";
  const cells = (widget) => Array.from(widget.content.model.cells, (cell) => cell.toJSON());
  const run = async () => {
    await app.restored;
    doing = `${path} opens`;
    const widget = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
    await Promise.all([widget.context.ready, widget.revealed, widget.sessionContext.ready]);
    doing = "the kernel starts";
    await widget.sessionContext.session.kernel.info;
    doing = () => {
      const code = cells(widget).filter((cell) => cell.cell_type === "code");
      return "this cell runs: " + code.find((cell) => !cell.execution_count)?.source;
    };
    await app.commands.execute("notebook:run-all-cells");
    return cells(widget);
  };
  const late = (_, fail) => setTimeout(() => {
    const what = typeof doing === "function" ? doing() : doing;
    fail(new Error(`Run All was not through after ${seconds} s: ${what}`));
  }, 1000 * seconds);
  return Promise.race([run(), new Promise(late)]);
}"""

# Open a notebook, run nothing, and wait for its kernel: JupyterLab stumbles over a notebook that is
# closed before it has one.
OPEN = """async (path) => {
  await jupyterapp.restored;
  const widget = await jupyterapp.commands.execute("docmanager:open", { path, factory: "Notebook" });
  await Promise.all([widget.context.ready, widget.revealed, widget.sessionContext.ready]);
}"""

# The notebook that is open, as it is now.
CELLS = "() => JSON.stringify(jupyterapp.shell.currentWidget.content.model.toJSON(), null, 1)"

# Take every notebook away, without the question whether to save it, and end every kernel, and with
# it its lab and its browsers.
SHUT_DOWN = """async () => {
  for (const widget of Array.from(jupyterapp.shell.widgets("main"))) widget.dispose();
  await jupyterapp.serviceManager.sessions.shutdownAll();
}"""

# When so many outputs are in the page, with so many widgets, or the message that stands in place of
# one, and the pictures are loaded: what is not to be seen.
SHOWN = """([count, widgets]) => {
  const outputs = Array.from(document.querySelectorAll(".jp-OutputArea-output"));
  if (outputs.length < count) return null;
  const failed = outputs.filter((one) => one.querySelector(".jupyter-widgets-error-widget")
    || one.textContent.includes("Error displaying widget"));
  const shown = outputs.filter((one) => one.querySelector(".jupyter-widgets"));
  if (new Set([...failed, ...shown]).size < widgets) return null;
  const pictures = outputs.flatMap((one) => Array.from(one.querySelectorAll("img")));
  if (!pictures.every((one) => one.complete)) return null;
  const empty = pictures.filter((one) => !one.naturalWidth);
  return [
    ...failed.map((one) => `no widget: ${one.textContent}`),
    ...empty.map((one) => `no picture: ${one.outerHTML.slice(0, 200)}`),
  ];
}"""
WIDGET = "application/vnd.jupyter.widget-view+json"

CHANGE_THEME = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"


def run_all(page: Page, path: str) -> list[nbformat.NotebookNode]:
    """Run a notebook whole, as Run All in the menu does, and return its code cells."""
    cells = page.evaluate(RUN_ALL, [path, patience(300)])
    return [nbformat.from_dict(cell) for cell in cells if cell["cell_type"] == "code"]


def faults(cells: list[nbformat.NotebookNode], page: Page) -> list[str]:
    """Wait until everything that the code cells gave is in the page, and return what went wrong."""
    outputs = [output for cell in cells for output in cell.outputs]
    widgets = [output for output in outputs if WIDGET in output.get("data", {})]
    seen = page.wait_for_function(SHOWN, arg=[len(outputs), len(widgets)]).json_value()
    found = [f"{one.ename}: {one.evalue}" for one in outputs if one.output_type == "error"]
    found += [one.text for one in outputs if one.get("name") == "stderr"]
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        found.append(f"the cells were executed as {counts}")
    return found + seen + page.faults


def part(page: Page, name: str):
    """Return a part of the panel, by its name."""
    return page.locator(f".pushlab-{name}")


def note(faults: list[str], error: Error) -> None:
    if not error.message.startswith(REMOVED_TWICE):
        faults.append(error.stack or error.message)


@contextmanager
def page_of(
    playwright, chromium: str, url: str, log_in: Callable[[Page], None] = lambda page: None
) -> Iterator[Page]:
    """Show JupyterLab in a Chromium; its ``faults`` are the exceptions that nobody caught."""
    started = playwright.chromium.launch(
        executable_path=chromium, args=SWITCHES, timeout=1000 * patience(120)
    )
    with started:
        page = started.new_page(viewport={"width": 1400, "height": 1000})
        page.faults = []
        page.on("pageerror", partial(note, page.faults))
        be_patient(page)
        page.goto(url)
        log_in(page)
        page.wait_for_function("window.jupyterapp")
        yield page


def be_patient(page: Page) -> None:
    """Let whatever is waited for in a page come late: the machine may be slow, or busy."""
    page.set_default_timeout(1000 * patience(120))
    expect.set_options(timeout=1000 * patience(120))


def make_kernel(home: Path, name: str, environment: dict[str, str]) -> None:
    """Give the JupyterLab in ``home`` one more kernel, which has this in its environment."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": name, "language": "python", "env": environment}
    folder = home / "data" / "kernels" / name
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(kernel), "utf-8")


@contextmanager
def running(home: Path, folder: Path, base: str = "/") -> Iterator[str]:
    """Start JupyterLab on a folder of notebooks; give its address, which ends in ``base``.

    Its log is in ``home / LOG``, and its kernels' connection files in ``home / RUNTIME``.
    """
    with kernels.folder() as runtime:
        (home / RUNTIME).symlink_to(runtime)
        with _running(home, folder, base, runtime) as url:
            yield url


@contextmanager
def _running(home: Path, folder: Path, base: str, runtime: Path) -> Iterator[str]:
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "PUSHLAB_DATA": "pushlab",
    }
    environment = os.environ | {name: str(home / where) for name, where in folders.items()}
    # Kernels have their sockets beside their connection files.
    environment["JUPYTER_RUNTIME_DIR"] = str(runtime)
    environment |= {"PUSHLAB_PORT": "0", "PUSHLAB_PUSH_PORT": "0"}
    # A browser that starts slowly makes the lab say so, and that is no output of a lesson.
    environment["PUSHLAB_PATIENCE"] = str(patience(10))
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    command += [f"--ServerApp.base_url={base}", WITHOUT]
    if kernels.connection(runtime / f"kernel-{uuid4()}-ipc"):
        command.append("--KernelManager.transport=ipc")
    shown = re.compile(rf"(http://127\.0\.0\.1:\d+{re.escape(base)})lab\?")
    address = queue.SimpleQueue()  # None: it has ended
    log = home / LOG

    def read() -> None:  # To the end: a full pipe would stop JupyterLab.
        with log.open("w", encoding="utf-8", buffering=1) as copy:
            for line in process.stderr:
                copy.write(line)
                if found := shown.search(line):
                    address.put(found[1])
        address.put(None)

    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    own = {"env": environment, "cwd": home, "start_new_session": True}
    process = subprocess.Popen(command, text=True, **own, **pipes)
    # If the tests are killed, JupyterLab ends all the same; its kernels see that by themselves.
    watch = guard(process.pid)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        url = address.get(timeout=patience(120))
        assert url, f"JupyterLab ended at once, and said: {log.read_text('utf-8')}"
        _until_it_listens(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=patience(120))
        watch.kill()
        watch.communicate()
        reader.join(timeout=patience(120))
        process.stderr.close()


def _until_it_listens(url: str, process: subprocess.Popen) -> None:
    """Wait for what it says by no line: that it takes connections, some moments after its address."""
    deadline = time.monotonic() + patience(120)
    while True:
        try:
            socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)).close()
        except ConnectionRefusedError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
