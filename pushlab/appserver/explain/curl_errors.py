"""Why no response came: libcurl's error codes in words.

A fault that may pass is tried again. A wrong certificate or URL does not pass.
"""

from pushlab.appserver.explain.vendors import (
    MACHINE,
    NETWORK,
    PUSH_SERVICE,
    USER_AGENT,
    Explanation,
)

# A table, with several values in a line.
# fmt: off
CURL_ERRORS: dict[int, Explanation] = {
    # An endpoint is http(s) by the time it gets here, so 1 means an answer without a status line.
    1: Explanation("retry", "The server that answered does not speak HTTP",
        PUSH_SERVICE, "RFC 9112 §4", "Check that the endpoint belongs to a push service"),
    2: Explanation("retry", "This machine opens no more connections",
        MACHINE, "", "Close programs that have many files open, or raise the limit (ulimit -n)"),
    3: Explanation("failed", "The endpoint is not a URL",
        USER_AGENT, "RFC 8030 §4", "Let the page subscribe again"),
    6: Explanation("retry", "The push service's name cannot be resolved",
        NETWORK, "", "Check this machine's internet connection; the lab's own push service needs none"),
    7: Explanation("retry", "No server listens on the push service's address",
        NETWORK, "", "Check that the push service runs, and that no firewall blocks the way to it"),
    8: Explanation("retry", "The server that answered does not speak HTTP",
        PUSH_SERVICE, "RFC 9112 §4", "Check that the endpoint belongs to a push service"),
    16: Explanation("retry", "The HTTP/2 connection broke",
        NETWORK, "RFC 9113 §5.4", "Send again"),
    28: Explanation("retry", "The push service did not answer in time",
        NETWORK, "", "Send again; if it took the message after all, the user sees it twice"),
    35: Explanation("retry", "TLS could not be set up",
        NETWORK, "RFC 8446 §6", "Check whether a proxy or a firewall is in between"),
    42: Explanation("failed", "The endpoint leads to an address that is not public",
        USER_AGENT, "RFC 8030 §8",
        "Send to push services on the internet; allow a test endpoint of your own: "
        "allow_endpoints=… or --allow-endpoint"),
    52: Explanation("retry", "The push service closed the connection without an answer",
        PUSH_SERVICE, "", "Send again"),
    55: Explanation("retry", "The connection broke while sending",
        NETWORK, "", "Send again"),
    56: Explanation("retry", "The connection broke before the answer",
        NETWORK, "", "Send again"),
    60: Explanation("failed", "The push service's certificate cannot be trusted",
        NETWORK, "RFC 9110 §4.3.4",
        "Check this machine's clock, whether a proxy is in between, and whether SSL_CERT_FILE names "
        "the right authorities"),
    77: Explanation("failed", "The file of trusted authorities cannot be read",
        MACHINE, "", "Check SSL_CERT_FILE"),
    92: Explanation("retry", "The HTTP/2 stream broke",
        NETWORK, "RFC 9113 §5.4", "Send again"),
}
OTHER_ERROR = Explanation("retry", "No answer came from the push service",
        NETWORK, "", "Send again later")
# fmt: on
