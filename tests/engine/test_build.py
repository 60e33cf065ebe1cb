from __future__ import annotations

import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_test_table, build_train_sets, final_size
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline


def trainer_of(path, folder):
    (cfg,) = Pipeline(load_config(path)).stages.values()
    device = torch.device("cpu")
    return TRAINER.build(cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=folder, device=device)


def test_images_are_tested_at_the_size_that_training_leaves(write_config, tmp_path):
    plain = trainer_of(write_config(), tmp_path)
    assert final_size(plain.cfg) == (32, 16)
    crop = {"crop": {"type": "RandomCrop", "size": [28, 12]}}
    cropped = trainer_of(write_config(INPUT={"SIZE": [32, 16], "TRANSFORMS": crop}), tmp_path)
    assert final_size(cropped.cfg) == (28, 12)
    table = build_test_table(cropped.cfg, cropped.sets["train"].paths)
    assert table[[0, 1]].shape == (2, 3, 28, 12)
    assert next(cropped.loader.epoch(0))["img"].shape[2:] == (28, 12)

    seen = []
    for trainer in (plain, cropped):
        trainer.model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape[2:])))
        assert len(extract_train_features(trainer)) == 72
    assert set(seen) == {(32, 16), (28, 12)}
