"""StarGAN's training: the discriminator in every step, the generator in some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from camstyle.losses import gradient_penalty, mix, realness_gap
from reidzoo import distributed
from reidzoo.checks import check, number
from reidzoo.datasets import TrainSet
from reidzoo.engine.build import final_size
from reidzoo.engine.seed import seed_of
from reidzoo.errors import ConfigError
from reidzoo.random_streams import TRAINING, random_generator
from reidzoo.registry import DISCRIMINATOR, MODEL, TRAINER
from reidzoo.to_device import to_device
from reidzoo.trainers import Trainer

__all__ = ["StarGANTrainer"]


@TRAINER.register_module()
class StarGANTrainer(Trainer):
    """Learns to draw each image of one training set as any other of its cameras would have seen it.

    Phase ``discriminator`` trains the discriminator alone, phase ``both`` then the generator on the same batch. The
    authors train the generator every fifth time: ``{type: IterationPhaseHook, steps: {discriminator: 4, both: 1}}``.

    The part ``model`` is the generator. Cameras are classes in the order of their numbers. Which camera an image is to
    be drawn as comes from (seed, epoch, step) for the whole batch, so processes do not change it.

    Args:
        camera_weight, reconstruction_weight, penalty_weight: lambda_cls, lambda_rec and lambda_gp; 1, 10 and 10.
        sets: one training set.
        **framework: the framework's other arguments, those of ``Trainer``.

    Raises:
        ConfigError: several training sets, or images of one camera only; another precision than fp32, or chunks.
    """

    def __init__(
        self,
        camera_weight: float = 1.0,
        reconstruction_weight: float = 10.0,
        penalty_weight: float = 10.0,
        *,
        sets: Mapping[str, TrainSet],
        **framework: Any,
    ) -> None:
        check(self, number(0), camera_weight=camera_weight, reconstruction_weight=reconstruction_weight)
        check(self, number(0), penalty_weight=penalty_weight)
        self.camera_weight, self.reconstruction_weight = camera_weight, reconstruction_weight
        self.penalty_weight = penalty_weight
        if len(sets) != 1:
            raise ConfigError(f"DATASETS.TRAIN: StarGANTrainer takes one training set, got {', '.join(sets)}")
        (self.images,) = sets.values()
        self.cameras = np.unique(self.images.camids)
        if len(self.cameras) < 2:
            raise ConfigError(f"{self.images.datasets[0].name} has one camera only: there is no style to transfer")
        solver = framework["cfg"].SOLVER
        if solver.PRECISION != "fp32" or solver.CHUNK:
            raise ConfigError(
                "StarGANTrainer: the gradient penalty is of whole batches in SOLVER.PRECISION fp32, CHUNK 0"
            )
        super().__init__(sets=sets, **framework)
        self.camera_numbers = torch.from_numpy(self.cameras).to(self.device)

    def build_parts(self) -> nn.ModuleDict:
        """Build the generator and the discriminator."""
        node = {key: value for key, value in self.cfg.MODEL.items() if not key.isupper()}
        networks = {
            "model": MODEL.build(node, num_cameras=len(self.cameras)),
            "discriminator": DISCRIMINATOR.build(
                self.cfg.DISCRIMINATORS["discriminator"], num_cameras=len(self.cameras), size=final_size(self.cfg)
            ),
        }
        parts = nn.ModuleDict(networks)
        self._load_initial_weights(parts)
        return parts

    def step_discriminator(self, batch: dict) -> dict[str, Tensor]:
        """Minimise Eq. 5 over the discriminator."""
        images, camera, target, share = self._draw(batch)
        with torch.no_grad():
            fake = self.model(images, target)
        return self._criticise(images, camera, fake, share)

    def step_both(self, batch: dict) -> dict[str, Tensor]:
        """Minimise Eq. 5 over the discriminator, then Eq. 6 over the generator."""
        images, camera, target, share = self._draw(batch)
        fake = self.model(images, target)
        scalars = self._criticise(images, camera, fake.detach(), share)
        realness, logits = self.parts["discriminator"](fake)
        losses = {
            "fake_realness": -realness.mean(),
            "fake_camera": self.camera_weight * functional.cross_entropy(logits, target),
            "reconstruction": self.reconstruction_weight * functional.l1_loss(self.model(fake, camera), images),
        }
        return scalars | self.minimize_sum(losses, "model")

    def _criticise(self, images: Tensor, camera: Tensor, fake: Tensor, share: Tensor) -> dict[str, Tensor]:
        critic = self.parts["discriminator"]
        realness, logits = critic(images)
        losses = {
            "realness": realness_gap(realness, critic(fake)[0]),
            "camera": self.camera_weight * functional.cross_entropy(logits, camera),
            "penalty": self.penalty_weight * gradient_penalty(lambda x: critic(x)[0], mix(images, fake, share)),
        }
        return self.minimize_sum(losses, "discriminator")

    def _draw(self, batch: dict) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the images, their cameras' classes, the cameras to draw them as, and the real part of each mixture."""
        images = batch["img"]
        camera = torch.searchsorted(self.camera_numbers, batch["camid"])
        size = self.cfg.SOLVER.IMS_PER_BATCH
        rng = random_generator(TRAINING, seed=seed_of(self.cfg), epoch=self.epoch, step=self.step)
        target, share = rng.integers(0, len(self.cameras), size), rng.random(size)
        ours = slice(distributed.rank() * len(images), (distributed.rank() + 1) * len(images))
        return images, camera, *(to_device(values[ours], images.device) for values in (target, share))
