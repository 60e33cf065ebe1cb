"""Galleries: embedded images that are kept on disk and searched with further images."""

from __future__ import annotations

from reidzoo.gallery.gallery import Gallery
from reidzoo.gallery.records import Added, Entry, Match, ModelRecord

__all__ = ["Added", "Entry", "Gallery", "Match", "ModelRecord"]
