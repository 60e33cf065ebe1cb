"""MixStyle on the layers of a backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from reidzoo import distributed
from reidzoo.checks import PROBABILITY, TEXT, check, each, number, one_of
from reidzoo.engine.runner import Runner
from reidzoo.engine.seed import seed_of
from reidzoo.errors import ConfigError
from reidzoo.hooks.hook import Hook
from reidzoo.models.mix_style import mix_style
from reidzoo.random_streams import MIXING, random_generator
from reidzoo.registry import HOOK

__all__ = ["MixStyleHook"]


@HOOK.register_module()
class MixStyleHook(Hook):
    """Mixes the statistics of other images into the output of named layers, while they are in training mode.

    Zhou et al., "Domain generalization with MixStyle" (ICLR 2021): with probability ``p`` for each batch and layer the
    mean and the standard deviation of every image's channels are mixed with those of another image of the batch, with a
    weight of Beta(alpha, alpha) for each image. The layers are left as they are, so that model files, exports and tests
    know nothing of it; what is drawn depends on (seed, epoch, step) alone. Within a network that says ``output_fmt:
    NHWC``, as a Swin does, the channels of all but convolutions' maps are the last axis.

    Args:
        layers: names of sub-modules whose output, a feature map, is mixed; the paper's are the first residual stages.
        part: whose; a name of the trainer's parts.
        p: the probability that a layer mixes a batch.
        alpha: of the Beta distribution.
        partners: ``random`` for a random order of the batch, or ``crossed``: each half of it, in a random order, for
            the other, as where a batch has one domain's images first and then another's.

    Raises:
        ConfigError: an argument is out of its range; when training begins, there is no such layer, or SOLVER.COMPILE,
            RECOMPUTE or CHUNK is set, with which a layer is not called once a step.
    """

    def __init__(
        self,
        layers: Sequence[str] = ("backbone.layer1", "backbone.layer2"),
        part: str = "model",
        p: float = 0.5,
        alpha: float = 0.1,
        partners: str = "random",
    ) -> None:
        check(self, each(TEXT, least=1), layers=layers)
        check(self, TEXT, part=part)
        check(self, PROBABILITY, p=p)
        check(self, number(1e-3, 1e3), alpha=alpha)
        check(self, one_of("random", "crossed"), partners=partners)
        self.layers, self.part, self.p, self.alpha, self.partners = list(layers), part, p, alpha, partners
        self._handles: list[RemovableHandle] = []
        self._rng: np.random.Generator | None = None

    def before_train(self, runner: Runner) -> None:
        """Look the layers up, and have their outputs mixed."""
        if self.part not in runner.parts:
            raise ConfigError(
                f"HOOKS: MixStyleHook: there is no part {self.part!r}; there are {', '.join(runner.parts)}"
            )
        solver = runner.cfg.SOLVER
        for key in ("COMPILE", "RECOMPUTE", "CHUNK"):
            if solver[key]:
                raise ConfigError(f"HOOKS: MixStyleHook: a layer is to be called once a step; SOLVER.{key} is set")
        named = dict(runner.parts[self.part].named_modules())
        for name in self.layers:
            if name not in named:
                below = [known for known in named if known.count(".") == name.count(".")]
                raise ConfigError(
                    f"HOOKS: MixStyleHook: layers: {name!r} names nothing in part {self.part}; there are "
                    f"{', '.join(below[:12])}"
                )
        self.after_train(runner)
        self._handles = [
            named[name].register_forward_hook(partial(self._mix, _has_channels_last(named, name)))
            for name in self.layers
        ]

    def rehearse(self, runner: Runner) -> None:
        """Look the layers up, and have their outputs mixed."""
        self.before_train(runner)
        self.before_train_iter(runner, 0)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Begin the step's random numbers, the same ones in every process."""
        self._rng = random_generator(MIXING, seed=seed_of(runner.cfg), epoch=runner.epoch, step=batch_idx)

    def after_train(self, runner: Runner) -> None:
        """Leave the layers alone."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _mix(self, channels_last: bool, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        if not layer.training or self._rng is None:
            return output
        if not isinstance(output, Tensor) or output.dim() != 4:
            raise ConfigError(f"HOOKS: MixStyleHook: {type(layer).__name__} returns no feature map (B, C, H, W)")
        count = len(output) * distributed.world_size()
        gate, weights = self._rng.random(), self._rng.beta(self.alpha, self.alpha, count)
        partners = self._partners(self._rng, count)
        if gate >= self.p:
            return output
        if channels_last:
            return mix_style(output.permute(0, 3, 1, 2), partners, weights).permute(0, 2, 3, 1)
        return mix_style(output, partners, weights)

    def _partners(self, rng: np.random.Generator, count: int) -> np.ndarray:
        if self.partners == "random":
            return rng.permutation(count)
        half = count // 2
        return np.concatenate([half + rng.permutation(count - half), rng.permutation(half)])[:count]


def _has_channels_last(named: Mapping[str, nn.Module], name: str) -> bool:
    """Return whether a layer's maps are (B, H, W, C): it is no convolution, and lies in a network of such maps."""
    steps = name.split(".")
    around = [named[".".join(steps[:count])] for count in range(len(steps) + 1)]
    in_such = any(getattr(module, "output_fmt", "") == "NHWC" for module in around)
    return in_such and not isinstance(named[name], nn.Conv2d)
