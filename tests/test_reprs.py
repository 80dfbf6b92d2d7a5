"""No object shows a secret, whichever class it is of: repr, str and format are in logs and tracebacks.

Each class that names its fields is filled with marked values. A field is shown only if it is in SHOWN:
whoever adds a class or a field decides here whether it may be.
"""

import dataclasses
import importlib
import inspect
import pkgutil
import random
import re
from collections.abc import Iterator

import pytest

import pushlab
from pushlab.appserver.delivery.pywebpush_client import PywebpushRequest
from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.conformance.answer import Answer
from pushlab.conformance.exchange import Message
from pushlab.conformance.recipients import Recipient
from pushlab.doctor.findings import Finding, Report, bad
from pushlab.doctor.inspection import Receiver, inspect_request
from pushlab.protocol import base64url
from pushlab.protocol.delivery import PushOptions, PushRequest
from pushlab.protocol.spelling.captured import Captured
from pushlab.protocol.spelling.recognize import recognize
from pushlab.protocol.spelling.shapes import shape_of
from pushlab.protocol.subscription import PushSubscription
from pushlab.protocol.vapid import Credentials

MARK = "s3cret"

SHOWN = {
    "appserver.broadcast.cluster.granted_queue.Grant": {"origin", "state"},
    "appserver.broadcast.cluster.granted_queue.GrantedQueue": {"waiting", "again"},
    "appserver.broadcast.cluster.granted_queue.Report": {"origin", "seen"},
    "appserver.broadcast.cluster.options.Cluster": {"address"},
    "appserver.broadcast.cluster.orders.Equipment": {"subject", "allowed_origins", "client"},
    "appserver.broadcast.cluster.orders.Range": {"numbers"},
    "appserver.broadcast.cluster.pace.SharedQueue": {"waiting", "again"},
    "appserver.broadcast.origin_queue.OriginQueue": {"waiting", "again"},
    "appserver.broadcast.runs.RecordedOutcome": {"outcome"},
    "appserver.broadcast.runs.Run": {"outcomes"},
    "appserver.broadcast.sender.Counts": set(),
    "appserver.delivery.egress.ConnectOverride": {"host", "mark", "address"},
    "appserver.delivery.response.NetworkFault": {"message"},
    "appserver.delivery.slots._Origin": {"held", "waiting"},
    "appserver.delivery.transfer.Transfer": {"origin"},
    "appserver.explain.outcome.Outcome": {"kind", "text"},
    "appserver.explain.scope.Concern": {"scope", "source", "why"},
    "appserver.explain.scope.VendorConcern": {"vendor", "words"},
    "appserver.explain.vendors.Explanation": {"kind", "what", "fault", "rfc", "next"},
    "appserver.explain.vendors.Known": {"vendor", "words"},
    "appserver.key_sources.KeySource": {"keys_from", "subject_from"},
    "doctor.authorization.Fault": {"seen", "fix", "pattern"},
    "doctor.endpoints.Shape": {"vendor", "like", "source", "path"},
    "protocol.reserved_names.Reserved": {"what", "rfc"},
    "protocol.sources.Source": {"basis", "whose", "when"},
    "appserver.notification.Notification": {"title", "options"},
    "appserver.participants.Participant": {"name", "browser", "label"},
    "appserver.participants._Known": {"browser"},
    "appserver.store.StoredSubscription": {"application_server_key", "display_name"},
    "appserver.web.certificate.Certificate": {"names"},
    "appserver.web.guard.Guard": {"host"},
    "classroom.attempt.Attempt": {"lesson", "exercise", "result", "step"},
    "classroom.board.Bar": {"number", "title", "exercises"},
    "classroom.board.Board": {"lines", "trips", "bars"},
    "classroom.board.BoardRow": {"name", "state", "lesson", "exercise", "step", "nudge", "exercises"},
    "classroom.board.Standing": {"state", "step"},
    "classroom.board.Trip": {"lesson", "exercise", "step"},
    "classroom.client.ClassClient": {"url"},
    "classroom.exercises.Lesson": {"number", "title", "module", "exercises"},
    "classroom.membership.Joined": {"name", "url"},
    "classroom.records.Nudge": {"title", "body"},
    "classroom.records.Snapshot": {"participants", "progress", "nudges"},
    "conformance.answer.Plan": {"answers"},
    "conformance.case.Case": {"id", "rule", "title", "sends", "expects", "fix"},
    "conformance.case.Judgement": {"why"},
    "conformance.case.Result": {"why"},
    "conformance.arrived.Arrived": {"answer"},
    "conformance.exchange.SenderReport": {"status", "fault"},
    "conformance.senders.app.Routes": {"subscribe", "send", "send_all", "unsubscribe"},
    "journal.Event": {"source", "target", "what", "who", "detail", "label"},
    "lab.data_folder.Holder": {"program", "since", "https"},
    "lab.invitation.Invitation": {"page_url"},
    "lab.jupyter.Jupyter": {"url", "inner"},
    "notebook.checks.error_clinic.Recorded": {"vendor", "fault", "headers", "body"},
    "notebook.checks.send.Arrived": {"method"},
    "notebook.pictures.svg.Block": {"parts"},
    "notebook.pictures.tables.TableRow": {"name", "small", "meaning", "value", "rfc", "colour"},
    "protocol.content_coding.Header": {"salt", "keyid"},
    "protocol.delivery.PushOptions": {"topic", "urgency"},
    "protocol.spelling.encodings.Encoding": {"name", "what", "turn", "read"},
    "protocol.spelling.key_file.KeyFile": {"form"},
    "protocol.spelling.recognize.Advice": {"name", "what", "turn"},
    "protocol.spelling.shapes.Form": {"name", "what", "turn", "read"},
    "protocol.spelling.things.Thing": {"name", "what", "turn", "pattern"},
    "protocol.spelling.times.Unit": {"name", "what"},
    "protocol.spelling.subscription_text.Place": {"name", "what", "turn"},
    "protocol.spelling.captured.Captured": {"method", "form"},
    "protocol.trace.Span": {"name", "meaning", "rfc"},
    "protocol.trace.Step": {"name", "formula", "rfc"},
    "protocol.vapid.Claims": {"aud", "sub"},
    "pushservice.broker.Receipt": {"what"},
    "pushservice.mailbox.Change": {"subscribed", "stored", "dropped"},
    "pushservice.certificates.Certificates": {"names", "spki"},
    "pushservice.chromium.checkin.Browser": {"display_name"},
    "pushservice.chromium.listeners.ChromiumListeners": {
        "mcs_url", "spki", "hosts",
    },
    "pushservice.receivers.ReceivedMessage": {"urgency", "topic"},
    "pushservice.flavours.VendorResponse": {"headers", "body"},
    "pushservice.mailbox.Message": {"urgency", "topic"},
    "pushservice.mailbox.OldCoding": {"encryption", "crypto_key"},
    "pushservice.mailbox.Subscription": {"channel", "key", "display_name"},
    "server.database_errors.Meaning": {"words", "hint"},
    "useragent.base.Notification": {"title", "body", "tag", "data"},
}  # fmt: skip
"""The fields of text, or of objects, that may be shown, class by class. All other classes show none."""

