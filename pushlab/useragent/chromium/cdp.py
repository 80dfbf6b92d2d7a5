"""The Chrome DevTools Protocol: how Chromium is driven (https://chromedevtools.github.io/).

    → {"id": 1, "method": "Target.attachToTarget", "params": {"targetId": …, "flatten": true}}
    ← {"id": 1, "result": {"sessionId": "5F3A…"}}
    → {"id": 2, "method": "Page.navigate", "params": {"url": …}, "sessionId": "5F3A…"}
    ← {"id": 2, "error": {"code": -32602, "message": "Invalid parameters"}, "sessionId": "5F3A…"}
    ← {"method": "Runtime.consoleAPICalled", "params": {…}, "sessionId": "5F3A…"}

What a command is about is told beside it: the browser as a whole, or with ``sessionId`` one tab.
"""

from pushlab.useragent.remote import Remote


class Cdp(Remote):
    """One connection to a browser. Make it with ``await Cdp.connect(url)``."""

    def _words(self, message: dict) -> str:
        error = message["error"]
        return ": ".join(error[part] for part in ("message", "data") if error.get(part))
