"""``./lab fuzz agents``: hostile user agents at every door of a push service, beside honest ones.

    this process       honest user agents: to each, one message after the other is sent and awaited
    the push service   a process of its own
    hostile            another one

No honest user agent may lose a message or get one twice. While an event waits for the service's event
loop, the loop may work 100 ms for others at most: that is one turn of the loop, and the service measures
each. For a whole message, which takes some turns, the same is asked of 99 in 100, beyond what they take
before the attack. All of this is processor time of the service: a busy machine changes it little, but
it counts too what the service does while this process has to wait for the machine.
"""

import asyncio
import base64
import gc
import json
import logging
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hostile import Target, attack

from pushlab.cli.parser import Parser, whole_number
from pushlab.pushservice.app import PushService
from pushlab.pushservice.chromium.listeners import ChromiumListeners
from pushlab.settings import patience

ROOT = Path(__file__).parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
from tests.pushservice.conftest import Browser, Clock, Sender, connected  # noqa: E402 — found by the line above

MAX_DELAY = 0.1
"""Seconds of the processor that others may cost a message, for 99 of 100 messages."""

MAX_TURN = 0.1
"""Seconds of the processor that one turn of a service's event loop may take."""

CALM = 60
"""Messages to honest user agents before the attack begins."""

PAUSE = 0.02
"""Seconds between two messages to the same honest user agent."""

LOST = patience(10)
"""Seconds after which a message that has not arrived is lost."""


# --- a push service in a process of its own ------------------------------------------------------------


def measure_turns(loop: asyncio.AbstractEventLoop) -> list[float]:
    """Note, from now on, the processor time of the longest turn of a loop: of all that was ready."""
    selector = loop._selector
    longest, select, began = [0.0], selector.select, [time.thread_time()]

    def measured(timeout: float | None) -> list:
        longest[0] = max(longest[0], time.thread_time() - began[0])
        ready = select(timeout)
        began[0] = time.thread_time()
        return ready

    selector.select = measured
    return longest


async def serve() -> None:
    """Run a push service until standard input ends; print where it is, and its longest turn."""
    service = PushService()
    await service.start()
    chromium = service.chromium
    about = vars(chromium) | {"ca_pem": base64.b64encode(chromium.ca_pem).decode()}
    print(json.dumps({"port": service.port, "chromium": about}), flush=True)
    # Python's collector looks through all modules now and then, 50 ms long: nobody's fault here.
    gc.collect()
    gc.freeze()
    longest = measure_turns(asyncio.get_running_loop())
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"longest": longest[0]}), flush=True)
    await service.stop()


@dataclass
class Service:
    """A running push service. ``longest``: seconds of its longest turn, once it has ended."""

    pid: int
    port: int
    chromium: ChromiumListeners
    longest: float = 0.0

    def processor_seconds(self) -> float:
        """Return how long the service has used a processor; the time of day where no system says."""
        if sys.platform != "linux":
            return time.monotonic()
        return time.clock_gettime(~self.pid << 3 | 2)  # as clock_getcpuclockid(3) makes it

    @property
    def target(self) -> Target:
        mcs_port = int(self.chromium.mcs_url.rpartition(":")[2])
        pem = self.chromium.ca_pem.decode()
        return Target(self.port, mcs_port, self.chromium.tls_port, list(self.chromium.hosts), pem)


@asynccontextmanager
async def running() -> AsyncIterator[Service]:
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "--serve", **pipes)
    assert process.stdin and process.stdout
    about = json.loads(await process.stdout.readline())
    listeners = about["chromium"] | {"ca_pem": base64.b64decode(about["chromium"]["ca_pem"])}
    service = Service(process.pid, about["port"], ChromiumListeners(**listeners))
    try:
        yield service
    finally:
        process.stdin.close()
        service.longest = json.loads(await process.stdout.readline())["longest"]
        await process.wait()


# --- honest user agents --------------------------------------------------------------------------------


