"""A certificate of your own, with which the page is served by https.

Phones and everyday browsers allow push only to a page that came by https or from the same machine.
The files are read once, before the server starts, so a fault in them is reported then, and not by a
browser later. No certificate is made here, and no browser's settings are changed: the browsers must
trust the issuer of your certificate already.
"""

import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pushlab.errors import BadCertificate
from pushlab.protocol.spelling.paths import cannot_be_read


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key.

    ``context``: a server's TLS context with both; ``names``: the hosts for which it is valid;
    ``der``: the certificate itself.
    """

    context: ssl.SSLContext
    names: tuple[str, ...]
    der: bytes = field(default=b"", repr=False)

    @classmethod
    def load(
        cls, certfile: str | Path | None, keyfile: str | Path | None, now: datetime | None = None
    ) -> "Certificate | None":
        """Read two PEM files; return None if neither is given. ``now``: by default the clock's time.

        Raises BadCertificate if a file is missing or is not PEM, if the two do not belong together,
        or if the certificate has expired or is not valid yet. Source: RFC 5280 §4.1.2.5.

        >>> Certificate.load("lab.pem", None)
        Traceback (most recent call last):
        pushlab.errors.BadCertificate: a certificate is given, and no private key (RFC 5280 §4.1). ...
        """
        if certfile is None and keyfile is None:
            return None
        if certfile is None or keyfile is None:
            halves = ["certificate", "private key"] if certfile else ["private key", "certificate"]
            raise BadCertificate("a {} is given, and no {}".format(*halves))
        certificate = _certificate(_read(certfile), certfile)
        _check_key(_read(keyfile), keyfile, certificate)
        _check_time(certificate, now or datetime.now(UTC), certfile)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certfile, keyfile)
        except ssl.SSLError as reason:
            raise BadCertificate(f"TLS refuses {certfile}: {reason.reason}") from None
        return cls(context, _names(certificate), certificate.public_bytes(serialization.Encoding.DER))

    def name_for(self, host: str) -> str:
        """Return the name in the URL of the server that listens at ``host``.

        It is the host itself if the certificate is valid for it. Source: RFC 9525 §6.3.

        >>> Certificate(ssl.create_default_context(), ("*.example.org",)).name_for("lab.example.org")
        'lab.example.org'
        >>> Certificate(ssl.create_default_context(), ("lab.example.org",)).name_for("192.0.2.7")
        'lab.example.org'
        """
        if self._covers(host):
            return host
        return next((name for name in self.names if not name.startswith("*.")), host)

    def complaint(self, host: str) -> str:
        """Return why browsers would refuse the server that listens at ``host``; "" if they would not."""
        if self._covers(host):
            return ""
        name = self.name_for(host)
        names = ", ".join(self.names) or "no host at all"
        said = f"The certificate is for {names}, not for {host}. "
        if name == host:
            return said + "Browsers will warn, or refuse the page."
        return said + f"Open the page as {name}, and let that name lead to this machine."

    def _covers(self, host: str) -> bool:
        return covers(self.names, host)


def facts(der: bytes) -> tuple[tuple[str, ...], datetime]:
    """Return the names of a certificate in DER, and its end."""
    seen = x509.load_der_x509_certificate(der)
    return _names(seen), seen.not_valid_after_utc


def covers(names: Collection[str], host: str) -> bool:
    """Say whether a certificate with these names is valid for a host. Source: RFC 9525 §6.3.

    >>> covers(["*.example.org"], "Lab.example.org"), covers(["192.0.2.7"], "192.0.2.8")
    (True, False)
    """
    return any(_fits(name, host.lower()) for name in names)


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as reason:
        raise BadCertificate(cannot_be_read(path, reason)) from None
    except (TypeError, ValueError):  # ValueError: a NUL character
        raise BadCertificate(f"{path!r} names no file") from None


def _certificate(pem: bytes, path: str | Path) -> x509.Certificate:
    try:
        # The first certificate of a chain is the server's own: RFC 8446 §4.4.2.
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise BadCertificate(f"{path} holds no certificate in PEM") from None


def _check_key(pem: bytes, path: str | Path, certificate: x509.Certificate) -> None:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise BadCertificate(f"the private key in {path} has a passphrase") from None
    except ValueError:
        raise BadCertificate(f"{path} holds no private key in PEM") from None
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise BadCertificate(f"the private key in {path} does not belong to the certificate")


def _check_time(certificate: x509.Certificate, now: datetime, path: str | Path) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise BadCertificate(f"the certificate in {path} expired on {end:%Y-%m-%d}: renew it")
    if now < begin:
        since = f"valid from {begin:%Y-%m-%d} on"
        raise BadCertificate(f"the certificate in {path} is {since}; set this machine's clock")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    # Browsers read only this extension, and no longer the subject's common name.
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    hosts = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return (*(host.lower() for host in hosts), *map(str, addresses))


def _fits(name: str, host: str) -> bool:
    try:
        return ip_address(name) == ip_address(host)
    except ValueError:
        first, _, rest = host.partition(".")
        return name == host or (name == f"*.{rest}" and bool(first))
