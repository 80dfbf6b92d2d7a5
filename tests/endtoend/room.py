"""A room whose parts are all real: the instructor's lab, a Firefox, a Chromium, and a crowd.

The tests sit here, and so does the benchmark that measures how soon browsers are back.
"""

import re
import sys
import time
from collections import Counter

from .network import INSTRUCTOR, Network

REAL = {"firefox": "Ada", "chromium": "Grace"}


class Room:
    """The instructor's lab, and who sits where."""

    def __init__(self, network: Network, data):
        self.network = network
        serve = ["-m", "pushlab", "serve", "--host", INSTRUCTOR, "--port", "0", "--push-port", "0"]
        lab = network.start("desk", sys.executable, *serve, "--data", str(data))
        said = ""
        while not (link := re.search(r"instructor +(http://\S+)/#code=(\S+)", said)):
            line = lab.stdout.readline()
            assert line, f"the lab has ended: {said}"
            said += line
        self.said, self.url = said, link[1]
        self.desk = network.sit("desk")
        status, answer = self.desk.do("ask", url=f"{self.url}/instructor", body={"code": link[2]})
        assert status == 200, answer
        self.token = answer["data"]["token"]
        self.desk.do("listen", url=self.url, token=self.token)
        self.seats = {kind: network.sit(kind) for kind in REAL}
        self.crowd = network.sit("crowd")

    def fill(self, names) -> None:
        """Let the real browsers come, and a virtual one for each of these names."""
        for kind, seat in self.seats.items():
            seat.begin("join", url=self.url, kind=kind, name=REAL[kind])
        assert self.crowd.do("come", url=self.url, names=names) == len(names)
        for seat in self.seats.values():
            assert seat.end() == "subscribed"

    def leave(self) -> None:
        """Close the browsers and the crowd."""
        for seat in (*self.seats.values(), self.crowd):
            seat.do("leave")

    def pull_cables(self) -> None:
        """Cut the real browsers off."""
        for kind in REAL:
            self.network.pull(kind)

    def cables_back(self, sent) -> dict[str, tuple[float, list[dict]]]:
        """Put the cables back, and wait until each of the real browsers has shown what was ``sent``.

        Returns, by browser, the seconds that it took, and what is shown then.
        """
        back = time.monotonic()
        for kind in REAL:
            self.network.plug_in(kind)
        for seat in self.seats.values():
            seat.begin("shown", bodies=sent)
        shown = {kind: seat.end() for kind, seat in self.seats.items()}
        return {kind: (one["at"] - back, one["all"]) for kind, one in shown.items()}

    def notify_all(self, body: str) -> dict:
        """Send one message to everybody, with the instructor's token; return the counts."""
        # Firefox takes a notification away after 20 seconds, unless it asks for a click.
        options = {"body": body, "requireInteraction": True}
        told = {"notification": {"title": "Room", "options": options}}
        status, answer = self.desk.do("ask", url=f"{self.url}/notify-all", token=self.token, body=told)
        assert status == 200, answer
        return answer["data"]

    def participants(self) -> list[dict]:
        status, answer = self.desk.do("ask", url=f"{self.url}/subscriptions", token=self.token)
        assert status == 200, answer
        return answer["data"]["participants"]

    def until(self, holds) -> list[dict]:
        """Ask who is in the room, again after each piece of news, until ``holds(rows)``."""
        told = len(self.desk.do("heard"))
        while not holds(rows := self.participants()):
            told = len(self.desk.do("heard", more_than=told))
        return rows

    def until_told(self, holds) -> list[list[str]]:
        """Follow the story until ``holds(story)``; return it, as [what, who]."""
        story = self.desk.do("heard")
        while not holds(story):
            story = self.desk.do("heard", more_than=len(story))
        return story

    def heard(self) -> Counter:
        """Count the messages that workers have received, by who reported them."""
        return received(self.desk.do("heard"))


def received(story) -> Counter:
    """Count who has reported a message, and how many."""
    return Counter(who for what, who in story if what == "push received")
