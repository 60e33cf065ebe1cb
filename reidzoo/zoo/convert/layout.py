"""The result of inspecting a foreign checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from reidzoo.zoo.convert.dropped import Dropped

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """The model that a foreign checkpoint holds: the mapping of its names, and the nodes that build it.

    Attributes:
        names: name in the file -> name in the model, or ``Dropped``. A name of the file that is not here is unknown.
        backbone, head: nodes of the configuration.
        added: name in the model -> tensor, for what the original has as a constant.
        inputs: keys of INPUT that the file itself knows, e.g. MEAN.
        notes: remarks on the conversion for the user, in sentences.
    """

    names: Mapping[str, str | Dropped]
    backbone: Mapping[str, Any]
    head: Mapping[str, Any]
    added: Mapping[str, Tensor] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
