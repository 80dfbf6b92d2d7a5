"""What these tests share: a file for a database, who may read what lies beside it, and TLS."""

import ssl
import stat

import pytest
import trustme


def modes(path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.sqlite3"


@pytest.fixture
def tls():
    """Return the TLS contexts of a server and of its client."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client
