"""The page itself: files by name, as they are on disk."""

from pathlib import Path

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
"""Said here because Python asks the machine, and some machines say text/plain for a script, which a
browser then refuses to run."""

PACKAGE = Path(__file__).resolve().parents[2]


def static_folder() -> Path:
    """Return the folder of the page: inside an installed package, at the top of a checkout."""
    installed = PACKAGE / "static"
    return installed if installed.is_dir() else PACKAGE.parent / "static"


class PageHandler(Handler, StaticFileHandler):
    """``GET /`` and ``GET /NAME``: a file, checked with the server each time it is used."""

    def initialize(self, server, path: Path) -> None:
        Handler.initialize(self, server)
        StaticFileHandler.initialize(self, str(path), default_filename="index.html")

    def get_content_type(self) -> str:
        return TYPES.get(Path(self.absolute_path).suffix, "application/octet-stream")

    def get_cache_time(self, path: str, modified, mime_type: str) -> int:
        return 0

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-cache")
