"""Builds the parts of stages that come later, so that no mistake in them stops a run half-way."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from yacs.config import CfgNode

from reidzoo.datasets.nodes import readable_now, train_nodes
from reidzoo.engine.build import build_train_sets, without_pretrained
from reidzoo.registry import TRAINER

__all__ = ["rehearse"]

logger = logging.getLogger("reidzoo")


def rehearse(stages: Mapping[str, CfgNode], folder: Path) -> None:
    """Build the trainer of each stage but the first, on the CPU and from random weights, and drop it.

    What is wrong with a stage's parts, losses, optimizers or phases is found out so before the first one trains. A
    stage that trains on labels which an earlier one makes is passed over: how many classes there are is not known yet.

    Args:
        stages: name -> configuration, in their order; the first is built at once anyway.
        folder: the run's folder; nothing is written to it.

    Raises:
        UserError: a trainer cannot be built; the error is what its own stage would have ended with.
    """
    disabled, logger.disabled = logger.disabled, True  # trainers say what they are when they are built to train
    try:
        for name, cfg in list(stages.items())[1:]:
            if all(readable_now(node) is node for node in train_nodes(cfg.DATASETS.TRAIN)):
                _build(_without_weights(cfg), folder / name)
    finally:
        logger.disabled = disabled


def _build(cfg: CfgNode, folder: Path) -> None:
    device = torch.device("cpu")
    trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=folder, device=device)
    for hook in trainer.hooks.values():
        for phase in hook.phases() if hasattr(hook, "phases") else ():
            trainer.check_phase(phase)


def _without_weights(cfg: CfgNode) -> CfgNode:
    """Return a copy that starts from random weights and keeps no images in memory."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = ""
    cfg.WEIGHTS.clear()
    cfg.BACKBONE = CfgNode(without_pretrained(cfg.BACKBONE))
    for node in cfg.MODEL.values():
        if isinstance(node, CfgNode) and "pretrained" in node:
            node.pretrained = ""
    cfg.DATALOADER.CACHE, cfg.DATALOADER.NUM_WORKERS, cfg.SOLVER.COMPILE = "off", 0, ""
    cfg.freeze()
    return cfg
