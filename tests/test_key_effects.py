"""Every declared key does something: another value makes a short training another one, or one that works otherwise.

A training of two epochs of two steps is watched from outside: what its batches are, what its network is given and
learns, how often what is computed and read, what it writes. A key that is added has to be given a line here.
"""

from __future__ import annotations

import json
from collections import Counter
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.config import get_cfg
from reidzoo.engine import image_table
from reidzoo.engine.seed import seed_everything, seed_of
from reidzoo.registry import TRAINER
from reidzoo.testing.tiny import SOURCE, TARGET, tiny_arguments, tiny_config, write_images
from reidzoo.testing.values import difference

from .test_value_ranges import declared

ADVERSARY = {
    "TRAINER": {"type": "AdversarialTrainer"}, "DATASETS": {"TRAIN": {"train": [SOURCE, TARGET]}},
    "LOSSES": {"domain": {
        "type": "CrossEntropyLoss", "inputs": {"logits": "domain_logits", "pid": "domain"}, "phase": "discriminator",
    }},
    "DISCRIMINATORS": {"discriminator": {"type": "MLPDiscriminator", "widths": [4]}},
    "OPTIMIZERS": {"discriminator": {"type": "SGD", "lr": 0.01}},
}  # fmt: skip
RERANK, EXPANSION = {"TEST.RERANK.ENABLED": True, "TEST.RERANK.K1": 4}, {"TEST.QUERY_EXPANSION.ENABLED": True}
UNNORMALISED = {"MODEL": {"type": "TwoViewEmbedder", "normalise": False}}
ENDLESS = {"SOLVER.CHECKPOINT_SECONDS": 10**6}
CASES = {
    # key: (another value, what it needs beside it)
    "SEED": (1, {}), "SEED_OFFSET": (1, {}), "STREAM": ("another", {}),
    "WEIGHTS": ({"model": "START"}, {}), "MODEL.WEIGHTS": ("START", {}),
    "WEIGHTS_IGNORE": (["head.classifier.*"], {"MODEL.WEIGHTS": "START"}),
    "DATASETS.ROOT": ("ANOTHER", {}), "DATASETS.TRAIN": ({"train": TARGET}, {}), "DATASETS.TESTS": ([TARGET], {}),
    "INPUT.SIZE": ([48, 24], {}), "INPUT.MEAN": ([0.4, 0.5, 0.6], {}), "INPUT.STD": ([0.1, 0.2, 0.3], {}),
    "INPUT.INTERPOLATION": ("nearest", {"INPUT.SIZE": [20, 10]}),
    "INPUT.TEST_INTERPOLATION": ("nearest", {"INPUT.SIZE": [20, 10]}),
    "INPUT.VIEWS": (2, {}), "INPUT.TRANSFORMS": ({"flip": None}, {}),
    "DATALOADER.NUM_WORKERS": (1, {"SOLVER.MAX_EPOCHS": 1}), "DATALOADER.CACHE": ("off", {}),
    "SAMPLER": ({"type": "ShuffleSampler"}, {}),
    "MODEL": (UNNORMALISED["MODEL"], {}), "MODEL.BN_GROUP": (4, {}), "MODEL.BN_DOMAINS": (2, {}),
    "BACKBONE": ({"ibn": "a"}, {}),
    "HEAD": ({"pooling": "max"}, {}), "LOSSES": ({"triplet": None}, {}),
    "MEMORIES": ({"memory": {"type": "ExemplarMemory", "size": 4}}, {}),
    "DISCRIMINATORS": ({"discriminator": {"type": "MLPDiscriminator", "widths": [6]}}, ADVERSARY),
    "TRAINER": ({"type": "AdversarialTrainer", "discriminator_norm": "eval"}, ADVERSARY),
    "CLUSTERER": ({"type": "KMeans", "num_clusters": 2}, {}), "OPTIMIZERS": ({"model": {"lr": 0.1}}, {}),
    "HOOKS": ({"freeze": {"type": "FreezeHook", "modules": ["backbone.conv1"]}}, {}),
    "SOLVER.MAX_EPOCHS": (1, {}), "SOLVER.ITERS_PER_EPOCH": (1, {}), "SOLVER.IMS_PER_BATCH": (12, {}),
    "SOLVER.PRECISION": ("bf16", {}), "SOLVER.CUDNN_BENCHMARK": (True, {}), "SOLVER.DETERMINISTIC": (True, {}),
    "SOLVER.CHUNK": (4, {"MODEL.BN_GROUP": 4}), "SOLVER.RECOMPUTE": (True, {}), "SOLVER.CHANNELS_LAST": (False, {}),
    "SOLVER.GRAD_CLIP": (0.01, {}), "SOLVER.CHECKPOINT_PERIOD": (2, {"SOLVER.CHECKPOINT_SECONDS": 0}),
    "SOLVER.CHECKPOINT_SECONDS": (0, ENDLESS), "SOLVER.CHECKPOINT_ITERS": (1, ENDLESS),
    "TEST.EVAL_PERIOD": (1, {}), "TEST.IMS_PER_BATCH": (5, {}), "TEST.METRIC": ("euclidean", UNNORMALISED),
    "TEST.AP": ("trapezoid", {}), "TEST.PROTOCOL": ("camera_free", {}), "TEST.FLIP": (True, {}),
    "TEST.RERANK.ENABLED": (True, {"TEST.RERANK.K1": 4}), "TEST.RERANK.K1": (8, RERANK), "TEST.RERANK.K2": (1, RERANK),
    "TEST.RERANK.LAMBDA": (0.9, RERANK), "TEST.QUERY_EXPANSION.ENABLED": (True, {}),
    "TEST.QUERY_EXPANSION.K": (2, EXPANSION), "TEST.QUERY_EXPANSION.ALPHA": (50.0, EXPANSION),
    "TEST.ROC.ENABLED": (True, {}), "TEST.ROC.RATES": ([0.5], {"TEST.ROC.ENABLED": True}), "LOG.PERIOD": (2, {}),
}  # fmt: skip
ELSEWHERE = {
    "PLUGINS": "config/test_plugins.py", "STAGES": "config/test_loader.py", "ZOO.INDEXES": "zoo/test_index.py",
    "OUTPUT_DIR": "runs/test_pipeline.py", "DEVICE": "engine/test_build.py",
    "SOLVER.COMPILE": "engine/test_compilation.py",
}  # fmt: skip
"""What is not of one stage's training on a CPU, and the file of its tests."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of images of noise, on which no figure is 0 or 1, and of the same ones once more."""
    folder = tmp_path_factory.mktemp("keys")
    for place in (folder, folder / "another"):
        place.mkdir(exist_ok=True)
        write_images(place)
        for number, path in enumerate(sorted(place.glob("*.png"))):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def watched(folder):
    """Return a function that gives what a training with changed keys is, seen from outside."""
    start = watch(folder, {"SEED": 5}, keep=folder / "start.pth")
    assert start["steps"] == 4
    seen = {}

    def watched(changes):
        text = json.dumps(changes, sort_keys=True)
        if text not in seen:
            seen[text] = watch(folder, nested(changes, {"START": folder / "start.pth", "ANOTHER": folder / "another"}))
        return seen[text]

    return watched


