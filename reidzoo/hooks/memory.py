"""Initialisation of the hybrid memory before the first step."""

from __future__ import annotations

from typing import Any

import torch

from reidzoo.add_rows import add_rows
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["MemoryHook"]


@HOOK.register_module()
class MemoryHook(Hook):
    """Initialises the part ``memory`` with the initial model's features (SpCL): source class means, target images."""

    priority = 10

    def before_train(self, runner: Runner) -> None:
        """Fill the memory with extracted features; a resumed run has it in the checkpoint."""
        if runner.iter:
            return
        features = extract_train_features(runner, title="filling the memory").to(runner.device)
        self._fill(runner, features)

    def rehearse(self, runner: Runner) -> None:
        """Fill the memory with random features."""
        count = sum(len(data) for data in runner.sets.values())
        self._fill(runner, torch.rand(count, runner.model.embedding_dim, device=runner.device))

    def _fill(self, runner: Runner, features: torch.Tensor) -> None:
        for kind, names, name in (("MEMORIES", runner.parts, "memory"), ("DATASETS.TRAIN", runner.sets, "target")):
            if name not in names:
                raise ConfigError(f"HOOKS: MemoryHook needs an entry {name!r} of {kind}; there are {', '.join(names)}")
        memory: Any = runner.parts["memory"]  # any MEMORY with ``num_source`` and ``initialise``
        target = features[-len(runner.sets["target"]) :]
        means = torch.zeros(memory.num_source, features.shape[1], device=runner.device)
        if "source" in runner.sets:
            pids = torch.from_numpy(runner.sets["source"].pids).to(runner.device)
            add_rows(means, pids, features[: len(pids)])
        memory.initialise(torch.nn.functional.normalize(means), target)
