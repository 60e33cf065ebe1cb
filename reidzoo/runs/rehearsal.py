"""Builds a stage and takes its steps on made-up images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo import distributed
from reidzoo.datasets import TrainSet
from reidzoo.engine.backends import backends
from reidzoo.engine.build import final_size, load_embedder
from reidzoo.engine.compilation import nothing_compiled
from reidzoo.engine.extract import embed_images, evaluation_mode
from reidzoo.engine.made_up_images import MadeUpImages
from reidzoo.engine.seed import seed_everything, seed_of
from reidzoo.errors import ConfigError, UserError
from reidzoo.files import atomic_save
from reidzoo.heads import GeM
from reidzoo.hooks import EvaluateHook
from reidzoo.registry import SAMPLER, TRAINER
from reidzoo.transforms import Normalize

__all__ = ["Rehearsal", "without_gradient"]

SMALL = (64, 32)
"""Height and width that the images of a step are not reduced below."""


class Rehearsal:
    """Builds all parts of a stage, draws its first batches, and takes a step of each of its phases on noise.

    The steps have the smallest batch that the sampler takes, of images that are reduced once they are augmented; where
    that does not work, the configured batch as it is. Nothing of it is kept but what the attributes say.

    Args:
        cfg: the stage's configuration; the files that it names are there.
        make_sets: makes the stage's training sets; the rehearsal changes their labels.
        folder: for whatever is written.
        device: where the stage will be trained.
        load: also load the model as the tools do.

    Attributes:
        sets: the training sets.
        phases: the phases of which a step was taken.
        batch: images of each set in such a step.
        steps: steps of an epoch.
        parameters: how many weights the parts have.
        size: bytes of a checkpoint.
        clamped: the share of negative values, which it clamps, in what GeM pooled last in a step; 0 without it.
        same_epochs: whether the second epoch has the batches of the first, one by one.
    """

    def __init__(
        self,
        cfg: CfgNode,
        make_sets: Callable[[], dict[str, TrainSet]],
        folder: Path,
        device: torch.device,
        load: bool = True,
    ) -> None:
        self.cfg, self.make_sets, self.folder, self.device, self.load = cfg, make_sets, folder, device, load
        self.sets: dict[str, TrainSet] = {}
        self.phases: list[str] = []
        self.batch = self.steps = self.parameters = self.size = 0
        self.clamped = 0.0
        self.same_epochs = False
        self._trains: dict[str, bool] = {}
        self._trainer: Any = None

    @property
    def idle_losses(self) -> list[str]:
        """The losses whose value never had a gradient, though a tensor that they were given had one."""
        return [name for name, trains in self._trains.items() if not trains]

    def run(self) -> None:
        """Rehearse.

        Raises:
            UserError: something is wrong.
            Exception: whatever a part raises.
        """
        with backends(self.cfg), nothing_compiled():
            trainer = self._perform()
            is_tested = any(isinstance(hook, EvaluateHook) for hook in trainer.hooks.values())
            if is_tested and self.cfg.DATASETS.TESTS:
                self._embed(trainer)
        self.parameters = sum(parameter.numel() for parameter in trainer.parts.parameters())
        self.size = sum(tensor.nbytes for tensor in _tensors(trainer.state_dict()))
        self._trainer = trainer

    def _perform(self) -> Any:
        """Build a trainer and take its steps, with a small batch or, if that does not work, with the configured one."""
        images, self.sets = self.cfg.SOLVER.IMS_PER_BATCH, self.make_sets()
        self._check_identities()
        self.batch = next(filter(self._is_enough, self._batch_sizes()), images)
        try:
            trainer = self._build()
            self._take_steps(trainer, reduced=True)
        except Exception:
            self.batch, self.sets = images, self.make_sets()
            trainer = self._build()
            self._take_steps(trainer, reduced=False)
        self._draw_first_batches(trainer)
        return trainer

    def _check_identities(self) -> None:
        """Check that there is someone to tell apart from someone else, where labels are what is trained on."""
        for name, data in self.sets.items():
            if data.num_classes == 1 and not self.cfg.CLUSTERER:
                raise ConfigError(
                    f"DATASETS.TRAIN.{name}: all {len(data):,} images are of one identity, and there is nobody to "
                    f"tell it from; look how the dataset reads identities, by folders or by the parts of names"
                )

    def save(self, path: Path) -> None:
        """Write the weights of all parts, as the stage's checkpoint would hold them."""
        atomic_save({"parts": {name: part.state_dict() for name, part in self._trainer.parts.items()}}, path)

    def close(self) -> None:
        """Let go of the parts."""
        self._trainer = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # ---- the smallest batch -----------------------------------------------------------------------------------------

    def _batch_sizes(self) -> Iterator[int]:
        """Yield the divisors of the batch size that give each process two images, the smallest first."""
        images, ranks = self.cfg.SOLVER.IMS_PER_BATCH, distributed.world_size()
        yield from (size for size in range(2 * ranks, images) if images % size == 0 and size % ranks == 0)

    def _is_enough(self, size: int) -> bool:
        """Whether the sampler makes batches of ``size``, once all images have labels."""
        try:
            for data in self.sets.values():
                labelled = copy.copy(data)
                labelled.pids = _with_labels(data.pids) if self.cfg.CLUSTERER else data.pids
                if not len(SAMPLER.build(self.cfg.SAMPLER, data=labelled, batch_size=size).batches(0, 0, 1)):
                    return False
        except UserError:
            return False
        return True

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _build(self) -> Any:
        """Return a trainer of small batches whose hooks have rehearsed."""
        seed_everything(seed_of(self.cfg))
        cfg = self._reduced()
        self.folder.mkdir(parents=True, exist_ok=True)
        trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=self.sets, output_dir=self.folder, device=self.device)
        trainer.loader.table = MadeUpImages(trainer.loader.table)
        for data in self.sets.values():
            data.styles = None  # which are read from images
        for hook in trainer.hooks.values():
            getattr(hook, "rehearse", _nothing)(trainer)
        return trainer

    def _reduced(self) -> CfgNode:
        cfg = self.cfg.clone()
        cfg.defrost()
        cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.ITERS_PER_EPOCH = self.batch, 1
        cfg.MODEL.BN_GROUP = min(cfg.MODEL.BN_GROUP, self.batch)
        cfg.DATALOADER.NUM_WORKERS, cfg.DATALOADER.CACHE = 0, "off"
        cfg.freeze()
        return cfg

    def _draw_first_batches(self, trainer: Any) -> None:
        """Draw the first epoch's batches as the run will, twice, since every process draws them for itself."""
        loader, solver = copy.copy(trainer.loader), self.cfg.SOLVER
        if solver.IMS_PER_BATCH % distributed.world_size():
            raise ConfigError(
                f"SOLVER.IMS_PER_BATCH {solver.IMS_PER_BATCH} cannot be shared by {distributed.world_size()} processes "
                f"evenly"
            )
        loader.batch_size, loader.iters = solver.IMS_PER_BATCH, solver.ITERS_PER_EPOCH
        first, again = loader.plan(0), loader.plan(0)
        self.steps = loader.length
        self.same_epochs = self.cfg.SOLVER.MAX_EPOCHS > 1 and _equal(first, loader.plan(1))
        for name, batches in first.items():
            if not np.array_equal(batches, again[name]):
                raise ConfigError(
                    f"SAMPLER: {self.cfg.SAMPLER['type']} draws other batches of {name!r} when it is asked again for "
                    f"the same seed and epoch, so that each process would have its own, and a resumed run others; draw "
                    f"from reidzoo.random_streams.random_generator(SAMPLING, seed=seed, epoch=epoch) alone"
                )

    def _note_clamped(self, layer: nn.Module, inputs: tuple[Tensor]) -> None:
        self.clamped = float((inputs[0] < 0).float().mean())

    def _note_gradient(
        self, name: str, loss: nn.Module, args: tuple, tensors: Mapping[str, Any], value: Tensor
    ) -> None:
        if any(isinstance(tensor, Tensor) and tensor.requires_grad for tensor in tensors.values()):
            self._trains[name] = self._trains.get(name, False) or value.requires_grad

    def _take_steps(self, trainer: Any, reduced: bool) -> None:
        named = [phase for hook in trainer.hooks.values() for phase in getattr(hook, "phases", list)()]
        self.phases = list(dict.fromkeys(named)) or [trainer.phase]
        for phase in self.phases:
            trainer.check_phase(phase)
        for layer in trainer.parts.modules():
            if isinstance(layer, GeM):
                layer.register_forward_pre_hook(self._note_clamped)
        for losses in trainer.losses.values():
            for name, loss in losses.losses.items():
                loss.register_forward_hook(partial(self._note_gradient, name), with_kwargs=True)
        trainer.parts.train()
        for phase in self.phases:
            trainer.phase = phase
            batch = next(iter(trainer.loader.epoch(0)))
            if reduced:
                batch = _with_small_images(batch, trainer.loader.view_names)
            try:
                values = trainer.train_step(batch)
            except RuntimeError as error:
                if self._trains and not any(self._trains.values()):
                    raise ConfigError(without_gradient(self.idle_losses)) from error
                raise
            for name, value in values.items():
                if not bool(torch.isfinite(value).all()):
                    raise ConfigError(
                        f"{name} is {float(value)} in a step of phase {phase} on random images; look at its loss, or "
                        f"with SOLVER.PRECISION bf16 try fp32"
                    )

    # ---- the test's side ---------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _embed(self, trainer: Any) -> None:
        """Embed two images as a test does."""
        model = trainer.model
        if self.load:
            model = load_embedder(self.cfg, model.state_dict(), tuple(self.cfg.WEIGHTS_IGNORE)).to(self.device)
        size = final_size(self.cfg)
        pixels = np.random.default_rng(0).integers(0, 256, (2, 3, *size), dtype=np.uint8)
        images = Normalize(self.cfg.INPUT.MEAN, self.cfg.INPUT.STD)(torch.from_numpy(pixels).to(self.device), None)
        methods = ("embed_query", "embed_gallery") if hasattr(model, "embed_query") else ("embed",)
        with evaluation_mode(model):
            for method in methods:
                found = embed_images(getattr(model, method), images, self.cfg.TEST.FLIP, self.cfg.SOLVER.PRECISION)
                if found.dim() != 2 or len(found) != 2 or not bool(found.isfinite().all()):
                    raise ConfigError(
                        f"MODEL: {method} gives {tuple(found.shape)} for two random images of {size[0]} x {size[1]}, "
                        f"finite in {int(found.isfinite().sum()):,} values; a MODEL gives finite (2, D)"
                    )


