"""The page by https: a certificate that serves, and one for each way in which none does."""

import json
import ssl
import urllib.error
import urllib.request
import warnings
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.web.certificate import Certificate
from pushlab.cli.commands import main
from pushlab.errors import BadCertificate
from pushlab.lab.loop import BackgroundLoop
from pushlab.lab.runtime import LabRuntime
from pushlab.settings import patience


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def issue(authority, tmp_path_factory):
    """Return a function that makes a certificate for these hosts and gives its two files."""

    def make(*hosts: str, **facts):
        folder = tmp_path_factory.mktemp("certificate")
        made = authority.issue_cert(*hosts, **facts)
        chain, key = folder / "lab.pem", folder / "key.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(key)
        return chain, key

    return make


@pytest.fixture
def background():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


def fetch(url: str, authority) -> dict:
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(url, timeout=patience(60)) as answer:
        return json.load(answer)["data"]


def test_the_page_is_served_by_https_to_a_client_that_trusts_the_authority(background, authority, issue):
    files = issue("127.0.0.1")
    server = ApplicationServer(keys=VapidKeys.generate(), certificate=Certificate.load(*files))
    background.run(server.start())
    try:
        assert server.url == f"https://127.0.0.1:{server.port}/"
        assert fetch(server.url + "health", authority)["name"] == "pushlab"
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(server.url + "health", trustme.CA())
    finally:
        background.run(server.stop())


def test_by_https_a_message_is_declarative_as_well(run, serving, push_service, subscriber, issue):
    async def payload(**options) -> tuple[dict, str]:
        async with push_service() as service, serving(service.origin, **options) as server:
            someone = subscriber(service.endpoint("one"))
            server.subscribe(someone.subscription, "Safari")
            await server.notify_all("Hi", "you")
            sent = json.loads(someone.read(service.received[0].body))
            return sent, server.url

    sent, url = run(payload(certificate=Certificate.load(*issue("127.0.0.1"))))
    shown = {"title": "Hi", "navigate": url, "body": "you"}
    assert sent == {"web_push": 8030, "notification": shown, "mutable": True}
    # By http the lessons count its bytes.
    sent, _ = run(payload())
    assert sent == {"title": "Hi", "options": {"body": "you"}}


def test_without_a_certificate_it_is_http():
    assert Certificate.load(None, None) is None


def test_a_bad_certificate_is_an_error_before_anything_starts(issue, tmp_path):
    chain, key = issue("127.0.0.1")
    _, other = issue("127.0.0.1")
    old, old_key = issue("127.0.0.1", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    sealed = tmp_path / "sealed.pem"
    sealed.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a passphrase"),
        )
    )
    missing = tmp_path / "missing.pem"
    for certfile, keyfile, said in [
        (missing, key, "missing.pem cannot be read: No such file"),
        (chain, missing, "missing.pem cannot be read: No such file"),
        (chain, None, "a certificate is given, and no private key"),
        (None, key, "a private key is given, and no certificate"),
        (key, chain, "key.pem holds no certificate in PEM"),
        (chain, chain, "lab.pem holds no private key in PEM"),
        (chain, other, "does not belong to the certificate"),
        (chain, sealed, "has a passphrase"),
        (old, old_key, "expired on 2020-01-02"),
    ]:
        with pytest.raises(BadCertificate) as caught:
            Certificate.load(certfile, keyfile)
        assert said in str(caught.value)
        assert "BEGIN" not in str(caught.value)


def test_a_certificate_is_not_valid_before_its_time(issue):
    files = issue("127.0.0.1")
    with pytest.raises(BadCertificate, match="set this machine's clock"):
        Certificate.load(*files, now=datetime(1999, 1, 1, tzinfo=UTC))
    assert Certificate.load(*files, now=datetime.now(UTC) + timedelta(minutes=1))


@pytest.mark.parametrize(
    "names, host, fits",
    [
        (["lab.example.org"], "LAB.example.org", True),
        (["lab.example.org"], "example.org", False),
        (["*.example.org"], "lab.example.org", True),
        (["*.example.org"], "a.lab.example.org", False),
        (["*.example.org"], "example.org", False),
        (["10.77.0.1"], "10.77.0.1", True),
        (["10.77.0.1"], "10.77.0.2", False),
        (["::1"], "0::1", True),
    ],
)
def test_which_host_the_certificate_names(issue, names, host, fits):
    certificate = Certificate.load(*issue(*names))
    complaint = certificate.complaint(host)
    assert (complaint == "") == fits
    assert fits or f"for {names[0]}, not for {host}" in complaint
    # Browsers have to ask by a name that fits; a star is none.
    assert certificate.name_for(host) == (host if fits or "*" in names[0] else names[0])


def test_a_lab_serves_by_https_and_warns_of_another_name(issue, authority, tmp_path):
    options = {"port": 0, "push_port": 0, "data": tmp_path}
    with warnings.catch_warnings(), LabRuntime(**options, **named(issue("127.0.0.1"))) as lab:
        assert lab.page_url.startswith("https://127.0.0.1:")
        health = fetch(lab.page_url + "health", authority)
        assert health["push_service"].startswith("ws://")  # a browser's own vendor has another
    with pytest.warns(UserWarning, match="for lab.example.org, not for 127.0.0.1"):
        lab = LabRuntime(**options, **named(issue("lab.example.org")))
    lab.stop()
    assert lab.page_url == f"https://lab.example.org:{lab.application_server.port}/"


def named(files) -> dict:
    return dict(zip(("certfile", "keyfile"), files, strict=True))


def test_a_lab_with_a_bad_certificate_leaves_the_running_one_alone(issue, tmp_path):
    chain, _ = issue("127.0.0.1")
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        with pytest.raises(BadCertificate):
            LabRuntime(port=0, push_port=0, data=tmp_path, certfile=chain)
        assert lab.running


def test_the_command_says_what_is_wrong_and_ends(issue, tmp_path, capsys):
    chain, _ = issue("127.0.0.1")
    wanted = ["serve", "--port", "0", "--push-port", "0", "--data", str(tmp_path)]
    assert main([*wanted, "--certfile", str(chain)]) == 2
    assert "no private key" in capsys.readouterr().err
