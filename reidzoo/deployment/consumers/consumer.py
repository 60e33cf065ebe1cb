"""A program that takes exported models, and what is known of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

from reidzoo.deployment.feed import Feed
from reidzoo.deployment.resizing import Resize
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Consumer", "module_name"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def module_name(name: str, ending: str) -> str:
    """Return the name of a Python module for an export: letters, digits and _, no digit at the front."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"{'model_' if text[0].isdigit() else ''}{text}_{ending}"


class Consumer(ABC):
    """A program that embeds crops with a model of ours: what it feeds, and the files it looks for.

    Attributes:
        name: for ``--for``.
        read: the version whose code was read to learn what it feeds.
        formats: the formats that it takes, the usual one first.
    """

    name: str
    read: str
    formats: tuple[str, ...]

    @abstractmethod
    def feed(self, model: ReadyModel, size: tuple[int, int]) -> Feed:
        """Return what it feeds a model with images of ``size``."""

    @abstractmethod
    def resize(self, model: ReadyModel) -> Resize:
        """Return how it resizes a crop."""

    def companions(self, name: str, file: str, model: ReadyModel, feed: Feed) -> dict[str, str]:
        """Return file name -> text of what belongs beside the model.

        Args:
            name: the export's name.
            file: the name of the written file or folder.
            model: what was exported.
            feed: of the graph.
        """
        return {}

    @abstractmethod
    def usage(self, name: str, file: str) -> str:
        """Return how the file is used there, in a few lines."""

    def facts(self) -> dict[str, Any]:
        """Return what the file's metadata says of it."""
        return {"made_for": f"{self.name}, by its version {self.read}"}
