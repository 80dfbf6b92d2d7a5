"""A real Chromium (or Chrome, or Edge): started, driven, ended."""

from pushlab.useragent.chromium.browser import Chromium, find

__all__ = ["Chromium", "find"]
