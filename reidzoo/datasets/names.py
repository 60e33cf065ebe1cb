"""Names of a dataset's identities and cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reidzoo.datasets.base import Dataset

__all__ = ["UNNAMED", "Names"]


@dataclass(frozen=True)
class Names:
    """Names for the numbers of identities and cameras.

    Attributes:
        people: pid -> name; a pid without one is called by its number.
        cameras: camid -> name, where the dataset reads cameras from its files; None where it numbers them itself.
    """

    people: Mapping[int, str] = field(default_factory=dict)
    cameras: Mapping[int, str] | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> Names:
        """Return the names that a dataset of your own images has, and none for a published one."""
        people, cameras = (getattr(dataset, key, None) for key in ("pid_of", "camid_of"))
        named = {pid: str(name) for name, pid in (people or {}).items()}
        return cls(named, None if cameras is None else {camid: str(name) for name, camid in cameras.items()})

    def person(self, pid: int) -> str:
        """Return what an identity is called."""
        return self.people.get(int(pid), str(pid))

    def camera(self, camid: int) -> str:
        """Return what a camera is called; published datasets number theirs from 1."""
        return str(camid + 1) if self.cameras is None else self.cameras.get(int(camid), "unknown")

    def brief_person(self, pid: int) -> str:
        """Return what an identity is called where there is little room: its name, or ``id`` and its number."""
        return self.people.get(int(pid), f"id {pid}")

    def brief_camera(self, camid: int) -> str:
        """Return what a camera is called where there is little room: its name, or ``c`` and its number."""
        return f"c{camid + 1}" if self.cameras is None else self.camera(camid)


UNNAMED = Names()
"""For images whose identities and cameras are numbers."""
