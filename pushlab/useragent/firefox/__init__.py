"""A real Firefox: started, driven, ended."""

from pushlab.useragent.firefox.browser import Firefox, find

__all__ = ["Firefox", "find"]