def nested(changes, files):
    """Return ``{"A.B": value}`` as ``{"A": {"B": value}}``, with the paths of ``files`` in the place of their names."""
    tree = {}
    for key, value in changes.items():
        *above, last = key.split(".")
        node = tree
        for name in above:
            node = node.setdefault(name, {})
        text = json.dumps(value)
        for name, path in files.items():
            text = text.replace(f'"{name}"', json.dumps(str(path)))
        node[last] = json.loads(text)
    return tree


def watch(folder, changes, keep=None):
    """Train for a moment and return all that can be seen of it; ``keep`` is where to save the weights."""
    hooks = {"test": {"type": "EvaluateHook"}, "lines": {"type": "LogHook"}, "saves": {"type": "CheckpointHook"}}
    changes = {**changes, "HOOKS": {**hooks, **changes.get("HOOKS", {})}}
    cfg = tiny_config(folder, changes)
    output = folder / "run"
    for path in output.glob("*"):
        path.unlink()
    seen = {"forwards": [], "counts": Counter(), "saves": []}
    seed_everything(seed_of(cfg))
    read = image_table.read_images

    def count_read(paths, **options):
        seen["counts"]["read"] += len(paths)
        return read(paths, **options)

    def note_forward(module, inputs):
        switches = torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
        layout = inputs[0].is_contiguous(memory_format=torch.channels_last)
        seen["forwards"].append((tuple(inputs[0].shape), layout, torch.is_grad_enabled(), *switches))

    def note_save(runner, path):
        seen["saves"].append((path.name, runner.epoch, runner.step))

    with (
        mock.patch.object(image_table, "read_images", count_read),
        mock.patch("reidzoo.hooks.checkpoint.save", note_save),
    ):
        trainer = TRAINER.build(cfg.TRAINER, **tiny_arguments(cfg, output))
        for name, module in trainer.parts.named_modules():
            if name.endswith(("backbone.conv1", "backbone.layer1.0.conv1")):
                module.register_forward_pre_hook(note_forward)
        seen["batch"] = {key: value for key, value in next(trainer.loader.epoch(0)).items() if torch.is_tensor(value)}
        trainer.train()
    weights = {key: value.clone() for key, value in trainer.parts.state_dict().items()}
    if keep:
        torch.save({"parts": {"model": trainer.model.state_dict()}}, keep)
    parts = {name: str(part) for name, part in trainer.parts.items()}
    return seen | {
        "steps": trainer.iter, "weights": weights, "parts": parts, "metrics": trainer.metrics,
        "paths": list(trainer.loader.table.paths), "clusterer": str(cfg.CLUSTERER),
        "written": {path.name: path.read_text() for path in output.glob("*.json*")},
    }  # fmt: skip


@pytest.mark.parametrize("key", CASES)
def test_another_value_makes_another_training(watched, key):
    value, beside = CASES[key]
    plain, other = watched(beside), watched({**beside, key: value})
    assert difference(plain, other)


def test_every_key_is_a_case():
    assert set(CASES) | set(ELSEWHERE) == set(declared(get_cfg()))


def test_nothing_else_differs(watched, folder):
    """Two trainings of one configuration are the same from outside, so that what differs above is the key's."""
    assert not difference(watched({}), watch(folder, {}))
