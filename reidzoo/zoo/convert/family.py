"""The description of a toolkit, or a paper's code, whose checkpoints are converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from reidzoo.zoo.convert.layout import Layout

__all__ = ["Family"]


@dataclass(frozen=True)
class Family:
    """Describes the checkpoints of one origin: their layout, preprocessing and options.

    Attributes:
        name: its name for ``--from`` and in an index.
        title: its description in one line.
        repository: where the original code is.
        licence: of that code.
        layout: ``(state, options) -> Layout``; ``options`` has those that were given, of those below, and ``size``, the
            one that was given or the family's.
        size: (height, width) of the test images in the original code; None where its recipes differ, and the user has
            to say.
        sizes: which sizes those recipes have, in words.
        interpolation: of the original code's resize.
        test: keys of TEST.
        options: option -> its values; the first is the default.
        open: for checkpoints that may be folders: ``path -> (file of weights, options, keys of INPUT)`` that it states.
    """

    name: str
    title: str
    repository: str
    licence: str
    layout: Callable[[Mapping[str, Tensor], Mapping[str, str]], Layout]
    size: tuple[int, int] | None
    sizes: str = ""
    interpolation: str = "bicubic"
    test: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    open: Callable[[Path], tuple[Path, dict[str, str], dict[str, Any]]] | None = None
