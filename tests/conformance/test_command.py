"""Commands that are not there, fail, hang or print megabytes; and nothing that they start is left."""

import json
import os
import random
import shutil
import sys
import time

import psutil
import pytest

from pushlab.conformance.exchange import Message
from pushlab.conformance.recipients import Recipient
from pushlab.conformance.senders.command import MARK, OUTPUT_KEPT, CommandSender
from pushlab.errors import BadArgument
from pushlab.pushservice.certificates import TRUST, Certificates

pytestmark = pytest.mark.skipif(not shutil.which("sh"), reason="its commands are those of a shell")
MESSAGE = Message(
    Recipient("https://localhost:8188", random.Random(0)), b"Hello\r\n", ttl=7, urgency="low"
)
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], sys.stdin.read(), dict(os.environ)]))"


def sent(run, *command: str, limit: float = 20.0, **options):
    """Run a command once, as an examination does."""

    async def scenario():
        sender = CommandSender(command, limit=limit, **options)
        await sender.open()
        try:
            return await sender.send(MESSAGE)
        finally:
            await sender.close()

    return run(scenario())


def test_placeholders_are_filled_in_and_the_subscription_comes_by_standard_input_too(run):
    authority = Certificates.make(["localhost"]).ca_pem
    names = ["--ttl={ttl}", "{urgency}", "-{topic}-", "{endpoint}", "{p256dh}", "{auth}", "{nosuch}"]
    said = sent(run, sys.executable, "-c", SHOW, *names, authority=authority)
    arguments, given, environment = json.loads(said.text)
    subscription = MESSAGE.recipient.subscription.to_json()
    assert arguments == [
        "--ttl=7", "low", "--", subscription["endpoint"], subscription["keys"]["p256dh"],
        subscription["keys"]["auth"], "{nosuch}",
    ]  # fmt: skip
    assert given == "", "the endpoint is named, so nothing comes by standard input"
    assert len({environment[name] for name in TRUST}) == 1
    assert (said.accepted, said.status) == (True, "exit status 0")
    said = sent(run, sys.executable, "-c", SHOW, "{vapid_public}", "{subject}")
    (public, subject), given, environment = json.loads(said.text)
    assert json.loads(given) == subscription and len(public) == 87 and subject.startswith("mailto:")


def test_files_have_the_bytes_and_are_gone_afterwards(run):
    read = "import sys; print([open(path, 'rb').read() for path in sys.argv[1:]]); print(sys.argv[1:])"
    said = sent(run, sys.executable, "-c", read, "{payload}", "{subscription}", "{vapid_pem}")
    contents, paths = map(eval, said.text.splitlines())
    assert contents[0] == MESSAGE.payload and contents[2].startswith(b"-----BEGIN PRIVATE KEY-----")
    assert json.loads(contents[1]) == MESSAGE.recipient.subscription.to_json()
    assert not any(map(os.path.exists, paths))


def test_what_a_command_does_wrong_is_a_sentence(run):
    assert (
        sent(run, "/nowhere/sender").fault == "/nowhere/sender cannot be run: No such file or directory"
    )
    assert "cannot be run" in sent(run, os.curdir).fault
    said = sent(run, "sh", "-c", "echo no key; echo no such key >&2; exit 3")
    assert (said.accepted, said.status, said.text) == (False, "exit status 3", "no key\nno such key\n")
    said = sent(run, "sh", "-c", "kill -9 $$")
    assert (said.accepted, said.status) == (False, "ended by signal 9")
    began = time.monotonic()
    said = sent(run, "sh", "-c", "sleep 600", limit=0.3)
    assert (said.accepted, said.status) == (False, "it had not ended after 0.3 s, and was ended")
    assert time.monotonic() - began < 60
    said = sent(run, "sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; exec <&-")
    assert said.accepted and len(said.text) == OUTPUT_KEPT


def test_nothing_is_left_of_what_it_has_started(run):
    """One child is in its group; the other has left it, and holds the pipe open."""
    children = f"sleep 600 & echo $!; setsid sleep 600 & echo ${MARK}"
    said = sent(run, "sh", "-c", children)
    assert said.accepted and said.seconds < 20
    pid, mark = said.text.split()
    assert is_dead(int(pid))
    left = [one for one in psutil.process_iter() if has_mark(one, mark)]
    assert left == []


def is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_what_a_command_can_be_asked_for_is_what_it_names():
    assert CommandSender(["x", "{payload}", "{ttl}"]).sets == {"payload", "ttl"}
    assert CommandSender(["x"]).sets == frozenset()
    assert CommandSender(["x", "{vapid_pem}"]).uses_our_keys


def test_a_word_in_braces_that_is_almost_a_placeholder_is_refused():
    for written, meant in (
        ("{topik}", "{topic}"),
        ("--ttl={TTL}", "{ttl}"),
        ("{subscripton}", "{subscription}"),
    ):
        with pytest.raises(BadArgument) as refused:
            CommandSender(["send", written])
        assert f"Write {meant}" in str(refused.value)
    for own in ("{print}", "{}", "${topics}", "{ sleep 1; }", '{"a": {"b": 1}}', "{title}"):
        assert CommandSender(["send", own]).named == set()
