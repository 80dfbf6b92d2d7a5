"""A seat in the room: it runs in a network namespace of its own and does what the test tells it.

One JSON object a line in, one a line out. It is a participant's machine (a real browser, made by what
``pushlab join`` is made of, or a crowd of virtual ones), or the instructor's browser.

    {"do": "join", "url": "http://10.77.0.1:8292", "kind": "firefox", "name": "Ada"}
    {"done": "subscribed"}
"""

import asyncio
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict

from pushlab import settings
from pushlab.cli import join
from pushlab.errors import PushlabError
from pushlab.useragent.firefox import profile as firefox_profile
from pushlab.useragent.virtual import VirtualUserAgent

PATIENCE = settings.patience(120)

# A Firefox shows three notifications at a time that ask for a click; here it shows them all.
firefox_profile.QUIET["dom.webnotifications.requireinteraction.count"] = 100


class Seat:
    """What a test may tell a seat to do. Each method takes and returns JSON values."""

    def __init__(self):
        self.agent, self.crowd, self.told = None, [], []
        self.news = asyncio.Event()

    async def join(self, url, kind, name):
        """Open the page in a browser and subscribe; return the page's state."""
        self.agent = join.browser_for(url, kind, headless=True, grant=True)
        await self.agent.start()
        await self.agent.open(join.page_of(url, name))
        await self.agent.register()
        await self.agent.subscribe()
        return await self.agent.state()

    async def come(self, url, names):
        """Subscribe a virtual user agent for each name; return how many."""
        push_url = join.push_service_of(url)
        self.crowd = [VirtualUserAgent(push_url, name=name) for name in names]
        for agent in self.crowd:
            await agent.start()
            await agent.open(join.page_of(url, ""))
            await agent.register()
            await agent.subscribe()
        return len(self.crowd)

    async def page(self, function):
        """Call a JavaScript function in the page."""
        return await self.agent.evaluate(function)

    async def press(self, button):
        await self.agent.press(button)

    async def shown(self, bodies):
        """Wait until each of these is shown; return the moment of the last, and all that is shown."""
        for body in bodies:
            await self.agent.wait_for_notification(body=body, timeout=PATIENCE)
        moment = time.monotonic()
        return {"at": moment, "all": [asdict(one) for one in await self.agent.notifications()]}

    async def received(self, body):
        """Wait until each of the crowd shows this body; return all the bodies of each."""
        for agent in self.crowd:
            await agent.wait_for_notification(body=body, timeout=PATIENCE)
        return await self.bodies()

    async def bodies(self):
        """Return all the bodies that each of the crowd has received until now."""
        return [[json.loads(text)["options"]["body"] for text in agent.received] for agent in self.crowd]

    async def ask(self, url, token="", body=None):
        """Make one request, as a program does; return the status and the JSON of the answer."""
        return await asyncio.to_thread(self._ask, url, token, body)

    def _ask(self, url, token, body):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers)
        try:
            with settings.DIRECT.open(request, timeout=PATIENCE) as answer:
                return [answer.status, json.load(answer)]
        except urllib.error.HTTPError as refused:
            with refused:
                return [refused.code, json.load(refused)]

    async def listen(self, url, token):
        """Follow the story from now on; ``heard`` returns it."""
        stream = settings.DIRECT.open(f"{url}/events?access_token={token}", timeout=10 * PATIENCE)
        listening = (stream, asyncio.get_running_loop())
        threading.Thread(target=self._listen, args=listening, daemon=True).start()

    def _listen(self, stream, loop):
        for line in stream:
            if line.startswith(b"data: "):
                event = json.loads(line.removeprefix(b"data: "))
                loop.call_soon_threadsafe(self._note, [event["what"], event["who"]])

    def _note(self, event):
        self.told.append(event)
        self.news.set()

    async def heard(self, more_than=-1):
        """Return the story so far, as [what, who], once it has more than so many events."""
        async with asyncio.timeout(PATIENCE):
            while len(self.told) <= more_than:
                self.news.clear()
                await self.news.wait()
        return self.told

    async def leave(self):
        """Close the browser and the crowd."""
        if self.agent:
            await self.agent.close()
        for agent in self.crowd:
            await agent.close()


async def serve():
    seat = Seat()
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = json.loads(line)
        try:
            answer = {"done": await getattr(seat, told.pop("do"))(**told)}
        except (PushlabError, OSError, TimeoutError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