def without_gradient(losses: Sequence[str]) -> str:
    """Return what is to be said of losses whose values have no gradient."""
    names = ", ".join(f"LOSSES.{name}" for name in losses)
    return (
        f"{names} gave a value without a gradient for tensors that have one, and so trains nothing; look for detach(), "
        f"no_grad, item() or numpy in its forward"
    )


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(np.array_equal(batches, other[name]) for name, batches in one.items())


def _with_small_images(batch: dict, views: Collection[str]) -> dict:
    """Return a batch, or a batch for each set, with every n-th row and column of its images; at least ``SMALL``."""
    small = {}
    for name, value in batch.items():
        if name in views:
            step = max(min(side // least for side, least in zip(value.shape[2:], SMALL)), 1)
            value = value[:, :, ::step, ::step].contiguous()
        small[name] = _with_small_images(value, views) if isinstance(value, dict) else value
    return small


def _with_labels(pids: np.ndarray) -> np.ndarray:
    """Return the pids with images of no identity in identities of four."""
    unknown = np.flatnonzero(pids < 0)
    labelled = pids.copy()
    labelled[unknown] = int(pids.max(initial=-1)) + 1 + np.arange(len(unknown)) // 4
    return labelled


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(item)


def _nothing(_: object) -> None:
    """Do what a hook without ``rehearse`` does."""
