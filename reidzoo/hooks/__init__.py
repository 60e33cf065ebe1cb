"""Hooks: everything that happens around the training steps."""

from reidzoo.hooks.alternation import AlternationHook
from reidzoo.hooks.checkpoint import CheckpointHook
from reidzoo.hooks.constant_schedule import ConstantSchedule
from reidzoo.hooks.constant_thresholds import ConstantThresholds
from reidzoo.hooks.cosine_schedule import CosineSchedule
from reidzoo.hooks.early_stop import EarlyStopHook
from reidzoo.hooks.ema import EMAHook
from reidzoo.hooks.epoch_phase import EpochPhaseHook
from reidzoo.hooks.evaluate import EvaluateHook
from reidzoo.hooks.export_pseudo_labels import ExportPseudoLabelsHook
from reidzoo.hooks.freeze import FreezeHook
from reidzoo.hooks.hook import Hook, build_hooks
from reidzoo.hooks.iteration_phase import IterationPhaseHook
from reidzoo.hooks.keep_best import KeepBestHook
from reidzoo.hooks.linear_schedule import LinearSchedule
from reidzoo.hooks.log import LogHook
from reidzoo.hooks.memory import MemoryHook
from reidzoo.hooks.mix_style import MixStyleHook
from reidzoo.hooks.mlflow import MLflowHook
from reidzoo.hooks.multi_step_schedule import MultiStepSchedule
from reidzoo.hooks.one_cycle_schedule import OneCycleSchedule
from reidzoo.hooks.plateau_schedule import PlateauSchedule
from reidzoo.hooks.polynomial_schedule import PolynomialSchedule
from reidzoo.hooks.probe import ProbeHook
from reidzoo.hooks.progress import ProgressHook
from reidzoo.hooks.pseudo_label import PseudoLabelHook
from reidzoo.hooks.recorded_actions import RecordedActions
from reidzoo.hooks.renew_optimizers import RenewOptimizersHook
from reidzoo.hooks.schedule import Schedule
from reidzoo.hooks.stop_on_nan import StopOnNaNHook
from reidzoo.hooks.switch_rule import SwitchRule
from reidzoo.hooks.tensorboard import TensorBoardHook
from reidzoo.hooks.timeline import draw_timeline, timeline_plot
from reidzoo.hooks.torch_schedule import TorchSchedule
from reidzoo.hooks.tracker import TrackerHook
from reidzoo.hooks.wandb import WandbHook

__all__ = [
    "AlternationHook", "CheckpointHook", "ConstantSchedule", "ConstantThresholds", "CosineSchedule", "EMAHook",
    "EarlyStopHook", "EpochPhaseHook", "EvaluateHook", "ExportPseudoLabelsHook", "FreezeHook", "Hook",
    "IterationPhaseHook", "KeepBestHook", "LinearSchedule", "LogHook", "MLflowHook", "MemoryHook", "MixStyleHook",
    "MultiStepSchedule", "OneCycleSchedule", "PlateauSchedule", "PolynomialSchedule", "ProbeHook", "ProgressHook",
    "PseudoLabelHook", "RecordedActions", "RenewOptimizersHook", "Schedule", "StopOnNaNHook", "SwitchRule",
    "TensorBoardHook", "TorchSchedule", "TrackerHook", "WandbHook", "build_hooks", "draw_timeline", "timeline_plot",
]  # fmt: skip
