"""What the tests of a hub need: its proxy, its users, and what each of them has at home."""

import shutil
from importlib.metadata import entry_points

import pytest

from pushlab.lab.page_socket import ENTRY
from pushlab.lab.private import PrivateAddresses
from pushlab.settings import patience
from pushlab.testing import missing

from ..run.ports import free_port
from .hub import LOG, PROXY, running

USERS = ("ada", "ben", "cleo")


@pytest.fixture(scope="session")
def hub_installed(slow):
    """Skip, or fail in CI, where a part of a hub is missing."""
    if not shutil.which("node") or not PROXY.exists():
        missing("There is no configurable-http-proxy: install Node, and type npm ci in tests/hub.")
    if not entry_points(group="jupyter_serverproxy_servers", name=ENTRY):
        missing("The environment is older than pushlab's entry for jupyter-server-proxy: install again.")


@pytest.fixture(scope="module")
def hub(hub_installed, notebook_kernel, tmp_path_factory, artifacts):
    """Give a hub with three users, whose labs have a virtual browser unless told otherwise."""
    home = tmp_path_factory.mktemp("hub")
    for user in USERS:
        data = home / user / ".pushlab"
        data.mkdir(parents=True, mode=0o700)
        # No other process is given these ports while the user's server is restarted.
        PrivateAddresses(port=free_port(), push_port=free_port()).write(data)
    with artifacts.offer(LOG, lambda: home / LOG):
        # A browser that starts slowly makes the lab say so, and that is no output of a lesson.
        told = {"PUSHLAB_BROWSER": "virtual", "PUSHLAB_PATIENCE": str(patience(10))}
        with running(home, told) as hub:
            yield hub
