import ssl

import pytest
import trustme


@pytest.fixture
def tls():
    """Return the TLS contexts of a server and of its client."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client
