"""A certificate authority that issues one certificate, and whose private key is then deleted.

Two ports of the push service speak TLS, and each has an authority of its own:

- Chromium connects only over TLS, and its endpoints are https URLs at a host of its vendor. So the
  lab needs a certificate for that host, which only the lab's own programs trust: the browser gets
  ``spki``, the lab's sender ``ca_pem``.
- Senders that refuse plain http need a certificate for this machine. A person has them trust
  ``ca_pem``, which therefore must vouch for no other host.

An authority's private key is deleted as soon as it has signed, so it can never sign another
certificate. The push service keeps the certificate and its key in the database, so that whoever was
told to trust it still does after a kill and a restart.
"""

import base64
import hashlib
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TRUST = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that name a file of authorities, for Node, OpenSSL, requests and curl."""


@dataclass(frozen=True)
class Certificates:
    """What a server needs to speak TLS, and what its clients need to trust it.

    ``names`` are the host names and IP addresses; ``leaf_pem`` is the private key and the
    certificate, and ``context`` serves them; ``spki`` is the SHA-256 of its SubjectPublicKeyInfo (RFC
    5280 §4.1.2.7) in base64, as Chromium's ``--ignore-certificate-errors-spki-list`` takes it;
    ``ca_pem`` is the authority's own certificate.
    """

    names: tuple[str, ...]
    leaf_pem: bytes = field(repr=False)
    ca_pem: bytes = field(repr=False)
    context: ssl.SSLContext = field(repr=False)
    spki: str

    @classmethod
    def make(cls, names: Collection[str]) -> "Certificates":
        """Make an authority, and a certificate for these host names and IP addresses.

        >>> made = Certificates.make(["push.example.net", "127.0.0.1"])
        >>> len(base64.b64decode(made.spki)), made.ca_pem[:27]
        (32, b'-----BEGIN CERTIFICATE-----')
        """
        authority = trustme.CA(organization_name="pushlab")
        leaf = authority.issue_cert(*names).private_key_and_cert_chain_pem.bytes()
        return cls._serving(names, leaf, authority.cert_pem.bytes())

    @classmethod
    def _serving(cls, names: Collection[str], leaf: bytes, authority: bytes) -> "Certificates":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Python's ssl module reads keys only from files. This one has mode 0600, and is removed.
        with trustme.Blob(leaf).tempfile() as path:
            context.load_cert_chain(path)
        key = x509.load_pem_x509_certificate(leaf).public_key()
        info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        spki = base64.b64encode(hashlib.sha256(info).digest()).decode("ascii")
        return cls(tuple(names), leaf, authority, context, spki)

    def to_json(self) -> dict:
        """Return what ``from_json`` needs; it includes the private key."""
        pems = {"leaf": self.leaf_pem.decode("ascii"), "authority": self.ca_pem.decode("ascii")}
        return {"names": list(self.names)} | pems

    @classmethod
    def from_json(cls, kept: dict) -> "Certificates":
        """Make the certificates again that ``to_json`` has described.

        >>> made = Certificates.make(["127.0.0.1"])
        >>> Certificates.from_json(made.to_json()).spki == made.spki
        True
        """
        leaf, authority = kept["leaf"].encode("ascii"), kept["authority"].encode("ascii")
        return cls._serving(kept["names"], leaf, authority)
