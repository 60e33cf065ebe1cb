from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.errors import ConfigError
from reidzoo.trainers import SourceTargetTrainer

TARGET = {"type": "Unlabeled", "dataset": {"type": "DukeMTMC"}}


class Method(SourceTargetTrainer):
    def step_model(self, batch):
        raise NotImplementedError


class OnlySource(Method):
    alone = ("source",)

    def check(self, cfg, sets):
        if cfg.SEED == 13:
            raise ConfigError("not this seed")


@pytest.fixture
def build(write_config, tmp_path):
    def build(cls=Method, sets=("source", "target"), **changes):
        nodes = {name: {"source": "Market1501", "target": TARGET}[name] for name in sets}
        cfg = load_config(write_config(DATASETS={"TRAIN": nodes}, SAMPLER={"type": "SourceTargetSampler"}, **changes))
        return cls(cfg, build_train_sets(cfg), tmp_path, torch.device("cpu"))

    return build


def test_the_classes_are_the_source_s(build):
    trainer = build()
    assert trainer.num_classes == 12 == trainer.model.num_classes
    trainer.relabel("target", torch.arange(len(trainer.sets["target"])) // 3)
    assert trainer.num_classes == 12


@pytest.mark.parametrize("names", [["source"], ["target"], ["target", "source"], ["train"]])
def test_other_sets_are_a_mistake(names, tmp_path):
    sets = dict.fromkeys(names)
    with pytest.raises(ConfigError, match=rf"SourceTargetTrainer takes .* in this order; there are {', '.join(names)}"):
        SourceTargetTrainer(SimpleNamespace(), sets, tmp_path, torch.device("cpu"))


def test_one_set_alone_where_a_method_allows_it(build):
    assert build(OnlySource, ["source"]).num_classes == 12
    with pytest.raises(ConfigError, match="in this order, or source alone; there are target"):
        build(OnlySource, ["target"])


def test_a_method_checks_before_anything_is_built(build):
    with pytest.raises(ConfigError, match="not this seed"):
        build(OnlySource, SEED=13)
