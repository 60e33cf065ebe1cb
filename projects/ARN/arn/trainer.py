"""ARN's training step: a labelled source, an unlabelled target, one network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from yacs.config import CfgNode

from reidzoo.datasets import TrainSet
from reidzoo.distributed import gather
from reidzoo.errors import ConfigError
from reidzoo.losses import ContrastiveLoss
from reidzoo.registry import TRAINER
from reidzoo.trainers import SourceTargetTrainer

__all__ = ["ARNTrainer"]


@TRAINER.register_module()
class ARNTrainer(SourceTargetTrainer):
    """Minimises Eq. 5 of ARN (Li et al., CVPRW 2018) over a ``SharedPrivateNetwork``; its weights are the losses'.

    Beside the losses ``metrics.jsonl`` has ``active``, the share of the pairs of two identities that lie within the
    margin of Eq. 2, over the batch of all processes, if there is a ``ContrastiveLoss``.

    The training sets are ``source`` and ``target``, forwarded together, source first. Losses find each output twice, as
    ``source_feat`` and ``target_feat`` and so on, and the source's ``pid``.

    Raises:
        ConfigError: other training sets, a batch norm per domain, which the private encoders cannot have, or a batch in
            chunks.
    """

    def check(self, cfg: CfgNode, sets: Mapping[str, TrainSet]) -> None:
        """Check that batch norm has no domains, and that the two domains are forwarded together."""
        if cfg.SOLVER.CHUNK:
            raise ConfigError("SOLVER.CHUNK: ARN's private encoders see both domains in one forward pass; set it to 0")
        if cfg.MODEL.BN_DOMAINS > 1:
            raise ConfigError(
                "MODEL.BN_DOMAINS: ARN's private encoders see one domain each; for statistics of each domain set "
                "MODEL.BN_GROUP to the images that a process has of one"
            )

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise Eq. 5."""
        outputs = self.forward(torch.cat([batch[domain]["img"] for domain in self.sets]))
        tensors = dict(batch["source"])
        for name, value in outputs.items():
            tensors[f"source_{name}"], tensors[f"target_{name}"] = value.chunk(2)
        scalars = self.minimize("model", tensors=tensors)
        for loss in self.losses["model"].modules():
            if isinstance(loss, ContrastiveLoss):
                feat, pid = gather(tensors["source_feat"].detach().float()), gather(tensors["pid"])
                scalars["active"] = loss.active(feat, pid)
        return scalars
