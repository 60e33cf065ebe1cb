"""Training of a model against classifiers of the nuisances in its features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.checks import FLAG, check
from reidzoo.datasets import Dataset, TrainSet, nuisance_frequencies, nuisance_labels
from reidzoo.engine.extract import evaluation_mode
from reidzoo.errors import ConfigError
from reidzoo.models import convert_batch_norm
from reidzoo.registry import DISCRIMINATOR, TRAINER
from reidzoo.trainers.gradient_sum import GradientSum
from reidzoo.trainers.trainer import Trainer, needs
from reidzoo.trainers.validation import Validation

__all__ = ["NuisanceTrainer"]


@TRAINER.register_module()
class NuisanceTrainer(Trainer):
    """Trains as ADIN (Yuan et al., WACV 2020); f_E is the backbone, f_I the head's classifier, f_N a DISCRIMINATOR.

    Its phases, each with its own losses and, but for ``joint``, the optimizer of its name:

    * ``model``: f_E and f_I learn from the identities;
    * ``nuisance``: the f_N learn from the embeddings, f_E as in a test (evaluation mode, no gradient);
    * ``head``: f_I likewise;
    * ``penalty``: f_E learns against the f_N, which stand still in evaluation mode, and so does f_I;
    * ``joint``, Eq. 3: f_E and f_I learn from the losses of ``model`` and ``penalty`` together (optimizer ``model``),
      then the f_N from those of ``nuisance``, on the same embeddings without gradient.

    For a discriminator called D, losses find ``D_logits``, the images' ``D_label`` and, in each row, the nuisance's
    frequencies among the training images, ``D_prior``.

    Args:
        cfg, sets, output_dir, device: as for ``Trainer``; one training set.
        full_batch: add up the gradients of a whole epoch of ``penalty`` and take one step, as the authors' code does.
    """

    measures = ("identity", "nuisance")
    """The names of what ``validator`` measures."""

    def __init__(
        self,
        cfg: CfgNode,
        sets: Mapping[str, TrainSet],
        output_dir: Path,
        device: torch.device,
        full_batch: bool = False,
    ) -> None:
        check(self, FLAG, full_batch=full_batch)
        if len(sets) != 1:
            raise ConfigError(f"DATASETS.TRAIN: NuisanceTrainer takes one training set, there are {', '.join(sets)}")
        if not cfg.DISCRIMINATORS:
            raise ConfigError(
                "DISCRIMINATORS: NuisanceTrainer needs one, such as nuisance: {type: NuisanceDiscriminator}"
            )
        if full_batch and cfg.SOLVER.PRECISION == "fp16":
            raise ConfigError(
                "SOLVER.PRECISION: gradients added up over an epoch (full_batch) are not scaled; take bf16"
            )
        self.priors: dict[str, Tensor] = {}
        super().__init__(cfg, sets, output_dir, device)
        self.gradients: GradientSum | None = None
        if full_batch:
            self.check_phase("penalty")
            self.gradients = self.parts["gradients"] = GradientSum(self.optims["penalty"].parameters)

    @property
    def data(self) -> TrainSet:
        """The training set."""
        return next(iter(self.sets.values()))

    def build_discriminator(self, name: str, node: Mapping[str, Any], dim: int) -> nn.Module:
        """Build a discriminator of as many classes as the training set has of its nuisance."""
        frequencies = nuisance_frequencies(node.get("label", "camera"), self.data)
        self.priors[name] = torch.from_numpy(frequencies).float().to(self.device)
        return convert_batch_norm(DISCRIMINATOR.build(node, in_channels=dim, num_classes=len(frequencies)))

    # ---- steps ------------------------------------------------------------------------------------------------------

    @needs("model")
    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Minimise the losses of the identities over backbone and head."""
        return self.minimize("model", tensors={**batch, **self.forward(batch["img"])})

    @needs("nuisance")
    def step_nuisance(self, batch: dict) -> dict[str, Tensor]:
        """Train the discriminators on the embeddings of the model as it is."""
        return self.minimize("nuisance", tensors={**batch, **self.find_nuisances(self.embed(batch["img"]), batch)})

    @needs("head")
    def step_head(self, batch: dict) -> dict[str, Tensor]:
        """Train the head's classifier on the embeddings of the model as it is."""
        logits = self.model.head.classifier(self.embed(batch["img"]))
        return self.minimize("head", tensors={**batch, "logits": logits})

    @needs("penalty")
    def step_penalty(self, batch: dict) -> dict[str, Tensor]:
        """Train the model to make the discriminators fail; with ``full_batch`` only the epoch's last step moves it."""
        # f_I has no loss here, but running statistics, which in training mode would follow f_E; the authors' do not.
        with evaluation_mode(self.model.head.classifier, *(self.parts[name] for name in self.priors)):
            outputs = self.forward(batch["img"])
            tensors = {**batch, **outputs, **self.find_nuisances(outputs["embedding"].float(), batch)}
        if self.gradients is None:
            return self.minimize("penalty", tensors=tensors)
        losses = self.losses["penalty"](tensors)
        self.gradients.add(reduce(add, losses.values()))
        if self.step + 1 == self.loader.length:
            self.optims["penalty"].minimize(self.gradients.as_loss())
            self.gradients.clear()
        return {name: loss.detach() for name, loss in losses.items()}

    @needs("model", "penalty")
    @needs("nuisance")
    def step_joint(self, batch: dict) -> dict[str, Tensor]:
        """Minimise Eq. 3 over the model, then train the discriminators."""
        outputs = self.forward(batch["img"])
        embedding = outputs["embedding"].float()
        tensors = {**batch, **outputs, **self.find_nuisances(embedding, batch)}
        scalars = self.minimize("model", "penalty", tensors=tensors)
        tensors = {**batch, **self.find_nuisances(embedding.detach(), batch)}
        return scalars | self.minimize("nuisance", tensors=tensors)

    # ---- what steps and validation share ----------------------------------------------------------------------------

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Return the embeddings (B, D), not normalised, of the model in evaluation mode."""
        with evaluation_mode(self.model):
            return self.forward(images)["embedding"].float()

    def find_nuisances(self, embedding: Tensor, batch: dict) -> dict[str, Tensor]:
        """Return the discriminators' logits, labels and priors for embeddings (B, D) by the names of losses' inputs."""
        tensors = {}
        for name, prior in self.priors.items():
            part: Any = self.parts[name]
            tensors[f"{name}_logits"] = part(embedding)
            tensors[f"{name}_label"] = nuisance_labels(part.label, batch["camid"], batch["timeid"])
            tensors[f"{name}_prior"] = prior.expand(len(embedding), -1)
        return tensors

    def validator(self, dataset: Dataset) -> Callable[[], dict[str, float]]:
        """Return a function that measures the present classifiers on images held out of the training set.

        It returns the accuracies ``identity``, and ``nuisance``, the mean over the discriminators.

        Args:
            dataset: whose training images these are: the other part of the ``HoldOut`` that is trained on.

        Raises:
            ConfigError: an image is trained on, or its identity is not.
        """
        return partial(self._measure, Validation(dataset, self.data, self.cfg))

    def _measure(self, validation: Validation) -> dict[str, float]:
        critics = {name: self.parts[name] for name in self.priors}
        with evaluation_mode(*self.parts.values()):
            return validation.measure(self.embed, self.model.head.classifier, critics, self.device)

    @torch.no_grad()
    def reset_heads(self, generator: torch.Generator) -> None:
        """Draw the weights of all Linear layers of the classifiers, also the head's, from N(0, 0.001); biases are 0."""
        for part in (self.model.head.classifier, *(self.parts[name] for name in self.priors)):
            for layer in part.modules():
                if isinstance(layer, nn.Linear):
                    layer.weight.copy_(torch.empty(layer.weight.shape).normal_(0.0, 0.001, generator=generator))
                    layer.bias.zero_()
