"""A certificate authority that lives as long as the push service does, and one certificate of it.

Chromium speaks to its push service over TLS alone, and its endpoints are https URLs at a host of
its vendor's. So the lab needs certificates that nobody else would believe. Both private keys end
with the process: there is nothing to install, to steal or to forget about. Whoever shall believe
them is told so: the browser by ``spki``, the sender by ``ca_pem``.
"""

import base64
import hashlib
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True)
class Certificates:
    """What it takes to serve TLS, and to be believed.

    ``context`` serves the certificate; ``spki`` is the SHA-256 of its SubjectPublicKeyInfo (RFC
    5280 §4.1.2.7) in base64, as Chromium's ``--ignore-certificate-errors-spki-list`` takes it;
    ``ca_pem`` is the authority's own certificate.
    """

    context: ssl.SSLContext = field(repr=False)
    spki: str
    ca_pem: bytes = field(repr=False)

    @classmethod
    def make(cls, names: Collection[str]) -> "Certificates":
        """Make an authority, and a certificate for these host names and IP addresses.

        >>> made = Certificates.make(["push.example.net", "127.0.0.1"])
        >>> len(base64.b64decode(made.spki)), made.ca_pem[:27]
        (32, b'-----BEGIN CERTIFICATE-----')
        """
        authority = trustme.CA(organization_name="pushlab")
        leaf = authority.issue_cert(*names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        key = certificate.public_key()
        info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        spki = base64.b64encode(hashlib.sha256(info).digest()).decode("ascii")
        return cls(context, spki, authority.cert_pem.bytes())
