"""Freezing of layers, from an epoch on or until one."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from reidzoo.checks import TEXT, check, each, whole
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["FreezeHook"]


@HOOK.register_module()
class FreezeHook(Hook):
    """Freezes modules of a part, for the whole training or some of its epochs: no gradient, and evaluation mode.

    In evaluation mode a batch norm normalises by its running statistics and leaves them alone, so that a frozen layer
    is the same function for every batch. An optimizer that holds frozen weights does not move them. A new model's first
    epochs, say, train its head alone: ``{type: FreezeHook, modules: [backbone], end_epoch: 10}``.

    Args:
        modules: names of sub-modules, such as ``backbone.layer1``, or patterns (fnmatch); what is in them is frozen
            with them.
        part: whose; a name of the trainer's parts.
        moving_norms: patterns of the batch norms among them that stay in training mode, their weights frozen all the
            same. ``["*.downsample.*"]`` is what ECN's authors' code does by mistake.
        begin_epoch: the first epoch, counted from 0, in which they are frozen.
        end_epoch: the first epoch after that in which they are trained again; 0 for none.

    Raises:
        ConfigError: the list is empty, or the last epoch is not after the first; in training, a name or a pattern that
            names nothing.
    """

    priority = 12

    def __init__(
        self,
        modules: Sequence[str],
        part: str = "model",
        moving_norms: Sequence[str] = (),
        begin_epoch: int = 0,
        end_epoch: int = 0,
    ) -> None:
        if isinstance(modules, str) or not modules:
            raise ConfigError("HOOKS: FreezeHook needs a list of modules, such as [backbone.conv1, backbone.layer1]")
        check(self, each(TEXT, least=1), modules=modules)
        check(self, TEXT, part=part)
        check(self, each(TEXT), moving_norms=moving_norms)
        check(self, whole(0), begin_epoch=begin_epoch, end_epoch=end_epoch)
        if 0 < end_epoch <= begin_epoch:
            raise ConfigError(f"HOOKS: FreezeHook: end_epoch {end_epoch} is not after begin_epoch {begin_epoch}")
        self.modules, self.part, self.moving_norms = list(modules), part, list(moving_norms)
        self.begin_epoch, self.end_epoch = begin_epoch, end_epoch
        self.frozen: list[nn.Module] = []
        self.moving: list[nn.Module] = []
        self._stopped: list[nn.Parameter] = []

    def before_train(self, runner: Runner) -> None:
        """Look the modules up and, from ``begin_epoch`` on, freeze their parameters."""
        if self.part not in runner.parts:
            raise ConfigError(f"HOOKS: FreezeHook: there is no part {self.part!r}; there are {', '.join(runner.parts)}")
        named = dict(runner.parts[self.part].named_modules())
        self.frozen = [named[name] for name in self._matching(named, self.modules, "modules")]
        inside = {id(module) for top in self.frozen for module in top.modules()}
        norms = {name: m for name, m in named.items() if isinstance(m, _BatchNorm) and id(m) in inside}
        self.moving = [norms[name] for name in self._matching(norms, self.moving_norms, "moving_norms")]
        self.before_train_epoch(runner)  # a run that is resumed half-way through an epoch does not begin it

    def rehearse(self, runner: Runner) -> None:
        """Look the modules up and freeze them."""
        self.before_train(runner)
        self.before_train_iter(runner, 0)

    def before_train_epoch(self, runner: Runner) -> None:
        """Freeze their parameters from ``begin_epoch`` on; from ``end_epoch`` on, train again what was trained."""
        if self._is_frozen(runner):
            moving = [p for module in self.frozen for p in module.parameters() if p.requires_grad]
            self._stopped += moving
            for parameter in moving:
                parameter.requires_grad_(False)
        elif self._stopped:
            for parameter in self._stopped:
                parameter.requires_grad_(True)
            self._stopped = []
            for module in self.frozen:
                module.train()

    def _is_frozen(self, runner: Runner) -> bool:
        return self.begin_epoch <= runner.epoch and not 0 < self.end_epoch <= runner.epoch

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the frozen modules to eval mode before every step, as others set whole parts to train mode."""
        if not self._is_frozen(runner):
            return
        for module in self.frozen:
            module.eval()
        for norm in self.moving:
            norm.train()

    def _matching(self, named: Mapping[str, nn.Module], patterns: Sequence[str], argument: str) -> list[str]:
        matching: dict[str, None] = {}
        for pattern in patterns:
            names = [name for name in named if name and fnmatch.fnmatchcase(name, pattern)]
            if not names:
                raise ConfigError(
                    f"HOOKS: FreezeHook: {argument}: {pattern!r} names nothing in part {self.part}; "
                    f"there are {', '.join(list(named)[1:9]) or 'none'}, ... With another network name its own, or set "
                    f"the hook to null"
                )
            matching.update(dict.fromkeys(names))
        return list(matching)
