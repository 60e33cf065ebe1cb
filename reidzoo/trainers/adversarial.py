"""Adversarial training of a model against a discriminator of its embeddings."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.checks import check, one_of
from reidzoo.datasets import TrainSet
from reidzoo.engine.extract import evaluation_mode
from reidzoo.errors import ConfigError
from reidzoo.models import convert_batch_norm
from reidzoo.registry import TRAINER
from reidzoo.trainers.trainer import Trainer, needs

__all__ = ["AdversarialTrainer"]


@TRAINER.register_module()
class AdversarialTrainer(Trainer):
    """Trains a model and a discriminator of its embeddings in turns, on the same batches; a phase hook assigns them.

    ``discriminator``: the discriminator learns from the fixed model's embeddings. ``model``: the model learns from its
    losses, among them one on the fixed discriminator's logits. ``backbone``: the model learns from losses of its own,
    before a discriminator is trained (DomainMix's stage 2, where it is not a stage of its own). "Fixed" means that no
    step is taken: batch norm statistics of both go on, as in DomainMix's code, unless an option says otherwise. Losses
    find the discriminator's output as ``domain_logits``.

    The discriminator is the entry ``discriminator`` of DISCRIMINATORS; so is its optimizer. Its batch norm has the
    groups of ``MODEL.BN_GROUP``. Where it says by ``num_classes`` how many classes it has, these are as many as the
    datasets of the training set, if there are several.

    Args:
        cfg, sets, output_dir, device: as for ``Trainer``.
        discriminator_norm: in the model's steps the discriminator's batch norm has the batch's statistics and moves the
            running ones (``train``, as in DomainMix's code), or has the running ones and leaves them (``eval``).
        model_norm: the same of the model's batch norm in the discriminator's steps.
        domain_labels: ``dataset`` says where an image comes from. ``literal`` is a mistake of DomainMix's code, which
            compares classes by > instead of >=: the first class of the real set counts as synthetic.

    Raises:
        ConfigError: an option has a value that is not listed; the discriminator has not a class for each dataset.
    """

    def __init__(
        self,
        cfg: CfgNode,
        sets: Mapping[str, TrainSet],
        output_dir: Path,
        device: torch.device,
        discriminator_norm: str = "train",
        domain_labels: str = "dataset",
        model_norm: str = "train",
    ) -> None:
        check(self, one_of("train", "eval"), discriminator_norm=discriminator_norm, model_norm=model_norm)
        check(self, one_of("dataset", "literal"), domain_labels=domain_labels)
        self.discriminator_norm, self.model_norm, self.domain_labels = discriminator_norm, model_norm, domain_labels
        super().__init__(cfg, sets, output_dir, device)

    def build_parts(self) -> nn.ModuleDict:
        """Build everything; the discriminator's batch norm follows the model's."""
        parts = super().build_parts()
        if "discriminator" not in parts:
            raise ConfigError("DISCRIMINATORS: AdversarialTrainer needs an entry called 'discriminator'")
        self._check_domains(getattr(parts["discriminator"], "num_classes", None))
        parts["discriminator"] = convert_batch_norm(parts["discriminator"], self.cfg.MODEL.BN_GROUP)
        return parts

    def _check_domains(self, classes: int | None) -> None:
        """Check that the discriminator has a class for each dataset; one set alone has nothing to be told from."""
        for name, data in self.sets.items():
            domains = len(data.datasets)
            if classes is not None and domains > 1 and domains != classes:
                raise ConfigError(
                    f"DISCRIMINATORS.discriminator: it has {classes} classes, but DATASETS.TRAIN.{name} joins "
                    f"{domains} datasets, each of which is a domain; set its num_classes to {domains}"
                )

    @needs("backbone", optimizer="model")
    def step_backbone(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses of phase ``backbone`` over the model, without the discriminator."""
        outputs = self.forward(batch["img"])
        return self.minimize("backbone", tensors={**batch, **outputs}, optimizer="model")

    @needs("model")
    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses of phase ``model`` over the model, the discriminator fixed."""
        outputs = self.forward(batch["img"])
        self.parts["discriminator"].train(self.discriminator_norm == "train")
        logits = self.parts["discriminator"](outputs["embedding"].float())
        self.parts["discriminator"].train()
        return self.minimize("model", tensors={**batch, **outputs, "domain_logits": logits})

    @needs("discriminator")
    def step_discriminator(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses of phase ``discriminator`` over the discriminator, the model fixed."""
        rests = evaluation_mode(self.model) if self.model_norm == "eval" else contextlib.nullcontext()
        with torch.no_grad(), rests:
            outputs = self.forward(batch["img"])
        logits = self.parts["discriminator"](outputs["embedding"].float())
        tensors = {**batch, **outputs, "domain": self._domains(batch), "domain_logits": logits}
        return self.minimize("discriminator", tensors=tensors)

    def _domains(self, batch: dict) -> Tensor:
        """Return the domain labels (B,) that the discriminator learns."""
        if self.domain_labels == "dataset":
            return batch["domain"]
        (data,) = self.sets.values()
        first_real = int(data.pids[data.domains == 0].max()) + 1
        return (batch["pid"] > first_real).to(batch["domain"].dtype)
