"""WebDriver BiDi: how Firefox is driven (https://w3c.github.io/webdriver-bidi/).

    → {"id": 1, "method": "session.new", "params": {"capabilities": {}}}
    ← {"type": "success", "id": 1, "result": {"sessionId": …}}
    ← {"type": "error", "id": 2, "error": "no such node", "message": …}
    ← {"type": "event", "method": "browsingContext.load", "params": {…}}
"""

from pushlab.useragent.remote import Remote


class Bidi(Remote):
    """One connection to a browser. Make it with ``await Bidi.connect(url)``."""

    def _words(self, message: dict) -> str:
        return f"{message['error']}: {message['message']}"
