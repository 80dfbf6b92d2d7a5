"""The page itself: its files, unchanged from disk."""

from datetime import datetime
from pathlib import Path
from typing import Any

from tornado.web import StaticFileHandler

from pushlab.appserver.web.handler import Handler

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
"""Python takes these types from the machine, and on some machines a script is text/plain. A browser
refuses to run such a script."""

PACKAGE = Path(__file__).resolve().parents[2]


def static_folder() -> Path:
    """Return the folder of the page: inside an installed package, at the top of a checkout."""
    installed = PACKAGE / "static"
    return installed if installed.is_dir() else PACKAGE.parent / "static"


class PageHandler(Handler, StaticFileHandler):
    """``GET /`` and ``GET /NAME``: a file, which browsers check with the server at each use."""

    def initialize(self, server: Any, path: Path) -> None:  # type: ignore[override]  # both bases'
        Handler.initialize(self, server)
        StaticFileHandler.initialize(self, str(path), default_filename="index.html")

    def get_content_type(self) -> str:
        return TYPES.get(Path(self.absolute_path or "").suffix, "application/octet-stream")

    def get_cache_time(self, path: str, modified: datetime | None, mime_type: str) -> int:
        return 0

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-cache")
