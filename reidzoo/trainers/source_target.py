"""The base of trainers on a labelled source and an unlabelled target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from yacs.config import CfgNode

from reidzoo.datasets import TrainSet
from reidzoo.errors import ConfigError
from reidzoo.trainers.trainer import Trainer

__all__ = ["SourceTargetTrainer"]


class SourceTargetTrainer(Trainer):
    """Checks that the sets are ``source`` and ``target``, or one of them where ``alone`` allows it; has no step.

    Attributes:
        alone: the sets that may be trained on without the other one.

    Raises:
        ConfigError: other training sets, another order, or what a subclass's ``check`` finds wrong.
    """

    alone: tuple[str, ...] = ()

    def __init__(self, cfg: CfgNode, sets: Mapping[str, TrainSet], output_dir: Path, device: torch.device) -> None:
        if list(sets) != ["source", "target"] and list(sets) not in [[name] for name in self.alone]:
            others = "".join(f", or {name} alone" for name in self.alone)
            raise ConfigError(
                f"DATASETS.TRAIN: {type(self).__name__} takes the sets source and target, in this order{others}; "
                f"there are {', '.join(sets)}"
            )
        self.check(cfg, sets)
        super().__init__(cfg, sets, output_dir, device)

    def check(self, cfg: CfgNode, sets: Mapping[str, TrainSet]) -> None:
        """Check, before anything is built, that the configuration suits the method; a subclass overrides this.

        Raises:
            ConfigError: it does not.
        """

    @property
    def num_classes(self) -> int:
        """The source's identities; what the target's are is not known."""
        return self.sets["source"].num_classes
