"""The models that the repository keeps are what their sidecars say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import reidzoo
from reidzoo import zoo
from reidzoo.datasets import build_dataset
from reidzoo.engine.evaluate import evaluate_dataset
from reidzoo.publishing.export import LIMIT

FOLDER = Path(__file__).parents[1] / "zoo"
NAMES = sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def sidecar(name):
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text())


def test_a_kept_model_reaches_the_stated_map(market_twin):
    stated = sidecar("domainmix_mini")["kept_metrics"]["Market1501 twin"]["mAP"]
    model = reidzoo.load("domainmix_mini")
    found = evaluate_dataset(model.config, model.module, build_dataset("Market1501", market_twin), torch.device("cpu"))
    assert found["mAP"] == pytest.approx(stated, abs=0.001)
    assert zoo.entry("domainmix_mini").metrics["Market1501 twin"]["mAP"] == stated


@pytest.mark.parametrize("name", NAMES)
def test_every_kept_model_is_small_and_embeds(name):
    file = FOLDER / f"{name}.safetensors"
    assert file.stat().st_size == sidecar(name)["size"] <= LIMIT
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 40, 3), dtype=np.uint8))
    model = reidzoo.load(name)
    assert model.info["metrics"] == sidecar(name)["metrics"]
    for embed in (model.embed, model.embed_query, model.embed_gallery):
        features = embed([picture, picture])
        assert features.shape == (2, model.embedding_dim) and torch.isfinite(features).all()
        torch.testing.assert_close(features[0], features[1])
