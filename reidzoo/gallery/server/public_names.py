"""The names by which a server's callers know a gallery's pictures."""

from __future__ import annotations

import os

from reidzoo.gallery.store import Store

__all__ = ["PublicNames"]


class PublicNames:
    """Names files by where they lie below the folder that holds them all, which nobody outside is told.

    Args:
        store: the gallery's, which does not change.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        folders = {os.path.dirname(entry.name) for entry in store.entries() if os.path.isabs(entry.name)}
        self._folder = os.path.join(os.path.commonpath(folders), "") if folders else ""

    def show(self, name: str) -> str:
        """Return what callers know a picture by."""
        return name.removeprefix(self._folder)

    def find(self, shown: str) -> str:
        """Return the gallery's name of a picture.

        Raises:
            LookupError: the gallery has none that is shown as this.
        """
        for name in (self._folder + shown, shown):
            if self.show(name) == shown and self._store.known([name]):
                return name
        raise LookupError("the gallery has no picture of this name")
