"""ECN's training step: a labelled source, an unlabelled target, a memory of the target's images."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.checks import PROBABILITY, check
from reidzoo.datasets import TrainSet
from reidzoo.distributed import gather, is_main
from reidzoo.engine.host_copy import HostCopy
from reidzoo.errors import ConfigError
from reidzoo.registry import MEMORY, TRAINER
from reidzoo.trainers import SourceTargetTrainer

__all__ = ["ECNTrainer"]

logger = logging.getLogger("reidzoo")


@TRAINER.register_module()
class ECNTrainer(SourceTargetTrainer):
    """Minimises ``(1 - lambda) L_src + lambda L_tgt`` (Zhong et al., CVPR 2019, Eq. 9), with the head ``TwoPathHead``.

    The training sets are ``source`` and ``target``, forwarded one after the other, so that batch norm sees either
    domain alone and keeps running statistics of both. Losses of phase ``source`` take the source's outputs, those of
    phase ``target`` the memory's ``scores``, ``columns`` and ``weights``. The memory is the entry ``exemplar`` of
    MEMORIES. Without a set ``target``, what is left is the paper's baseline: L_src alone.

    Args:
        target_weight: lambda.

    Attributes:
        anchors, nearest: the target's images that the last step compared, int64 (B,), and those that N chose for each,
            (B, k), as rows of the target; k is 0 without N.

    Raises:
        ConfigError: lambda is not in [0, 1]; the sets, the losses, the head and the memory do not go together.
    """

    alone = ("source",)
    loss_phases = ("source", "target")

    def __init__(
        self,
        cfg: CfgNode,
        sets: Mapping[str, TrainSet],
        output_dir: Path,
        device: torch.device,
        target_weight: float = 0.3,
    ) -> None:
        check(self, PROBABILITY, target_weight=target_weight)
        self.target_weight = target_weight if "target" in sets else 0.0
        super().__init__(cfg, sets, output_dir, device)
        if is_main():
            self._log_invariances()

    def build_parts(self) -> nn.ModuleDict:
        """Build the parts and check that the memory holds what the head gives."""
        parts = super().build_parts()
        head = parts["model"].head
        if not hasattr(head, "exemplar_dim"):
            raise ConfigError(f"HEAD: ECNTrainer needs a head with an output 'exemplar', not {type(head).__name__}")
        keys = getattr(parts["exemplar"], "keys", None) if "exemplar" in parts else None
        if isinstance(keys, Tensor) and keys.shape[1] != head.exemplar_dim:
            raise ConfigError(
                f"MEMORIES.exemplar.dim is {keys.shape[1]}, and HEAD gives {head.exemplar_dim} features; "
                f"they must be equal (without dim it is HEAD.features)"
            )
        return parts

    def build_memory(self, node: Mapping[str, Any], dim: int) -> nn.Module:
        """Build a memory of the target's images, of the head's ``features`` unless it says another ``dim``."""
        dim = node.get("dim", self.cfg.HEAD.get("features", 4096))
        return MEMORY.build(node, dim=dim, size=len(self.sets["target"]))

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise Eq. 9 over the model, then write the target's features into the memory (Eq. 2)."""
        domains = batch if "target" in self.sets else {"source": batch}
        if "target" in domains:
            written = HostCopy(gather(domains["target"]["index"]))  # on its way while the device computes
        source = self.forward(domains["source"]["img"])
        losses = self.losses["source"]({**domains["source"], **source})
        total = (1 - self.target_weight) * sum(losses.values())
        if "target" in domains:
            feat, index = self.forward(domains["target"]["img"])["exemplar"], domains["target"]["index"]
            target_losses = self.losses["target"](self.compare(feat, index))
            total = total + self.target_weight * sum(target_losses.values())
            losses = {**losses, **target_losses}
        self.optims["model"].minimize(total)
        if "target" in domains:
            self.remember(feat.detach(), written.get())
        return {name: loss.detach() for name, loss in losses.items()}

    @property
    def memory(self) -> Any:
        """The part ``exemplar``: any MEMORY with what is used here of an ``ExemplarMemory``."""
        return self.parts["exemplar"]

    def compare(self, feat: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Return the scores of this process's share of the target batch and its soft labels (Eq. 3 and 6)."""
        scores = self.memory(feat, index)
        columns, weights = self.memory.targets(scores, index, self.epoch)
        self.anchors, self.nearest = index, columns[:, :-1]
        return {"scores": scores, "columns": columns, "weights": weights}

    def remember(self, feat: Tensor, index: Tensor) -> None:
        """Write the whole batch's features into the memory, on every process the same.

        Args:
            feat: (B / processes, D) of this process's share.
            index: (B,) images of the whole batch, on the CPU.
        """
        self.memory.update(gather(feat), index, self.epoch)

    def invariances(self) -> str:
        """Return which of the invariances are trained, as Table 2 writes them: E+C+N."""
        camera = self.sets["target"].styles is not None
        switches = (("E", self.memory.exemplar), ("C", camera), ("N", self.memory.neighbours > 0))
        return "+".join(name for name, on in switches if on)

    def _log_invariances(self) -> None:
        if "target" not in self.sets:
            logger.info("ECN's baseline: the source's loss alone, on %s", self.sets["source"].datasets[0].name)
            return
        styles, dataset = self.sets["target"].styles, self.sets["target"].datasets[0]
        if styles is not None:
            logger.info("ECN: invariances %s; camera styles: %s", self.invariances(), styles.title)
            if missing := getattr(styles, "missing", 0):
                logger.warning("%d style images are missing; the others are drawn more often", missing)
            return
        reason = getattr(dataset, "no_styles_because", "the target is not a CamStyled dataset")
        logger.log(
            logging.INFO if getattr(dataset, "kind", "") == "none" else logging.WARNING,
            "ECN: invariances %s, without camera-invariance (C): %s",
            self.invariances(),
            reason,
        )

    def check(self, cfg: CfgNode, sets: Mapping[str, TrainSet]) -> None:
        """Check that losses and memory are those of the sets."""
        phases = {node.get("phase", "model") for node in cfg.LOSSES.values()}
        needed = set(sets)
        if phases != needed:
            raise ConfigError(
                f"LOSSES: ECNTrainer needs losses of phase {' and '.join(sorted(needed))} for its training sets, and "
                f"there are losses of phase {', '.join(sorted(phases)) or 'none'}"
            )
        if ("exemplar" in cfg.MEMORIES) != ("target" in sets):
            has = "has none" if "target" in sets else "has one"
            raise ConfigError(f"MEMORIES: a set 'target' and a memory 'exemplar' go together; the configuration {has}")
        finds = any(node.get("type") == "NeighbourHook" for node in cfg.HOOKS.values())
        if cfg.MEMORIES.get("exemplar", {}).get("neighbours_by") == "tested" and not finds:
            raise ConfigError(
                "MEMORIES.exemplar: neighbours_by: tested needs somebody to find them; add HOOKS.neighbours {type: "
                "NeighbourHook}"
            )
