"""Builds a stage's model, image tables and loader from its configuration."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from yacs.config import CfgNode

from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.datasets.nodes import listed
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.loader import TrainLoader
from reidzoo.engine.on_cpu import on_cpu
from reidzoo.engine.phases import step_phases
from reidzoo.engine.precision import float32_default
from reidzoo.engine.seed import seed_of
from reidzoo.errors import ConfigError
from reidzoo.models import convert_batch_norm, load_weights, split_batch_norm
from reidzoo.registry import BACKBONE, MODEL, TRAINER
from reidzoo.transforms import Compose
from reidzoo.weights.loading import CLASSIFIERS

__all__ = [
    "build_loader", "build_model", "build_table", "build_test_table", "build_train_sets", "build_transforms",
    "check_trainer_class", "device_kind", "final_interpolation", "final_size", "load_embedder", "pick_device",
    "without_pretrained",
]  # fmt: skip

TRAINS = ("train", "train_step", "check_phase", "relabel", "state_dict", "load_state_dict")
"""What the pipeline and the hooks call on a trainer; ``Trainer`` has it."""


def device_kind(name: str) -> str:
    """Return ``cuda``, ``cpu`` or ``mps`` for a DEVICE, before this process has one of its own; see ``pick_device``."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):  # torch lists what it was ever ported to
        raise ConfigError(
            f"DEVICE: {name!r} names no device; there are auto, cpu, cuda (or cuda:1, the second) and mps"
        ) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"DEVICE: {name}, but torch finds no CUDA device here; set DEVICE to auto or cpu")
    if device.type == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise ConfigError(f"DEVICE: {name}, but there are {torch.cuda.device_count()} CUDA devices, the first cuda:0")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"DEVICE: {name}, but torch finds no Apple GPU here; set DEVICE to auto or cpu")
    return str(device)


def pick_device(name: str) -> torch.device:
    """Return the device that ``DEVICE`` names: ``auto`` is CUDA where there is one, this process's own.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        ConfigError: it names no device, or one that is not here.
    """
    name = device_kind(name)
    if name == "cuda":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(name)


def build_train_sets(cfg: CfgNode) -> dict[str, TrainSet]:
    """Build the named training sets of ``DATASETS.TRAIN``; each is one dataset or a list of them."""
    return {
        name: TrainSet([build_dataset(node, root=cfg.DATASETS.ROOT) for node in listed(entry)])
        for name, entry in cfg.DATASETS.TRAIN.items()
    }


def check_trainer_class(cfg: CfgNode) -> None:
    """Check, before anything is built, that TRAINER names a trainer.

    Raises:
        ConfigError: nothing has that name, or what has it is not a subclass of ``Trainer``, or has no step.
    """
    if not isinstance(cfg.TRAINER.get("type"), str):
        raise ConfigError("TRAINER: expected an entry with a 'type', such as {type: BaselineTrainer}")
    cls = TRAINER.get(cfg.TRAINER["type"])
    lacking = [name for name in TRAINS if not callable(getattr(cls, name, None))]
    if lacking or not step_phases(cls):
        raise ConfigError(
            f"TRAINER: {cfg.TRAINER['type']} has no {', '.join(lacking) or 'step_<phase>'}; a TRAINER is a subclass of "
            f"reidzoo.trainers.Trainer with a method step_<phase> for each of its phases"
        )


def build_model(cfg: CfgNode, num_classes: int, initialise: bool = True) -> nn.Module:
    """Build ``MODEL`` and, with ``initialise``, load the weights it is to start from, strictly.

    The weights are loaded before batch norm is split by domain, since every domain starts from the same statistics.
    """
    node = {key: value for key, value in cfg.MODEL.items() if not key.isupper()}
    weights = cfg.MODEL.WEIGHTS or cfg.WEIGHTS.get("model", "") if initialise else ""
    backbone = dict(cfg.BACKBONE)
    if weights or not initialise:  # pretrained weights would be overwritten a moment later
        backbone = without_pretrained(backbone)
        node = {key: {**v, "pretrained": ""} if _has_pretrained(v) else v for key, v in node.items()}
    model = MODEL.build(node, backbone=backbone, head=cfg.HEAD, num_classes=num_classes)
    if weights:
        load_weights(model, weights, ignore=tuple(cfg.WEIGHTS_IGNORE))
    if cfg.MODEL.BN_DOMAINS > 1:
        split_batch_norm(model, cfg.MODEL.BN_DOMAINS)
    return convert_batch_norm(model, cfg.MODEL.BN_GROUP)


