"""The page and the JSON API that search a gallery from a browser."""

from __future__ import annotations

from reidzoo.gallery.server.app import LOOPBACK, create_app
from reidzoo.gallery.server.limits import Limits

__all__ = ["LOOPBACK", "Limits", "create_app"]
