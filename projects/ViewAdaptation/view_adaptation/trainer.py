"""The training steps of cross-entropy adversarial view adaptation."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from operator import add
from pathlib import Path

import torch
from torch import Tensor
from yacs.config import CfgNode

from reidzoo.checks import check, one_of, whole
from reidzoo.datasets import TrainSet
from reidzoo.directions import directions
from reidzoo.distributed import gather
from reidzoo.engine.extract import evaluation_mode
from reidzoo.errors import ConfigError
from reidzoo.losses.squared_distances import squared_distances
from reidzoo.registry import TRAINER
from reidzoo.trainers import Trainer, needs

__all__ = ["ViewAdaptationTrainer"]

FIT_EPOCHS = 2**24
"""The numbers of the loader's epochs from which D_d's batches are drawn start here; training does not come so far."""


@TRAINER.register_module()
class ViewAdaptationTrainer(Trainer):
    """Trains as Wu et al. (arXiv 1904.01755): M_s and M_t are the model's two networks, D_s and D_d the DISCRIMINATORS.

    The model is a ``TwoViewEmbedder``, whose ``normalise`` says whether features are normalised here too;
    ``similarity`` is D_s, ``view`` is D_d. Batches hold as many images of view 0
    (probe, embedded by M_s) as of view 1 (gallery, by M_t); every probe image is compared with every gallery image of
    the whole batch. The phases, and in brackets the optimizers:

    * ``model``: Eq. 2 or 5 over M_s, M_t and D_s (``model``);
    * ``discriminator``: Eq. 1 over D_d, the mappings fixed (``view``);
    * ``confusion``: Eq. 3 over M_s and M_t, D_d fixed (``confusion``, or ``model`` without such an optimizer); all that
      Algorithm 1 has in its loop next to Eq. 1;
    * ``joint``: what Eq. 4 asks for, Eq. 3 and then Eq. 2 or 5, on one batch. With an optimizer ``confusion`` these are
      two steps; without, one step on the losses' sum (``model``).

    Losses of phase ``model`` find ``similarity`` (n, m), ``squared_distance`` (n, m) and ``match`` (n, m), those of the
    others ``view_logits`` (B, 2) and ``viewid`` (B,). Those of phase ``confusion`` also find ``other_viewid``, the
    views exchanged, and ``probe_feat`` and ``gallery_feat``; without a D_d they find nothing else, and no phase
    ``discriminator`` may be taken.

    Args:
        cfg, sets, output_dir, device: as for ``Trainer``.
        fit_batches: the batches whose features D_d is trained on in a step of its own. From 2 on they are fresh draws
            of the sampler, an epoch at most; 1 is the step's own.
        fit_steps: how often D_d's optimizer moves it in such a step. From 2 on it is fitted anew, from its first
            weights and without moments: one that goes on from fit to fit only grows surer of the images it has.
        norm: batch norm in the steps that train the mappings against D_d. ``eval``: that of D_d and of the mappings has
            its running statistics, with which D_d was trained and with which images are retrieved, and leaves them, so
            that D_d is fixed. ``train``: it has the batch's and moves the running ones.

    Raises:
        ConfigError: an argument out of its range; in a step, the two views of a batch are not equally many.
    """

    def __init__(
        self,
        cfg: CfgNode,
        sets: Mapping[str, TrainSet],
        output_dir: Path,
        device: torch.device,
        fit_batches: int = 1,
        fit_steps: int = 1,
        norm: str = "eval",
    ) -> None:
        check(self, whole(1, 10**6), fit_batches=fit_batches, fit_steps=fit_steps)
        check(self, one_of("eval", "train"), norm=norm)
        self.fit_batches, self.fit_steps, self.norm = fit_batches, fit_steps, norm
        super().__init__(cfg, sets, output_dir, device)
        self.first_view = copy.deepcopy(self.parts["view"].state_dict()) if "view" in self.parts else {}

    @property
    def num_classes(self) -> int:
        """0: there is no classifier, identities are compared in pairs."""
        return 0

    # ---- steps ------------------------------------------------------------------------------------------------------

    @needs("model")
    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Train mappings and similarity discriminator on all pairs."""
        return self.minimize("model", tensors=self.compare(self.embed_views(batch)), whole=True)

    @needs("discriminator", optimizer="view")
    def step_discriminator(self, batch: dict) -> dict[str, Tensor]:
        """Train the view discriminator on the mappings as they are."""
        with torch.no_grad(), evaluation_mode(self.model):  # or batch norm would move with the images
            drawn = [self.embed_views(one) for one in self._batches_to_fit(batch)]
        mapped = [(torch.cat(feats), torch.cat(pids)) for feats, pids in (zip(*sides) for sides in zip(*drawn))]
        if self.fit_steps > 1:
            self.parts["view"].load_state_dict(self.first_view)
            self.optims["view"].torch.state.clear()
        for _ in range(self.fit_steps):
            scalars = self.minimize("discriminator", tensors=self.classify_views(mapped), optimizer="view", whole=True)
        return scalars

    @needs("confusion", optimizer="model")
    def step_confusion(self, batch: dict) -> dict[str, Tensor]:
        """Train the mappings against the view discriminator, and nothing else."""
        with self._fixed_norms():
            tensors = self.oppose(self.embed_views(batch))
        optimizer = "confusion" if "confusion" in self.optims else "model"
        return self.minimize("confusion", tensors=tensors, optimizer=optimizer, whole=True)

    @needs("model", "confusion")
    def step_joint(self, batch: dict) -> dict[str, Tensor]:
        """Train the mappings against the view discriminator, and mappings and similarity discriminator on the pairs."""
        if "confusion" in self.optims:
            confused = self.step_confusion(batch)
            with self._fixed_norms():
                compared = self.compare(self.embed_views(batch))
            return {**self.minimize("model", tensors=compared, whole=True), **confused}
        with self._fixed_norms():
            mapped = self.embed_views(batch)
            tensors = {**self.compare(mapped), **self.oppose(mapped)}
        return self.minimize("model", "confusion", tensors=tensors, whole=True)

    def validation_loss(self, batch: dict) -> Tensor:
        """Return Eq. 2 or 5 of a batch of identities that are not trained on.

        Eq. 3 is not in it: its value says as much of D_d, which moves, as of the mappings.

        Raises:
            ConfigError: there is no loss of the phase ``model``.
        """
        if "model" not in self.losses:
            raise ConfigError(
                "LOSSES: validation_loss takes a loss of phase 'model'; without, train for a fixed length"
            )
        losses = self.losses["model"](self.compare(self.embed_views(batch)), whole=True)
        return reduce(add, losses.values())

    # ---- what the steps share ---------------------------------------------------------------------------------------

    def _batches_to_fit(self, batch: dict) -> Iterator[dict]:
        """Return the batches that D_d is trained on in this step."""
        if self.fit_batches == 1:
            return iter([batch])
        return self.loader.draw(FIT_EPOCHS + self.iter, self.fit_batches)

    def _fixed_norms(self) -> AbstractContextManager[None]:
        """Return the mode in which the mappings are trained against D_d; gradients do not depend on it."""
        opposed = [self.parts[name] for name in ("model", "view") if name in self.parts]
        return evaluation_mode(*opposed) if self.norm == "eval" else nullcontext()

    def embed_views(self, batch: dict) -> list[tuple[Tensor, Tensor]]:
        """Return features (n, D) and identities (n,) of the whole batch's probe images, and of its gallery images."""
        images, pids, views = batch["img"], batch["pid"], batch["viewid"]
        if self.step == 0 or views.device.type == "cpu":
            self._check_views(views)
        # As many of either view, so that their places follow without a mask, whose sum the step would wait for.
        places = views.argsort(stable=True).chunk(2)
        sides = []
        for network, side in zip(("model.query", "model.gallery"), places):
            feat = self.forward(images[side], network)["feat"].float()
            feat = directions(feat) if self.model.normalise else feat
            sides.append((gather(feat), gather(pids[side])))
        return sides

    @staticmethod
    def _check_views(views: Tensor) -> None:
        """Check that a batch's two views are equally many; on an accelerator of an epoch's first batch only."""
        if 2 * int((views == 0).sum()) != len(views) or 2 * int((views == 1).sum()) != len(views):
            raise ConfigError(
                "ViewAdaptationTrainer needs as many images of view 0 as of view 1 in every batch and process: train "
                "on a TwoViews dataset with the sampler ViewPairSampler, and an even batch for each process"
            )

    def compare(self, mapped: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Return similarity, distance and match of every pair of a probe and a gallery image."""
        (probe, probe_pid), (gallery, gallery_pid) = mapped
        return {
            "similarity": self.parts["similarity"](probe, gallery),
            "squared_distance": squared_distances(probe, gallery),
            "match": probe_pid[:, None] == gallery_pid[None, :],
        }

    def oppose(self, mapped: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Return what makes the views alike: both views' features, and with a D_d its logits and the views."""
        features = {"probe_feat": mapped[0][0], "gallery_feat": mapped[1][0]}
        if "view" not in self.parts:
            return features
        classified = self.classify_views(mapped)
        return {**features, **classified, "other_viewid": 1 - classified["viewid"]}

    def classify_views(self, mapped: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Return D_d's logits of the view of every image, and the true view."""
        features = [feat for feat, _ in mapped]
        views = [torch.full((len(feat),), view, device=feat.device) for view, feat in enumerate(features)]
        return {"view_logits": self.parts["view"](torch.cat(features)), "viewid": torch.cat(views)}
