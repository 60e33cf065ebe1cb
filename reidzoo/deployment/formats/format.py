"""The base of the file formats of exported graphs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reidzoo.deployment.image_network import ImageNetwork
from reidzoo.errors import UserError

__all__ = ["Format", "Graph", "Session"]

Session = Callable[[np.ndarray], np.ndarray]
"""Runs a written file: the feed's (B, 3, H, W) -> float32 (B, D)."""


@dataclass(frozen=True)
class Graph:
    """A graph that is to be written.

    Attributes:
        network: the graph, in evaluation mode, on the CPU.
        example: a batch of two as the feed has them.
        precision: ``fp32``, ``fp16`` or ``int8``.
        calibration: batches as the feed has them, from which ``int8`` takes the ranges of the activations.
        metadata: name -> text, which goes into the file.
    """

    network: ImageNetwork
    example: np.ndarray
    precision: str = "fp32"
    calibration: Sequence[np.ndarray] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


class Format(ABC):
    """A format: writes a graph with any number of images in a batch, and runs what was written.

    Attributes:
        name: for ``--to``.
        suffix: what the file's, or the folder's, name ends in.
        precisions: those it can hold.
        runtime: what runs it here.
    """

    name: str
    suffix: str
    precisions: tuple[str, ...]
    runtime: str

    def check(self, precision: str) -> None:
        """Check, before any work, that the format has the precision and its packages are here.

        Raises:
            UserError: it has not, or they are not.
        """
        if precision not in self.precisions:
            raise UserError(
                f"precision {precision}: {self.name} files are written in {', '.join(self.precisions)}; take "
                f"onnx or openvino (--to) for others"
            )

    @abstractmethod
    def write(self, graph: Graph, path: Path) -> None:
        """Write the graph to ``path``, a new file or folder."""

    @abstractmethod
    def open(self, path: Path, threads: int) -> Session:
        """Return a session that runs the written file on the CPU with this many threads."""
