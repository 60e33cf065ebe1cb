"""The search for the neighbours of the target's images before each epoch."""

from __future__ import annotations

from typing import Any

from reidzoo.clustering import nearest_by_cosine
from reidzoo.engine.evaluate import comparison_device, extract_train_features, resident
from reidzoo.engine.runner import Runner
from reidzoo.hooks import Hook
from reidzoo.registry import HOOK

__all__ = ["NeighbourHook"]


@HOOK.register_module()
class NeighbourHook(Hook):
    """Extracts the target's features, as tested, and gives each image's neighbours to the memory and the sampler.

    The memory is ``MiniBatchExemplars``, with ``NeighbourSampler``, or ``ExemplarMemory`` with ``neighbours_by:
    tested``.
    """

    priority = 10

    def before_train(self, runner: Runner) -> None:
        """Let a run resumed in the middle of an epoch go on with the epoch's neighbours.

        Raises:
            ConfigError: a batch is too small for the neighbours of later epochs.
        """
        exemplars: Any = runner.parts["exemplar"]
        self._set_sampler(runner, exemplars.neighbours_from)
        runner.loader.plan(runner.epoch)
        self._set_sampler(runner, runner.epoch)

    def before_train_epoch(self, runner: Runner) -> None:
        """Find the neighbours of the coming epoch."""
        exemplars: Any = runner.parts["exemplar"]
        if exemplars.with_neighbours(runner.epoch):
            features = extract_train_features(runner, "target", title="finding neighbours")
            features = resident(features, comparison_device(runner.device))
            nearest, _ = nearest_by_cosine(features, exemplars.neighbours)
            exemplars.take_neighbours(nearest)
        self._set_sampler(runner, runner.epoch)

    def rehearse(self, runner: Runner) -> None:
        """Give the sampler what it has in the first epoch."""
        self._set_sampler(runner, runner.epoch)

    @staticmethod
    def _set_sampler(runner: Runner, epoch: int) -> None:
        exemplars: Any = runner.parts["exemplar"]
        if runner.cfg.SAMPLER.type != "NeighbourSampler":
            return
        node = {"type": runner.cfg.SAMPLER.type}
        if exemplars.with_neighbours(epoch):
            node["neighbours"] = exemplars.neighbours_of.cpu().numpy()
        runner.loader.sampler = node
