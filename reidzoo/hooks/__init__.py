"""Hooks: everything that happens around the training steps."""

from reidzoo.hooks.checkpoint import CheckpointHook
from reidzoo.hooks.early_stop import EarlyStopHook
from reidzoo.hooks.ema import EMAHook
from reidzoo.hooks.evaluate import EvaluateHook
from reidzoo.hooks.freeze import FreezeHook
from reidzoo.hooks.hook import Hook, build_hooks
from reidzoo.hooks.log import LogHook
from reidzoo.hooks.memory import MemoryHook
from reidzoo.hooks.phase import EpochPhaseHook, IterationPhaseHook, ThresholdPhaseHook
from reidzoo.hooks.probe import ProbeHook
from reidzoo.hooks.progress import ProgressHook
from reidzoo.hooks.pseudo_label import ExportPseudoLabelsHook, PseudoLabelHook
from reidzoo.hooks.renew_optimizers import RenewOptimizersHook
from reidzoo.hooks.schedule import ConstantSchedule, CosineSchedule, LinearSchedule, MultiStepSchedule, Schedule
from reidzoo.hooks.stop_on_nan import StopOnNaNHook

__all__ = [
    "CheckpointHook", "ConstantSchedule", "CosineSchedule", "EMAHook", "EarlyStopHook", "EpochPhaseHook",
    "EvaluateHook", "ExportPseudoLabelsHook", "FreezeHook", "Hook", "IterationPhaseHook", "LinearSchedule", "LogHook",
    "MemoryHook", "MultiStepSchedule", "ProbeHook", "ProgressHook", "PseudoLabelHook", "RenewOptimizersHook",
    "Schedule", "StopOnNaNHook", "ThresholdPhaseHook", "build_hooks",
]  # fmt: skip
