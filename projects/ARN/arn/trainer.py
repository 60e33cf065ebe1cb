"""ARN's training step: a labelled source, an unlabelled target, one network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from yacs.config import CfgNode

from reidzoo.datasets import TrainSet
from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.trainers import Trainer

__all__ = ["ARNTrainer"]


@TRAINER.register_module()
class ARNTrainer(Trainer):
    """Minimises Eq. 5 of ARN (Li et al., CVPRW 2018) over a `SharedPrivateNetwork`; its weights are the losses'.

    The training sets are ``source`` and ``target``, forwarded together, source first. Losses find each output twice, as
    ``source_feat`` and ``target_feat`` and so on, and the source's ``pid``.

    Raises:
        ConfigError: other training sets, or a batch norm per domain, which the private encoders cannot have.
    """

    def __init__(self, cfg: CfgNode, sets: Mapping[str, TrainSet], output_dir: Path, device: torch.device) -> None:
        if list(sets) != ["source", "target"]:
            raise ConfigError(
                f"DATASETS.TRAIN: ARNTrainer takes the sets source and target, in this order; got {list(sets)}"
            )
        if cfg.MODEL.BN_DOMAINS > 1:
            raise ConfigError(
                "MODEL.BN_DOMAINS: ARN's private encoders see one domain each; for statistics of each domain set "
                "MODEL.BN_GROUP to the images that a process has of one"
            )
        super().__init__(cfg, sets, output_dir, device)

    @property
    def num_classes(self) -> int:
        """The source's identities; what the target's are is not known."""
        return self.sets["source"].num_classes

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise Eq. 5."""
        outputs = self.forward(torch.cat([batch[domain]["img"] for domain in self.sets]))
        tensors = dict(batch["source"])
        for name, value in outputs.items():
            tensors[f"source_{name}"], tensors[f"target_{name}"] = value.chunk(2)
        losses = self.losses["model"](tensors)
        self.optims["model"].minimize(sum(losses.values()))
        return {name: loss.detach() for name, loss in losses.items()}
