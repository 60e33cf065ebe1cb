"""Mutual mean-teaching: two networks, each taught by the mean over time of the other."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from mmt.mean_embedding import MeanEmbedding
from reidzoo.checks import PROBABILITY, check
from reidzoo.datasets import TrainSet
from reidzoo.engine.build import build_model
from reidzoo.errors import ConfigError
from reidzoo.hooks.ema import move_parameters
from reidzoo.registry import TRAINER
from reidzoo.trainers import Trainer

__all__ = ["MutualMeanTrainer"]

TEACHERS = {"student": "model", "student2": "model2"}
"""Each student's own mean teacher."""


@TRAINER.register_module()
class MutualMeanTrainer(Trainer):
    """Trains two networks with each other's mean teachers: MMT (Ge et al., ICLR 2020, section 3.2).

    The parts ``student`` and ``student2`` are trained, each on a view of its own of the same images (``INPUT.VIEWS:
    2``); the parts ``model`` and ``model2`` are their exponential moving averages, the mean teachers. Losses find a
    student's outputs and, as ``teacher_logits`` and ``teacher_feat``, those of the *other* student's mean teacher on
    its view; both students have the losses of phase ``model`` and the optimizer ``model``, whose ``params`` are
    [student, student2]. The part ``model`` is what is tested and kept.

    Pseudo labels come from the mean of both teachers' embeddings; with ``classifier: means`` of ``PseudoLabelHook`` the
    clusters' normalised means become all four classifiers.

    WEIGHTS names what the networks start from, ``model`` and ``model2``: two trainings from different random numbers.

    The average is of parameters only. Batch norm statistics are the teachers' own, which run in training mode.

    Args:
        cfg, sets, output_dir, device: as for ``Trainer``.
        momentum: of the average, see ``move_parameters``.

    Raises:
        ConfigError: there are not two views, or WEIGHTS names one of the networks only.
    """

    def __init__(
        self,
        cfg: CfgNode,
        sets: Mapping[str, TrainSet],
        output_dir: Path,
        device: torch.device,
        momentum: float = 0.999,
    ) -> None:
        check(self, PROBABILITY, momentum=momentum)
        self.momentum = momentum
        if cfg.INPUT.VIEWS != 2:
            raise ConfigError(f"INPUT.VIEWS: MutualMeanTrainer has two views of each image, got {cfg.INPUT.VIEWS}")
        if ("model" in cfg.WEIGHTS) != ("model2" in cfg.WEIGHTS):
            raise ConfigError("WEIGHTS: name both model and model2, or two equal networks would teach each other")
        super().__init__(cfg, sets, output_dir, device)

    @property
    def extractor(self) -> nn.Module:
        """The mean of both teachers' embeddings, from which pseudo labels come."""
        return MeanEmbedding(self.parts["model"], self.parts["model2"])

    def build_models(self) -> dict[str, nn.Module]:
        """Build both teachers."""
        return {"model": build_model(self.cfg, self.num_classes), "model2": build_model(self.cfg, self.num_classes)}

    def build_parts(self) -> nn.ModuleDict:
        """Build everything; the students start where their teachers do."""
        parts = super().build_parts()
        for student, teacher in TEACHERS.items():
            parts[student] = copy.deepcopy(parts[teacher])
            parts[teacher].requires_grad_(False)
        return parts

    def renew_classifier(self, centroids: Tensor | None = None) -> None:
        """Give all four networks the same new classifier and let the optimizer take up the students'."""
        for student, teacher in TEACHERS.items():
            networks: list[Any] = [self.parts[student], self.parts[teacher]]
            for network in networks:
                network.reset_classifier(self.num_classes, centroids)
            self.parts[teacher].requires_grad_(False)
        self.renew_for_classes()

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise both students' losses together, then move the teachers."""
        views = {"student": batch["img"], "student2": batch["img2"]}
        outputs = {student: self.forward(view, student) for student, view in views.items()}
        with torch.no_grad():
            taught = {student: self.forward(view, TEACHERS[student]) for student, view in views.items()}
        scalars: dict[str, Tensor] = {}
        terms: list[Tensor] = []
        for student, other, suffix in (("student", "student2", ""), ("student2", "student", "2")):
            soft = {"teacher_logits": taught[other]["logits"], "teacher_feat": taught[other]["feat"]}
            losses = self.losses["model"]({**batch, **outputs[student], **soft})
            scalars |= {f"{name}{suffix}": loss.detach() for name, loss in losses.items()}
            terms += losses.values()
        self.optims["model"].minimize(reduce(add, terms))
        for student, teacher in TEACHERS.items():
            move_parameters(self.parts[teacher], self.parts[student], self.iter, self.momentum)
        return scalars
