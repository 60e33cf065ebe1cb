"""The steps of the view adaptation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo.distributed import gather
from reidzoo.engine.evaluation_mode import evaluation_mode
from reidzoo.errors import ConfigError
from reidzoo.losses.contrastive import squared_distances
from reidzoo.registry import TRAINER
from reidzoo.trainers import Trainer

__all__ = ["ViewAdaptationTrainer"]


@TRAINER.register_module()
class ViewAdaptationTrainer(Trainer):
    """Wu et al. (arXiv 1904.01755): M_s and M_t are the model's two networks, D_s and D_d the DISCRIMINATORS.

    The model is a ``TwoViewEmbedder``, whose ``normalise`` says whether features are normalised here too;
    ``similarity`` is D_s, ``view`` is D_d. Batches hold as many images of view 0
    (probe, embedded by M_s) as of view 1 (gallery, by M_t); every probe image is compared with every gallery image of
    the whole batch. The phases, and in brackets the optimizers:

    * ``model``: Eq. 2 or 5 over M_s, M_t and D_s (``model``);
    * ``discriminator``: Eq. 1 over D_d, the mappings fixed (``view``);
    * ``confusion``: Eq. 3 over M_s and M_t, D_d fixed (``model``); all that Algorithm 1 has in its loop beside Eq. 1;
    * ``joint``: the losses of ``model`` and ``confusion`` together, as Eq. 4 asks for (``model``).

    Losses of phase ``model`` find ``similarity`` (n, m), ``squared_distance`` (n, m) and ``match`` (n, m), those of the
    others ``view_logits`` (B, 2) and ``viewid`` (B,).

    Raises:
        ConfigError: in a step, the two views of a batch are not equally many.
    """

    @property
    def num_classes(self) -> int:
        """No classifier: identities are told apart in pairs."""
        return 0

    # ---- steps ------------------------------------------------------------------------------------------------------

    def step_model(self, batch: dict) -> dict[str, Tensor]:
        """Train mappings and similarity discriminator on all pairs."""
        return self._minimize("model", self.compare(self.map(batch)))

    def step_discriminator(self, batch: dict) -> dict[str, Tensor]:
        """Train the view discriminator on the mappings as they are."""
        with torch.no_grad(), evaluation_mode(self.model):  # or batch norm would move with the images
            mapped = self.map(batch)
        return self._minimize("view", self.look(mapped), "discriminator")

    def step_confusion(self, batch: dict) -> dict[str, Tensor]:
        """Train the mappings against the view discriminator, and nothing else."""
        return self._minimize("model", self.look(self.map(batch)), "confusion")

    def step_joint(self, batch: dict) -> dict[str, Tensor]:
        """Train the mappings against the view discriminator, and mappings and similarity discriminator on the pairs."""
        mapped = self.map(batch)
        return self._minimize("model", {**self.compare(mapped), **self.look(mapped)}, "model", "confusion")

    def validation_loss(self, batch: dict) -> Tensor:
        """Return what the mappings minimise, of a batch of identities that are not trained on: Eq. 2 or 5, or Eq. 4."""
        mapped = self.map(batch)
        tensors = {**self.compare(mapped), **(self.look(mapped) if "view" in self.parts else {})}
        phases = [phase for phase in ("model", "confusion") if phase in self.losses]
        return sum(sum(self.losses[phase](tensors, whole=True).values()) for phase in phases)

    def _minimize(self, optimizer: str, tensors: dict[str, Tensor], *phases: str) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for phase in phases or (optimizer,):
            losses |= self.losses[phase](tensors, whole=True)
        self.optims[optimizer].minimize(sum(losses.values()))
        return {name: loss.detach() for name, loss in losses.items()}

    # ---- what the steps share ---------------------------------------------------------------------------------------

    def map(self, batch: dict) -> list[tuple[Tensor, Tensor]]:
        """Return features (n, D) and identities (n,) of the whole batch's probe images, and of its gallery images."""
        images, pids, views = batch["img"], batch["pid"], batch["viewid"]
        masks = [views == 0, views == 1]
        if 2 * int(masks[0].sum()) != len(views) or 2 * int(masks[1].sum()) != len(views):
            raise ConfigError(
                "ViewAdaptationTrainer needs as many images of view 0 as of view 1 in every batch and process: train "
                "on a TwoViews dataset with the sampler ViewPairSampler, and an even batch for each process"
            )
        sides = []
        for network, mask in zip(("model.query", "model.gallery"), masks):
            feat = self.forward(images[mask], network)["feat"].float()
            feat = F.normalize(feat) if self.model.normalise else feat
            sides.append((gather(feat), gather(pids[mask])))
        return sides

    def compare(self, mapped: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Return what is known of every pair of a probe and a gallery image."""
        (probe, probe_pid), (gallery, gallery_pid) = mapped
        return {
            "similarity": self.parts["similarity"](probe, gallery),
            "squared_distance": squared_distances(probe, gallery),
            "match": probe_pid[:, None] == gallery_pid[None, :],
        }

    def look(self, mapped: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Return the view that D_d sees in every image, and the true one."""
        features = [feat for feat, _ in mapped]
        views = [torch.full((len(feat),), view, device=feat.device) for view, feat in enumerate(features)]
        return {"view_logits": self.parts["view"](torch.cat(features)), "viewid": torch.cat(views)}
