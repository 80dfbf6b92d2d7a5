"""The three parties behind one test: servers of this process, and a real browser that uses them."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.keys import VapidKeys
from pushlab.journal import Event, Journal
from pushlab.lab.loop import BackgroundLoop
from pushlab.pushservice.app import PushService
from pushlab.pushservice.chromium.checkin import TOKEN_PREFIX
from pushlab.settings import patience
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox.browser import Firefox

FAR = "insecure.test"
"""A name of this machine that a browser takes for another machine's."""

# Resolves in the page when every step is done.
DONE = """() => new Promise((resolve) => {
  const steps = document.getElementById("steps");
  const done = () => !steps.querySelector("li:not([data-state=done])");
  const look = () => done() && resolve();
  new MutationObserver(look).observe(steps, { attributes: true, subtree: true });
  look();
})"""

NEAR = {"network.dns.localDomains": FAR, "network.proxy.no_proxies_on": f"127.0.0.1,{FAR}"}

# Called in Firefox's own window and not in a page: what a person does in about:config.
PREFER = """(name, value) => {
  const kind = { boolean: "Bool", number: "Int" }[typeof value];
  const before = Services.prefs[`get${kind}Pref`](name);
  Services.prefs[`set${kind}Pref`](name, value);
  return before;
}"""