SUBSCRIPTION = PushSubscription(
    f"https://push.example.net/{MARK}",
    base64url.decode(VapidKeys.generate().application_server_key),
    MARK.encode() + bytes(10),
)
SECRET_KEY = MARK.encode() + bytes(25) + b"\1"  # 32 bytes, as a private key has
STORED = StoredSubscription(SUBSCRIPTION, "key", 0.0, "Ada", 1)
MADE = {
    "protocol.subscription.PushSubscription": lambda: SUBSCRIPTION,
    "protocol.delivery.PushRequest": lambda: PushRequest(
        SUBSCRIPTION.endpoint, {"Authorization": f"vapid t={'h' * 32}{MARK}", "TTL": "1"}, MARK.encode()
    ),
    "protocol.vapid.Credentials": lambda: Credentials(f"{'h' * 32}.{MARK}", bytes(65)),
    "appserver.delivery.response.PushResponse": lambda: PushResponse(
        201, (("Location", f"https://push.example.net/{MARK}"),), MARK.encode(), "Created"
    ),
    "appserver.delivery.pywebpush_client.PywebpushRequest": lambda: PywebpushRequest(
        STORED, MARK.encode(), PushOptions(), 163, None
    ),
    "doctor.inspection.Inspection": lambda: inspect_request(
        Captured("HAR", "POST", f"https://push.example.net/{MARK}", (("X-Mine", MARK),), MARK.encode()),
        now=0,
        receiver=Receiver(SECRET_KEY, MARK.encode() + bytes(10)),
    ),
    "protocol.spelling.recognize.Spelling": lambda: recognize(base64url.encode(SECRET_KEY)),
    "protocol.spelling.shapes.Shape": lambda: shape_of(SECRET_KEY),
    "conformance.answer.Answer": lambda: Answer(429, pause=2),  # planned by a case, and no secret
    "conformance.exchange.Message": lambda: Message(
        Recipient(f"https://push.example.net/{MARK}", random.Random(0)), MARK.encode()
    ),
    "doctor.findings.Finding": lambda: bad("ttl-text", "ttl is text", "user agent", "RFC 8030", "Fix."),
    "doctor.findings.Report": lambda: Report(
        (bad("ttl-text", "ttl", "user agent", "RFC 8030", "Fix."),)
    ),
}
"""Classes whose fields have to be valid, or whose own text is made of them: with secrets, where one
can be. (The doctor's sentences are tested with what they are made from.)"""