def load_embedder(
    cfg: CfgNode, weights: str | os.PathLike[str] | Mapping[str, Any], ignore: tuple[str, ...] = ()
) -> nn.Module:
    """Build the model of a stage's configuration without classifier, and load its weights strictly.

    Args:
        cfg: the stage's configuration.
        weights: a checkpoint, a model file, ``zoo://NAME``, or what such a file holds; its classifier is left out, and
            the model's ``training_only`` weights may be missing, where it says (by patterns) that embedding needs none
            of them.
        ignore: patterns of further names that may be missing or are left out.

    Raises:
        WeightsError: the weights cannot be had, or do not fit.
    """
    with float32_default(), on_cpu():
        model = build_model(cfg, num_classes=0, initialise=False)
    load_weights(model, weights, ignore=(*CLASSIFIERS, *getattr(model, "training_only", ()), *ignore))
    return model.to(memory_format=torch.channels_last) if cfg.SOLVER.CHANNELS_LAST else model


def without_pretrained(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Return a backbone's node with ``pretrained: ""``, if its class takes that argument: it need not."""
    taken = "pretrained" in backbone
    if not taken and isinstance(backbone.get("type"), str):
        taken = "pretrained" in inspect.signature(BACKBONE.get(backbone["type"])).parameters
    return {**backbone, "pretrained": ""} if taken else dict(backbone)


def _has_pretrained(value: object) -> bool:
    return isinstance(value, Mapping) and "pretrained" in value


def build_table(
    cfg: CfgNode,
    paths: list[str],
    cache: str | None = None,
    size: tuple[int, int] | None = None,
    interpolation: str = "",
) -> ImageTable:
    """Build the table of ``paths`` at the configured size and by the configured interpolation, or by others."""
    cache, interpolation = cache or cfg.DATALOADER.CACHE, interpolation or cfg.INPUT.INTERPOLATION
    return ImageTable(paths, size or cfg.INPUT.SIZE, interpolation, cache, pick_device(cfg.DEVICE))


def final_size(cfg: CfgNode) -> tuple[int, int]:
    """Return height and width of the images that the model is tested on: the size after the training transforms.

    That is INPUT.SIZE itself unless a transform, such as ``RandomCrop``, has another ``out_size``.
    """
    return build_transforms(cfg).out_size(cfg.INPUT.SIZE)


def build_transforms(cfg: CfgNode) -> Compose:
    """Build the training transforms, augmentation and normalisation."""
    return Compose(cfg.INPUT.TRANSFORMS, mean=cfg.INPUT.MEAN, std=cfg.INPUT.STD)


def build_test_table(cfg: CfgNode, paths: list[str]) -> ImageTable:
    """Build the table of ``paths`` at the size and by the interpolation that the model is tested with."""
    return build_table(cfg, paths, size=final_size(cfg), interpolation=final_interpolation(cfg))


def final_interpolation(cfg: CfgNode) -> str:
    """Return how test images are resized: INPUT.TEST_INTERPOLATION, or INPUT.INTERPOLATION where that is empty."""
    return cfg.INPUT.TEST_INTERPOLATION or cfg.INPUT.INTERPOLATION


def build_loader(cfg: CfgNode, sets: Mapping[str, TrainSet], device: torch.device) -> TrainLoader:
    """Build the loader of the training sets."""
    paths = [path for data in sets.values() for path in data.paths]
    paths += [path for data in sets.values() for path in data.style_paths]
    return TrainLoader(
        sets,
        cfg.SAMPLER,
        build_transforms(cfg),
        build_table(cfg, paths),
        batch_size=cfg.SOLVER.IMS_PER_BATCH,
        iters=cfg.SOLVER.ITERS_PER_EPOCH,
        seed=seed_of(cfg),
        views=cfg.INPUT.VIEWS,
        workers=cfg.DATALOADER.NUM_WORKERS,
        device=device,
    )