@dataclass
class Honest:
    """What the honest user agents of a service have seen.

    ``delays``: seconds of the service's processor for each message; ``faults``: what must not be.
    """

    service: Service
    delays: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def run(self, ends: asyncio.Event) -> None:
        """Let two Firefoxes and a Chromium get messages until the end."""
        await asyncio.gather(self.firefox(ends), self.firefox(ends), self.chromium(ends))

    async def firefox(self, ends: asyncio.Event) -> None:
        sender = self.sender()
        agent = await connected(
            f"ws://127.0.0.1:{self.service.port}/", {"User-Agent": "pushlab-virtual"}
        )
        await agent.hello()
        subscription = await agent.subscribe(sender.key)

        async def next_message() -> bytes:
            notification = await agent.notification()
            await agent.ack(notification)
            return agent.read(notification)

        await self.converse("Firefox", sender, subscription, next_message, ends)
        await self.ends_quietly("Firefox", agent.hears_nothing())
        await agent.disconnect()

    async def chromium(self, ends: asyncio.Event) -> None:
        sender, browser = self.sender(), Browser(self.service.chromium, "HeadlessChrome/156.0.0.0")
        await browser.check_in()
        subscription = await browser.subscribe(sender.key)
        await browser.log_in()

        async def next_message() -> bytes:
            message = await browser.message()
            browser.ack()
            return browser.read(message)

        await self.converse("Chromium", sender, subscription, next_message, ends)
        await self.ends_quietly("Chromium", browser.hears_nothing())
        await browser.disconnect()

    def sender(self) -> Sender:
        return Sender(Clock(time.time()), self.service.chromium)

    async def converse(self, name, sender, subscription, next_message, ends) -> None:
        """Send one message after the other, and await each."""
        number = 0
        while not ends.is_set() and not self.faults:
            number += 1
            sender.clock.now = time.time()
            text = f"{name} {number}".encode()
            began = self.service.processor_seconds()
            try:
                async with asyncio.timeout(LOST):
                    answer = await sender.send(subscription, text, ttl=60)
                    arrived = await next_message()
            except Exception as fault:  # noqa: BLE001 — whatever it is, it is the finding
                self.faults.append(f"message {number} to {name}: {fault!r}")
                return
            if answer.code != 201 or arrived != text:
                self.faults.append(f"{text!r} was answered {answer.code}, and {arrived!r} came")
            self.delays.append(self.service.processor_seconds() - began)
            await asyncio.sleep(PAUSE)

    async def ends_quietly(self, name: str, hears_nothing) -> None:
        try:
            async with asyncio.timeout(LOST):
                await hears_nothing
        except (AssertionError, TimeoutError, TypeError) as fault:
            self.faults.append(f"something more for {name}, or its end: {fault!r}")


# --- a run ------------------------------------------------------------------------------------------


@dataclass
class Result:
    """What came of a run. The times are seconds of the service's processor.

    ``calm``: the delays of honest messages before the attack; ``delays``: during it; ``longest``:
    the longest turn of the event loop.
    """

    exchanges: int
    calm: list[float]
    delays: list[float]
    longest: float
    faults: list[str]


async def run(exchanges: int, seed: int, seconds: float, apart: bool = True) -> Result:
    """Attack a service, and return what honest user agents have seen.

    ``apart``: attack from a process of its own, so that attacking delays nobody here.
    """
    async with running() as service:
        honest, ends = Honest(service), asyncio.Event()
        watching = asyncio.create_task(honest.run(ends))
        while len(honest.delays) < CALM and not honest.faults:
            await asyncio.sleep(PAUSE)
        calm, honest.delays = honest.delays, []
        if apart:
            done = await attack_apart(service, exchanges, seed, seconds)
        else:
            done = await attack(service.target, exchanges, seed, seconds)
        ends.set()
        await watching
    return Result(done, calm, honest.delays, service.longest, honest.faults)


async def attack_apart(service: Service, exchanges: int, seed: int, seconds: float) -> int:
    about = {key: value for key, value in vars(service.target).items() if key != "silent"}
    job = json.dumps([about, exchanges, seed, seconds])
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--attack", job, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return int(said)


def percentile(delays: list[float], percent: int) -> float:
    return statistics.quantiles(delays, n=100, method="inclusive")[percent - 1]


def told(delays: list[float]) -> str:
    """Return the median, the 99th percentile and the maximum in milliseconds."""
    figures = percentile(delays, 50), percentile(delays, 99), max(delays)
    return "{:.0f}, {:.0f}, {:.0f} ms".format(*(1000 * one for one in figures))


def main(arguments: list[str]) -> int:
    """Run for as many exchanges as are asked for. Return 1 if there is a finding."""
    parser = Parser(prog="./lab fuzz agents", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--exchanges", type=whole_number, default=20_000, metavar="N")
    parser.add_argument("--seconds", type=whole_number, default=1800, metavar="S", help="at most")
    parser.add_argument("--seed", type=whole_number, default=int(time.time()) % 2**31, metavar="N")
    options = parser.parse_args(arguments)
    print(f"agents, seed {options.seed}", flush=True)
    began = time.monotonic()
    result = asyncio.run(run(options.exchanges, options.seed, options.seconds))
    findings = list(result.faults)
    if percentile(result.delays, 99) - percentile(result.calm, 99) > MAX_DELAY:
        findings.append("honest messages have taken too long")
    if result.longest > MAX_TURN:
        findings.append("one turn of the event loop has taken too long")
    print(
        f"  {result.exchanges:,} exchanges in {time.monotonic() - began:.0f} s\n"
        f"  {len(result.delays):,} honest messages, each after {told(result.delays)} "
        f"(before the attack {told(result.calm)})\n"
        f"  the longest turn of the event loop: {result.longest * 1000:.0f} ms"
    )
    print("\n".join(f"  FINDING: {finding}" for finding in findings) or "  ok", flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve())
    elif sys.argv[1:2] == ["--attack"]:
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # It warns of writing to what was cut.
        about, *job = json.loads(sys.argv[2])
        print(asyncio.run(attack(Target(**about), *job)))
    else:
        raise SystemExit(main(sys.argv[1:]))
