"""The parts that ECN adds (Zhong et al., CVPR 2019)."""

from __future__ import annotations

from ecn.camera_oracle_trainer import CameraOracleTrainer
from ecn.mini_batch import MiniBatchExemplars
from ecn.mini_batch_trainer import MiniBatchTrainer
from ecn.neighbour_hook import NeighbourHook
from ecn.neighbour_log_hook import NeighbourLogHook
from ecn.neighbour_sampler import NeighbourSampler
from ecn.oracle_trainer import OracleTrainer
from ecn.trainer import ECNTrainer
from ecn.two_path_head import TwoPathHead

__all__ = [
    "CameraOracleTrainer",
    "ECNTrainer",
    "MiniBatchExemplars",
    "MiniBatchTrainer",
    "NeighbourHook",
    "NeighbourLogHook",
    "NeighbourSampler",
    "OracleTrainer",
    "TwoPathHead",
]
