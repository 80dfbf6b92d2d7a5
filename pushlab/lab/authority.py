"""The authority that senders by https have to trust, as a file, and how each language is told.

The push service's certificate is of an authority that nobody else knows. Its own certificate is no
secret, and is written into the data folder. Its private key no longer exists.
"""

import os
import shlex
from contextlib import suppress
from pathlib import Path

NAME = "push-service-ca.pem"


def write(folder: Path, pem: bytes) -> Path:
    """Write the authority's certificate into a data folder, and return its path. Raises OSError."""
    path = folder / NAME
    with suppress(FileNotFoundError):
        if path.read_bytes() == pem:
            return path
    path.write_bytes(pem)
    return path


def how_to_trust(path: Path, system: str = os.name) -> list[tuple[str, str]]:
    """Return, for each language, the line with which a program in it trusts the authority.

    Node adds it to the public authorities; for the others it is the only one from then on.

    >>> for language, line in how_to_trust(Path("/lab/ca.pem"), "posix")[:2]:
    ...     print(f"{language}: {line}")
    Node: export NODE_EXTRA_CA_CERTS=/lab/ca.pem
    Python: export SSL_CERT_FILE=/lab/ca.pem REQUESTS_CA_BUNDLE=/lab/ca.pem
    """
    file, store = (_quoted(str(one), system) for one in (path, path.with_suffix(".p12")))
    store_of_java = f"-keystore {store} -storepass pushlab"
    trust_store = "-Djavax.net.ssl.trustStore"
    return [
        ("Node", _set(system, path, "NODE_EXTRA_CA_CERTS")),
        ("Python", _set(system, path, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")),
        ("Go, Ruby", _set(system, path, "SSL_CERT_FILE")),
        ("curl", _set(system, path, "CURL_CA_BUNDLE")),
        ("PHP", f"php -d openssl.cafile={file} -d curl.cainfo={file} YOUR_SENDER.php"),
        ("Java", f"keytool -importcert -noprompt -alias pushlab -file {file} {store_of_java}"),
        ("", f"java {trust_store}={store} {trust_store}Password=pushlab YourSender"),
    ]


def instructions(path: Path) -> str:
    """Return those lines as a table for a terminal."""
    return "\n".join(f"  {language:<10}{line}" for language, line in how_to_trust(path))


def _set(system: str, path: Path, *names: str) -> str:
    if system == "nt":  # As in cmd.exe; PowerShell writes $env:NAME = "value".
        return " & ".join(f'set "{name}={path}"' for name in names)
    return " ".join(["export", *(f"{name}={_quoted(str(path), system)}" for name in names)])


def _quoted(path: str, system: str) -> str:
    return f'"{path}"' if system == "nt" else shlex.quote(path)
