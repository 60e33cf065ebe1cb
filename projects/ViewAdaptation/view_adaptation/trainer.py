"""The training steps of cross-entropy adversarial view adaptation."""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo.distributed import gather
from reidzoo.engine.extract import evaluation_mode
from reidzoo.errors import ConfigError
from reidzoo.losses.contrastive import squared_distances
from reidzoo.registry import TRAINER
from reidzoo.trainers import Trainer, needs

__all__ = ["ViewAdaptationTrainer"]


@TRAINER.register_module()
class ViewAdaptationTrainer(Trainer):
    """Trains as Wu et al. (arXiv 1904.01755): M_s and M_t are the model's two networks, D_s and D_d the DISCRIMINATORS.

    The model is a ``TwoViewEmbedder``, whose ``normalise`` says whether features are normalised here too;
    ``similarity`` is D_s, ``view`` is D_d. Batches hold as many images of view 0
    (probe, embedded by M_s) as of view 1 (gallery, by M_t); every probe image is compared with every gallery image of
    the whole batch. The phases, and in brackets the optimizers:

    * ``model``: Eq. 2 or 5 over M_s, M_t and D_s (``model``);
    * ``discriminator``: Eq. 1 over D_d, the mappings fixed (``view``);
    * ``confusion``: Eq. 3 over M_s and M_t, D_d fixed (``model``); all that Algorithm 1 has in its loop next to Eq. 1;
    * ``joint``: the losses of ``model`` and ``confusion`` together, as Eq. 4 asks for (``model``).

    Losses of phase ``model`` find ``similarity`` (n, m), ``squared_distance`` (n, m) and ``match`` (n, m), those of the
    others ``view_logits`` (B, 2) and ``viewid`` (B,).

    Raises:
        ConfigError: in a step, the two views of a batch are not equally many.
    """

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
            mapped = self.embed_views(batch)
        return self.minimize("discriminator", tensors=self.classify_views(mapped), optimizer="view", whole=True)

    @needs("confusion", optimizer="model")
    def step_confusion(self, batch: dict) -> dict[str, Tensor]:
        """Train the mappings against the view discriminator, and nothing else."""
        tensors = self.classify_views(self.embed_views(batch))
        return self.minimize("confusion", tensors=tensors, optimizer="model", whole=True)

    @needs("model", "confusion")
    def step_joint(self, batch: dict) -> dict[str, Tensor]:
        """Train the mappings against the view discriminator, and mappings and similarity discriminator on the pairs."""
        mapped = self.embed_views(batch)
        tensors = {**self.compare(mapped), **self.classify_views(mapped)}
        return self.minimize("model", "confusion", tensors=tensors, whole=True)

    def validation_loss(self, batch: dict) -> Tensor:
        """Return what the mappings minimise, of a batch of identities that are not trained on: Eq. 2 or 5, or Eq. 4."""
        mapped = self.embed_views(batch)
        tensors = {**self.compare(mapped), **(self.classify_views(mapped) if "view" in self.parts else {})}
        phases = [phase for phase in ("model", "confusion") if phase in self.losses]
        return reduce(add, (reduce(add, self.losses[phase](tensors, whole=True).values()) for phase in phases))

    # ---- what the steps share ---------------------------------------------------------------------------------------

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
            feat = F.normalize(feat) if self.model.normalise else feat
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

    def classify_views(self, mapped: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Return D_d's logits of the view of every image, and the true view."""
        features = [feat for feat, _ in mapped]
        views = [torch.full((len(feat),), view, device=feat.device) for view, feat in enumerate(features)]
        return {"view_logits": self.parts["view"](torch.cat(features)), "viewid": torch.cat(views)}
