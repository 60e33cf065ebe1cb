from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from yacs.config import CfgNode

from reidzoo.config import get_cfg
from reidzoo.deployment.crops import Crops
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.registry import MODEL

COMMON = ["rich", "markdown-it-py", "mdurl", "pygments", "filterpy<2"]
PACKAGES = {
    "boxmot": ["boxmot==25.0.0", "lapx", "platformdirs", "click", "huggingface_hub", "timm", "loguru", *COMMON],
    "ultralytics": ["ultralytics==8.4.190", "lapx", "polars", "polars-runtime-32", "psutil", "requests", "urllib3",
                    "idna", "certifi", "charset-normalizer", "ultralytics-thop", "ultralytics-platform"],
    "roboflow": ["reid==0.1.0rc1", "supervision", "pydeprecate", "huggingface_hub", "timm", "httpx2", "httpcore2",
                 "h11", "anyio", "truststore", "defusedxml", "requests", "urllib3", "idna", "certifi"],
    "norfair": ["norfair==2.3.0", *COMMON],
    "trackers": ["trackers==2.6.1", "supervision", "pydeprecate", "defusedxml", "requests", "urllib3", "idna",
                 "certifi", "charset-normalizer"],
}  # fmt: skip
"""What is installed of each program, without what else it would bring, such as another torch."""
SMALL = {"type": "ResNet", "depth": 18, "width": 4, "pretrained": ""}


def lively(module):
    """Give batch norms statistics and weights as training leaves them: none is the identity."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d | nn.InstanceNorm2d) and part.affine:
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.2)
            if part.running_mean is not None:
                nn.init.normal_(part.running_mean, 0, 0.2)
                nn.init.uniform_(part.running_var, 0.5, 1.5)
    return module


@torch.no_grad()
def settle(module, size):
    """Give batch norms the statistics of images: a deep network of random ones says the same of all images."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    module.train()(torch.randn(16, 3, *size))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    module.eval()


@pytest.fixture(scope="session")
def make_model():
    """Return a function that builds a model that is ready to embed, of random weights."""

    def make(backbone=SMALL, head=None, model=None, size=(32, 16), **changes):
        torch.manual_seed(0)
        cfg = get_cfg()
        cfg.INPUT.SIZE = list(size)
        cfg.INPUT.TRANSFORMS = CfgNode({"normalize": {"type": "Normalize"}})
        cfg.INPUT.MEAN, cfg.INPUT.STD = [0.4, 0.5, 0.3], [0.2, 0.3, 0.25]
        for key, value in changes.items():
            node, name = key.split("_", 1)
            cfg[node][name] = value
        module = MODEL.build(model or {"type": "Embedder"}, backbone=backbone, head=head or {"type": "BNNeck"})
        settle(lively(module), size)
        return ReadyModel(module, cfg, {"name": "tiny", "licence": "CC0", "metrics": {"a": {"mAP": 0.5}}})

    return make


def person(pid, camid, number):
    """Return a picture of two colours, those of a person, with a camera's noise."""
    colours = np.random.default_rng(pid).integers(30, 225, (2, 3))
    noise = np.random.default_rng([pid, camid, number])
    pixels = np.repeat(colours, 32, axis=0)[:, None, :] + noise.normal(6 * camid, 14, (64, 32, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def crops(tmp_path_factory):
    """Eight people under two cameras, as crops with labels."""
    folder = tmp_path_factory.mktemp("crops")
    paths = {"query": [], "gallery": []}
    for pid in range(8):
        for number in range(4):
            split = "gallery" if number else "query"
            path = folder / f"{split}_{pid}_c{number % 2}_{number}.png"
            person(pid, number % 2, number).save(path)
            paths[split].append((str(path), pid, number % 2))
    both = [*paths["query"], *paths["gallery"]]
    return Crops(
        "drawn people", [p for p, _, _ in paths["query"]], [p for p, _, _ in paths["gallery"]],
        [pid for _, pid, _ in both], [camid for _, _, camid in both],
    )  # fmt: skip


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """Where the programs are installed."""
    return Path(os.environ.get("REIDZOO_CONSUMERS") or tmp_path_factory.mktemp("consumers"))


@pytest.fixture
def run_with(shelf):
    """Return a function that runs Python with a program installed, in a process of its own."""

    def run(name, code, cwd):
        folder = shelf / name
        if not (folder / "complete").is_file():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--pre", "--target", str(folder)]
            done = subprocess.run([*command, *PACKAGES[name]], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{name} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
            (folder / "complete").write_text("")
        path = os.pathsep.join([str(folder), *(p for p in [os.environ.get("PYTHONPATH", "")] if p)])
        env = {**os.environ, "PYTHONPATH": path, "PIP_NO_INDEX": "1", "YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0"}
        env |= {"YOLO_CONFIG_DIR": str(cwd), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
