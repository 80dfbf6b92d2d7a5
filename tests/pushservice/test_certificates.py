"""Certificates that only clients with the authority's certificate trust."""

import base64
import hashlib
import json
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pushlab.pushservice.certificates import Certificates
from pushlab.settings import patience

NAMES = ["push.example.net", "127.0.0.1"]


@pytest.fixture(scope="module")
def certificates():
    return Certificates.make(NAMES)


def shake_hands(certificates, client: ssl.SSLContext, name: str) -> bytes:
    """Return the certificate that a client receives. Raises the client's error if it refuses it."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with certificates.context.wrap_socket(theirs, server_side=True) as served:
                served.recv(1)
        except OSError:
            theirs.close()  # The client has refused, which is what its own test looks at.

    server = threading.Thread(target=serve)
    server.start()
    try:
        with ours, client.wrap_socket(ours, server_hostname=name) as shaken:
            return shaken.getpeercert(binary_form=True)
    finally:
        server.join(patience(10))


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_is_served(certificates, name):
    client = ssl.create_default_context(cadata=certificates.ca_pem.decode())
    certificate = x509.load_der_x509_certificate(shake_hands(certificates, client, name))
    key = certificate.public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert base64.b64encode(hashlib.sha256(info).digest()).decode() == certificates.spki


def test_a_client_that_does_not_trust_the_authority_refuses(certificates):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(certificates, ssl.create_default_context(), NAMES[0])


def test_another_name_is_refused(certificates):
    client = ssl.create_default_context(cadata=certificates.ca_pem.decode())
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(certificates, client, "other.example.net")


def test_every_one_is_another_and_none_shows_a_key(certificates):
    other = Certificates.make(NAMES)
    assert other.spki != certificates.spki and other.ca_pem != certificates.ca_pem
    assert b"PRIVATE" not in certificates.ca_pem and "BEGIN" not in repr(certificates)


def test_kept_and_made_again_they_are_the_same_and_show_no_key(certificates):
    kept = json.loads(json.dumps(certificates.to_json()))
    again = Certificates.from_json(kept)
    assert again.spki == certificates.spki and again.names == tuple(NAMES)
    client = ssl.create_default_context(cadata=certificates.ca_pem.decode())
    assert shake_hands(again, client, NAMES[0])
    assert kept["leaf"].count("PRIVATE KEY") == 2 and "KEY" not in kept["authority"] + repr(again)
