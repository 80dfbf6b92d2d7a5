"""Origins: scheme, host and port of a URL, in the one form in which they are compared.

An endpoint's origin is the ``aud`` of a token (RFC 8292 §2), and a page's is what a permission belongs
to. Both are compared as text, so the port that a scheme has anyway is left out. Source: RFC 6454 §4,
§6.2.
"""

from ipaddress import IPv6Address
from urllib.parse import urlsplit

DEFAULT_PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}


def serialize(scheme: str, host: str, port: int | None = None) -> str:
    """Return the origin of these three. ``port``: None is the scheme's own.

    Raises ValueError if a host with colons is no IPv6 address.

    >>> serialize("http", "127.0.0.1", 8030), serialize("http", "127.0.0.1", 80)
    ('http://127.0.0.1:8030', 'http://127.0.0.1')
    >>> serialize("https", "0::1", 443)
    'https://[::1]'
    """
    if ":" in host:
        host = f"[{IPv6Address(host).compressed}]"
    if port in (None, DEFAULT_PORTS[scheme]):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


def without_port(origin: str) -> str:
    """Return an origin without its port, as many libraries write it into ``aud``.

    >>> without_port("https://[::1]:8446"), without_port("https://push.example.net")
    ('https://[::1]', 'https://push.example.net')
    """
    parts = urlsplit(origin)
    return serialize(parts.scheme, parts.hostname or "")


def origin_of(url: str) -> str:
    """Return the origin of a URL. Raises ValueError if it has no host, or a scheme without a port.

    >>> origin_of("HTTPS://Push.example.net:443/wpush/secret"), origin_of("http://[0::1]:8030/")
    ('https://push.example.net', 'http://[::1]:8030')
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("this URL names no host")
    return serialize(parts.scheme, parts.hostname, parts.port)