def modules() -> Iterator[str]:
    yield "pushlab"
    for module in pkgutil.walk_packages(pushlab.__path__, "pushlab."):
        if not module.name.endswith("__main__"):
            yield module.name


def classes() -> dict[str, type]:
    """Return every class that names its fields: dataclasses, and named tuples."""
    found = {}
    for name in modules():
        for one in vars(importlib.import_module(name)).values():
            ours = inspect.isclass(one) and one.__module__.startswith("pushlab")
            if ours and (dataclasses.is_dataclass(one) or is_named_tuple(one)):
                found[f"{one.__module__}.{one.__qualname__}".removeprefix("pushlab.")] = one
    return found


def is_named_tuple(one: type) -> bool:
    return issubclass(one, tuple) and hasattr(one, "_fields")


def marked(name: str, annotation: str) -> object:
    """Return a value for a field, which shows the field's name if it is shown."""
    mark = f"{MARK}-{name}"
    if re.search(r"Mapping|dict\[|Dict", annotation):
        return {mark: mark}
    if re.search(r"tuple|Sequence|list|deque|set\[|Collection", annotation):
        return (mark,)
    if "bytes" in annotation:
        return mark.encode()
    if re.search(r"\bstr\b|^typing.Any$|<class 'object'>", annotation):
        return mark
    return 1  # A number, or in place of an object of another class, which has its own turn.


def filled(one: type) -> object:
    """Make an object without its constructor, which would refuse the marks."""
    fields = inspect.get_annotations(one)
    if is_named_tuple(one):
        return one._make(marked(name, str(fields[name])) for name in one._fields)
    it = object.__new__(one)
    for field in dataclasses.fields(one):
        object.__setattr__(it, field.name, marked(field.name, str(field.type)))
    return it


CLASSES = classes()


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_an_object_shows_no_field_that_may_not_be_shown(name):
    it = MADE[name]() if name in MADE else filled(CLASSES[name])
    text = f"{it!r} {it!s} {it}"
    assert set(re.findall(f"{MARK}-([a-z0-9_]+)", text)) <= SHOWN.get(name, set())
    if name in MADE or name not in SHOWN:
        assert MARK not in text and base64url.encode(MARK.encode()) not in text


def test_the_lists_name_classes_and_fields_that_are_there():
    for name in SHOWN.keys() | MADE.keys():
        one = CLASSES[name]
        fields = one._fields if is_named_tuple(one) else [f.name for f in dataclasses.fields(one)]
        assert SHOWN.get(name, set()) <= set(fields), name


def test_a_secret_would_be_noticed():
    @dataclasses.dataclass
    class Careless:
        token: str
        kept: bytes = dataclasses.field(repr=False)
        more: object = None

    assert set(re.findall(f"{MARK}-([a-z]+)", repr(filled(Careless)))) == {"token", "more"}


def test_no_class_writes_a_text_of_its_own_unseen():
    """Any other class with a repr of its own is one of these, which are looked at elsewhere."""
    own = {"__repr__", "__str__", "__format__"}
    found = {
        f"{one.__module__}.{one.__qualname__}".removeprefix("pushlab.")
        for name in modules()
        for one in vars(importlib.import_module(name)).values()
        if inspect.isclass(one) and one.__module__.startswith("pushlab") and own & set(vars(one))
    }
    assert found - CLASSES.keys() <= {
        "appserver.keys.VapidKeys",  # test_keys, test_secrets
        "conformance.answer.Manner", "conformance.case.Level", "conformance.case.Verdict",  # words
        "conformance.recipients.Recipient",  # test_service
        "doctor.findings.Level", "journal.Party", "protocol.delivery.Urgency",  # words
        "protocol.spelling.shapes.Kind",
        "pushservice.flavours.Flavour",
        "errors.base.PushlabError",  # test_secrets, and each party's tests of its errors
        "lab.browser.LabBrowser", "notebook.Lab",  # test_secrets
        "notebook.checks.core.Right", "notebook.panel.panel.Panel", "notebook.pictures.svg.Svg",
        "notebook.starter.Code",  # a file that everybody may read
        "pushservice.chromium.protobuf.Message",  # a description, and no content
        "notebook.examination.Examined",  # test_examination
        "lab.program.Program",  # the name of a file
        "notebook.inspection.Inspected",  # test_inspection
        "testing.browsers.RealBrowser",  # its name alone
        "testing.service.ReceivingSubscription", "testing.service.RunningPushService",  # test_service
    }  # fmt: skip
    assert isinstance(bad("a", "b", "c", "d", "e"), Finding)
