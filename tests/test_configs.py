"""Every YAML in the repository is built, and every phase of every stage takes a step on random data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from yacs.config import CfgNode

from reidzoo.config import load_config
from reidzoo.datasets import build_dataset, write_pseudo_labels
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.pipeline import Pipeline
from reidzoo.registry import TRAINER

REPOSITORY = Path(__file__).parent.parent
YAMLS = (path for folder in ("configs", "projects") for path in (REPOSITORY / folder).rglob("*.yml"))
FILES = sorted(str(path.relative_to(REPOSITORY)) for path in YAMLS if path.stem != "results")


def innermost(cfg):
    """Return the stage's real-world dataset node inside its wrappers."""
    nodes = [node for given in cfg.DATASETS.TRAIN.values() for node in (given if isinstance(given, list) else [given])]
    return [node for node in nodes if isinstance(node, dict) and "labels" in node]


def write_random_labels(cfg):
    """Put a file where the stage that clusters would have left it: three images to a label."""
    for node in innermost(cfg):
        dataset = build_dataset(node["dataset"], root=cfg.DATASETS.ROOT)
        labels = np.arange(len(dataset.train)) // 3
        write_pseudo_labels(node["labels"], dataset.train, labels, dataset.folder)


def prepare(trainer):
    """Give a trainer with a memory random features and labels, as its hooks would."""
    if "memory" in trainer.parts:
        memory = trainer.parts["memory"]
        rows, dim = memory.features.shape
        features = torch.randn(rows, dim)
        memory.initialise(features[: memory.num_source], features[memory.num_source :])
        trainer.relabel("target", torch.arange(memory.num_target) // 3)


def phases(trainer):
    return {phase for hook in trainer.hooks.values() if hasattr(hook, "phases") for phase in hook.phases()} or {"model"}


@pytest.mark.parametrize("file", FILES)
def test_every_stage_takes_a_step(file, tiny_root, tmp_path):
    overrides = [
        "DATASETS.ROOT",
        str(tiny_root),
        "OUTPUT_DIR",
        str(tmp_path),
        "DEVICE",
        "cpu",
        "INPUT.SIZE",
        "[64, 32]",
    ]
    overrides += ["SOLVER.IMS_PER_BATCH", "16", "SOLVER.ITERS_PER_EPOCH", "1", "DATALOADER.CACHE", "off"]
    if load_config(REPOSITORY / file).BACKBONE.get("pretrained"):
        overrides += ["BACKBONE.pretrained", ""]
    pipeline = Pipeline(load_config(REPOSITORY / file, opts=overrides))
    for name, cfg in pipeline.stages.items():
        if not cfg.DATASETS.TRAIN:
            continue  # a fragment: others name the data
        cfg = cfg.clone()
        cfg.defrost()
        cfg.WEIGHTS = CfgNode()  # of stages that did not run
        write_random_labels(cfg)
        trainer = TRAINER.build(
            cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=tmp_path / name, device=torch.device("cpu")
        )
        prepare(trainer)
        trainer.parts.train()
        for phase in sorted(phases(trainer)):
            before = {key: value.clone() for key, value in trainer.parts.state_dict().items()}
            trainer.phase = phase
            (batch,) = trainer.loader.epoch(0)
            scalars = trainer.train_step(batch)
            assert scalars and all(torch.isfinite(value) for value in scalars.values()), (name, phase, scalars)
            assert any(not torch.equal(value, before[key]) for key, value in trainer.parts.state_dict().items())


def test_there_are_files():
    assert len(FILES) > 10
