"""New optimizers at the start of every epoch."""

from __future__ import annotations

from reidzoo.checks import check, whole
from reidzoo.engine.runner import Runner
from reidzoo.hooks.hook import Hook
from reidzoo.registry import HOOK

__all__ = ["RenewOptimizersHook"]


@HOOK.register_module()
class RenewOptimizersHook(Hook):
    """Rebuilds all optimizers before each epoch, so that Adam begins with zero moments.

    Released code that clusters in every epoch tends to do so (MMT; DomainMix, from its 31st epoch on). Where such code
    restarts its warm-up as well, the learning rate stays at the warm-up's first value; that is a matter of the
    configuration's schedule here.

    Args:
        begin_epoch: the first epoch, counted from 0, that begins with new optimizers.
    """

    priority = 25  # before labels change, which carries moments over

    def __init__(self, begin_epoch: int = 0) -> None:
        check(self, whole(0), begin_epoch=begin_epoch)
        self.begin_epoch = begin_epoch

    def before_train_epoch(self, runner: Runner) -> None:
        """Reset the state of all optimizers."""
        if runner.epoch >= self.begin_epoch:
            runner.renew_optimizers(keep=False)