class TunedFirefox(Firefox):
    """A Firefox for which a far name leads to this machine, and whose preferences can be changed."""

    def _prepare(self, folder: Path) -> None:
        super()._prepare(folder)
        with (folder / "user.js").open("a", encoding="utf-8") as file:
            for name, value in NEAR.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")

    def _arguments(self, folder: Path) -> list[str]:
        return ["--remote-allow-system-access", *super()._arguments(folder)]

    async def prefer(self, name: str, value: bool | int) -> bool | int:
        """Set a preference from now on; return what it was."""
        windows = await self._command("browsingContext.getTree", {"moz:scope": "chrome", "maxDepth": 0})
        tab, self._tab = self._tab, windows["contexts"][0]["context"]
        try:
            return await self.evaluate(PREFER, name, value)
        finally:
            self._tab = tab

    async def permit(self, state: str, origin: str) -> None:
        """Set the permission of notifications: ``granted``, ``denied`` or ``prompt``."""
        told = {"descriptor": {"name": "notifications"}, "state": state, "origin": origin}
        await self._command("permissions.setPermission", told)

    async def add_script(self, script: str) -> str:
        """Run a script in each page from now on, before the page's own; return its name."""
        told = {"functionDeclaration": f"() => {{ {script} }}"}
        return (await self._command("script.addPreloadScript", told))["script"]

    async def remove_script(self, name: str) -> None:
        await self._command("script.removePreloadScript", {"script": name})

    async def enter_new_tab(self) -> None:
        """Drive a new tab of the same window from now on."""
        self._tab = (await self._command("browsingContext.create", {"type": "tab"}))["context"]

    async def close_tab(self) -> None:
        """Close the tab that is driven."""
        await self._command("browsingContext.close", {"context": self._tab})

    async def enter_frame(self) -> None:
        """Drive the page in the tab's only frame from now on."""
        tree = await self._command("browsingContext.getTree", {"root": self._tab})
        self._tab = tree["contexts"][0]["children"][0]["context"]

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Come back to the tab at the end, wherever one has gone."""
        tab = self._tab
        try:
            yield
        finally:
            self._tab = tab


class TunedChromium(Chromium):
    """A Chromium for which a far name leads to this machine."""

    def _arguments(self, folder: Path) -> list[str]:
        rules = f"MAP {FAR} 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1"
        extra = [f"--host-resolver-rules={rules}", f"--proxy-bypass-list={FAR}"]
        return super()._arguments(folder) + extra  # of two alike the last one counts

    async def permit(self, state: str, origin: str) -> None:
        """Set the permission of notifications: ``granted``, ``denied`` or ``prompt``."""
        told = {"permission": {"name": "notifications"}, "setting": state, "origin": origin}
        await self._running().command("Browser.setPermission", told)

    async def add_script(self, script: str) -> str:
        """Run a script in each page from now on, before the page's own; return its name."""
        told = {"source": f"(() => {{ {script} }})()"}
        return (await self._command("Page.addScriptToEvaluateOnNewDocument", told))["identifier"]

    async def remove_script(self, name: str) -> None:
        await self._command("Page.removeScriptToEvaluateOnNewDocument", {"identifier": name})

    async def enter_new_tab(self) -> None:
        """Drive a new tab of the same window from now on."""
        tab = {"url": "about:blank"}
        await self._attach((await self._running().command("Target.createTarget", tab))["targetId"])

    async def close_tab(self) -> None:
        """Close the tab that is driven."""
        tab = (await self._command("Target.getTargetInfo", {}))["targetInfo"]
        await self._running().command("Target.closeTarget", {"targetId": tab["targetId"]})

    async def enter_frame(self) -> None:
        """Drive the page in the tab's only frame from now on, which is of another site."""
        targets = (await self._running().command("Target.getTargets"))["targetInfos"]
        await self._attach(next(each["targetId"] for each in targets if each["type"] == "iframe"))

    async def enter_private_window(self, origin: str) -> None:
        """Drive a new private window from now on, which may show notifications."""
        context = await self._running().command("Target.createBrowserContext")
        told = {"permission": {"name": "notifications"}, "setting": "granted", "origin": origin}
        await self._running().command("Browser.setPermission", told | context)
        tab = {"url": "about:blank"} | context
        await self._attach((await self._running().command("Target.createTarget", tab))["targetId"])

    async def _attach(self, target: str) -> None:
        told = {"targetId": target, "flatten": True}
        attached = await self._running().command("Target.attachToTarget", told)
        self._tab = attached["sessionId"]
        for domain in ("Runtime", "Page"):
            await self._command(f"{domain}.enable", {})

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Come back to the tab at the end, wherever one has gone."""
        tab = self._tab
        try:
            yield
        finally:
            self._tab = tab


MAKE = {
    "firefox": lambda service: TunedFirefox(service.ws_url),
    "chromium": lambda service: TunedChromium(service.chromium),
}


@dataclass
class Parties:
    """The three parties, each started anew at will on the port that it had."""

    background: BackgroundLoop
    journal: Journal = field(default_factory=Journal)
    kind: str = ""
    browser: TunedFirefox | TunedChromium | None = None
    push_service: PushService | None = None
    server: ApplicationServer | None = None

    def run(self, coroutine):
        return self.background.run(coroutine, patience(120))

    def start_push_service(self, port: int = 0) -> None:
        """Start a push service that has never heard of anyone."""
        self.push_service = PushService(journal=self.journal)
        self.run(self.push_service.start(port))

    def start_server(self, keys: VapidKeys, port: int = 0) -> None:
        """Start an application server that knows no subscription."""
        listeners = self.push_service.chromium
        authority = listeners.ca_pem.decode()
        self.server = ApplicationServer(
            keys=keys,
            journal=self.journal,
            push_origins=[self.push_service.origin],
            connect_overrides=[
                ConnectOverride(host, TOKEN_PREFIX, listeners.tls_port, authority)
                for host in listeners.hosts
            ],
        )
        self.run(self.server.start(port))

    def open(self) -> None:
        self.run(self.browser.open(self.server.url))

    def evaluate(self, function: str, *arguments: object):
        """Call a JavaScript function in the page."""
        return self.run(self.browser.evaluate(function, *arguments))

    def wait_for(self, what: str, after: int) -> None:
        """Wait for an event of this name with a number greater than ``after``."""

        async def wait() -> None:
            found, loop = asyncio.Event(), asyncio.get_running_loop()

            def look(event: Event) -> None:
                if event.what == what and event.number > after:
                    loop.call_soon_threadsafe(found.set)

            unsubscribe = self.journal.subscribe(look)
            for event in self.journal.events(after):
                look(event)
            await found.wait()
            unsubscribe()

        self.run(wait())

    @contextmanager
    def preferring(self, name: str, value: bool | int) -> Iterator[None]:
        """Have a Firefox's preference changed meanwhile."""
        before = self.run(self.browser.prefer(name, value))
        try:
            yield
        finally:
            self.run(self.browser.prefer(name, before))

    @contextmanager
    def before_the_page(self, script: str) -> Iterator[None]:
        """Run a script in each page that is opened meanwhile, before the page's own scripts."""
        name = self.run(self.browser.add_script(script))
        try:
            yield
        finally:
            self.run(self.browser.remove_script(name))


@contextmanager
def started(kind: str) -> Iterator[Parties]:
    """A push service, and a browser that uses it."""
    parties = Parties(BackgroundLoop(), kind=kind)
    parties.start_push_service()
    parties.browser = MAKE[kind](parties.push_service)
    parties.run(parties.browser.start())
    yield parties
    parties.run(parties.browser.close())
    parties.run(parties.push_service.stop())
    parties.background.stop()
