"""A hub as in a classroom: everybody logs in with a name, and all servers run on this machine.

``SimpleLocalProcessSpawner`` runs them as the user who runs the tests. On The Littlest JupyterHub each
has a system user of their own as well, which is a second wall: what these tests show holds without it.
"""

import json
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  # JupyterHub defines it
told = json.loads(os.environ["PUSHLAB_TEST_HUB"])
home = Path(told["home"])

c.JupyterHub.bind_url = f"http://127.0.0.1:{told['port']}"
c.JupyterHub.hub_ip, c.JupyterHub.hub_port = "127.0.0.1", told["hub_port"]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{told['api_port']}"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.auth_token = told["token"]
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
# All of it is in one group of processes, which can be ended with one number.
c.SimpleLocalProcessSpawner.popen_kwargs = {"start_new_session": False}
c.SimpleLocalProcessSpawner.home_dir_template = str(home / "{username}")
c.JupyterHub.services = [{"name": "tests", "api_token": told["token"]}]
scopes = ["admin:users", "admin:servers", "tokens"]
c.JupyterHub.load_roles = [{"name": "tests", "services": ["tests"], "scopes": scopes}]

c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser", "--allow-root"]
c.Spawner.args = ["--LabApp.expose_app_in_browser=True", *told["arguments"]]
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = c.Spawner.http_timeout = told["seconds"]
c.Spawner.environment = told["environment"] | {
    # Kernels have their sockets there, in a path that is short enough.
    "JUPYTER_RUNTIME_DIR": lambda spawner: f"{told['runtime']}/{spawner.user.name}",
}
