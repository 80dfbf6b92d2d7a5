"""A certificate of your own, with which the page is served by https.

Phones and everyday browsers keep push from a page of another machine that came by plain http. The
files are read once, before the server starts, so that what is wrong is said then, and not by a
browser later. Nothing is made here and nobody is asked to trust anything: who vouches for the
certificate is between you and the browsers.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pushlab.errors import BadCertificate


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key. ``names`` are the hosts that it speaks for."""

    context: ssl.SSLContext
    names: tuple[str, ...]

    @classmethod
    def load(
        cls, certfile: str | Path | None, keyfile: str | Path | None, now: datetime | None = None
    ) -> "Certificate | None":
        """Read two PEM files; None if neither is given. ``now`` is the clock's, unless given.

        Raises BadCertificate if one is missing, is no PEM, does not fit the other, or if the
        certificate has expired or is not valid yet. Source: RFC 5280 §4.1.2.5.

        >>> Certificate.load("lab.pem", None)
        Traceback (most recent call last):
        pushlab.errors.BadCertificate: there is a certificate and no private key (RFC 5280 §4.1). Fault: this machine. Give two PEM files: certfile has the certificate, then its issuers'; keyfile its private key.
        """
        if certfile is None and keyfile is None:
            return None
        if certfile is None or keyfile is None:
            halves = ["certificate", "private key"] if certfile else ["private key", "certificate"]
            raise BadCertificate("there is a {} and no {}".format(*halves))
        certificate = _certificate(_read(certfile), certfile)
        _check_key(_read(keyfile), keyfile, certificate)
        _check_time(certificate, now or datetime.now(UTC), certfile)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certfile, keyfile)
        except ssl.SSLError as reason:
            raise BadCertificate(f"TLS refuses {certfile}: {reason.reason}") from None
        return cls(context, _names(certificate))

    def name_for(self, host: str) -> str:
        """Return by which name browsers have to ask for the server that listens at ``host``.

        That is the host itself, if the certificate speaks for it. Source: RFC 9525 §6.3.

        >>> Certificate(ssl.create_default_context(), ("*.example.org",)).name_for("lab.example.org")
        'lab.example.org'
        >>> Certificate(ssl.create_default_context(), ("lab.example.org",)).name_for("192.0.2.7")
        'lab.example.org'
        """
        if self._speaks_for(host):
            return host
        return next((name for name in self.names if not name.startswith("*.")), host)

    def complaint(self, host: str) -> str:
        """Say what stands between browsers and the server that listens at ``host``; "" if nothing."""
        if self._speaks_for(host):
            return ""
        name = self.name_for(host)
        names = ", ".join(self.names) or "no host at all"
        said = f"The certificate is for {names}, not for {host}. "
        if name == host:
            return said + "Browsers will warn, or refuse the page."
        return said + f"Open the page as {name}, and let that name lead to this machine."

    def _speaks_for(self, host: str) -> bool:
        return any(_fits(name, host.lower()) for name in self.names)


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as reason:
        raise BadCertificate(f"{path} cannot be read: {reason.strerror}") from None


def _certificate(pem: bytes, path: str | Path) -> x509.Certificate:
    try:
        # The first of a chain is the server's own: RFC 8446 §4.4.2.
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
    # Browsers look at this extension alone, and no more at the subject's common name.
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
