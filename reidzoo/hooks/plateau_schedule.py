"""A schedule that goes by what is measured on a validation set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from reidzoo.checks import PROBABILITY, TEXT, check, number, one_of, whole
from reidzoo.engine.runner import Runner
from reidzoo.errors import ConfigError
from reidzoo.hooks.schedule import Schedule
from reidzoo.hooks.torch_schedule import StandIn
from reidzoo.registry import HOOK

__all__ = ["PlateauSchedule"]


@HOOK.register_module()
class PlateauSchedule(Schedule):
    """Lowers the learning rate when a figure of the validation set no longer improves.

    torch's ``ReduceLROnPlateau``, given what ``EarlyStopHook`` or ``KeepBestHook`` measures. Test sets have no part in
    it. Its state is the figures so far; the factor is what torch makes of them, from the first on.

    Args:
        figure: of the validation set: ``loss``, or such as ``mAP`` and ``rank-1``.
        mode: ``min`` where a smaller figure is better, as a loss is; ``max`` where a greater one is; "" for ``min``
            with ``loss`` and ``max`` otherwise.
        gamma: what the rate is multiplied by, in [0, 1).
        patience: how many measurements without improvement are tolerated.
        threshold: the least improvement that counts, as a share of the best figure.
        cooldown: how many measurements are not looked at after a change.
        least: the least factor.
        **warmup: as ``WarmUp`` takes it.

    Raises:
        ConfigError: an argument is out of its range; when training begins, no hook measures the figure.
    """

    priority = 45  # after what measures, before the log

    def __init__(
        self,
        figure: str = "loss",
        mode: str = "",
        gamma: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        least: float = 0.0,
        **warmup: Any,
    ) -> None:
        super().__init__(**warmup)
        check(self, TEXT, figure=figure)
        check(self, one_of("", "min", "max"), mode=mode)
        check(self, number(0, below=1), gamma=gamma)
        check(self, whole(0), patience=patience, cooldown=cooldown)
        check(self, PROBABILITY, threshold=threshold, least=least)
        self.figure, self.mode = figure, mode or ("min" if figure == "loss" else "max")
        options = {"factor": gamma, "patience": patience, "threshold": threshold, "cooldown": cooldown}
        self.options = {**options, "min_lr": least, "eps": 0.0}  # torch's eps is in units of the rate
        self.figures: list[float] = []
        self._factor: tuple[int, float] = 0, 1.0
        self._seen: Any = None

    def before_train(self, runner: Runner) -> None:
        """Check the optimizers, and that a hook measures the figure."""
        super().before_train(runner)
        measured = {name for hook in runner.hooks.values() for name in getattr(hook, "validates", ())}
        if self.figure not in measured:
            raise ConfigError(
                f"HOOKS: PlateauSchedule goes by the validation set's {self.figure}, which no hook measures; "
                f"{'measured are ' + ', '.join(sorted(measured)) if measured else 'none measures anything of it'}. "
                f"EarlyStopHook measures its loss, KeepBestHook its mAP"
            )

    def after_train_epoch(self, runner: Runner) -> None:
        """Take up what was measured, if something was."""
        found = runner.metrics.get("validation")
        if found is not None and found is not self._seen and self.figure in found:
            self.figures.append(float(found[self.figure]))
        self._seen = found

    def factor(self, epoch: float, max_epochs: int) -> float:
        """Return what torch makes of a rate of 1 with the figures so far; the epoch has no part in it."""
        if self._factor[0] != len(self.figures):
            stand_in = StandIn([{"lr": 1.0}])
            scheduler = ReduceLROnPlateau(stand_in, self.mode, **self.options)  # type: ignore[arg-type]
            for figure in self.figures:
                scheduler.step(figure)
            self._factor = len(self.figures), float(stand_in.param_groups[0]["lr"])
        return self._factor[1]

    def state_dict(self) -> dict[str, Any]:
        """Return the figures so far."""
        return {"figures": list(self.figures)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint's figures."""
        self.figures, self._factor = list(state["figures"]), (-1, 1.0)
