from __future__ import annotations

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.datasets import HoldOut, build_dataset
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.extract import evaluation_mode
from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline
from reidzoo.trainers.validation import _classes
from reidzoo.transforms import Normalize, read_image

from .test_nuisance import BASE

HELD_TRAIN = {"type": "HoldOut", "dataset": "DukeMTMC", "part": "train"}


@pytest.fixture
def trainer(write_config, tmp_path):
    inputs = {"SIZE": [36, 18], "TRANSFORMS": {"crop": {"type": "RandomCrop", "size": [32, 16]}}}
    path = write_config(**BASE, DATASETS={"TRAIN": {"train": HELD_TRAIN}}, INPUT=inputs)
    (cfg,) = Pipeline(load_config(path)).stages.values()
    trainer = TRAINER.build(
        cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=tmp_path, device=torch.device("cpu")
    )
    trainer.parts.train()
    return trainer


class Nearest(torch.nn.Module):
    """Tells an embedding as the class that the nearest of the known ones was given."""

    label = "camera"

    def __init__(self, known, classes):
        super().__init__()
        self.known, self.classes = known, torch.tensor(classes)

    def forward(self, embedding):
        assert not torch.is_grad_enabled()
        return torch.nn.functional.one_hot(self.classes[torch.cdist(embedding, self.known).argmin(1)]).float()


def test_accuracies_by_hand(trainer, tiny_root):
    """Of twelve held-out images seven are told as who they are and four as of their camera; the others as the next."""
    dataset = HoldOut("DukeMTMC", "val", root=tiny_root)
    normalize = Normalize(trainer.cfg.INPUT.MEAN, trainer.cfg.INPUT.STD)
    images = [normalize(read_image(record.path, (32, 16), "bicubic")[None], None) for record in dataset.train]
    with torch.no_grad(), evaluation_mode(trainer.model):
        known = torch.cat([trainer.model(image)["embedding"] for image in images])  # (32, 16) is the crop's size
    pids = sorted({record.pid for record in trainer.data.records})
    identities = [(pids.index(record.pid) + (n >= 7)) % len(pids) for n, record in enumerate(dataset.train)]
    cameras = [(record.camid + (n >= 4)) % 3 for n, record in enumerate(dataset.train)]
    trainer.model.head.classifier, trainer.parts["nuisance"] = Nearest(known, identities), Nearest(known, cameras)

    measure = trainer.validator(dataset)
    before = {key: value.clone() for key, value in trainer.parts.state_dict().items()}
    found = measure()
    assert len(dataset.train) == 12 and found == {"identity": pytest.approx(7 / 12), "nuisance": pytest.approx(4 / 12)}
    assert all(torch.equal(value, before[key]) for key, value in trainer.parts.state_dict().items())
    assert all(part.training for part in trainer.parts.values())


@pytest.mark.parametrize("other", [HELD_TRAIN, {"type": "HoldOut", "dataset": "Market1501", "part": "val"}])
def test_images_that_are_not_the_other_part_are_refused(trainer, tiny_root, other):
    with pytest.raises(ConfigError, match="held out"):
        trainer.validator(build_dataset(other, root=tiny_root))


def test_branches_vote_with_the_product_of_their_probabilities():
    probabilities = torch.tensor([[[0.5, 0.4, 0.1], [0.01, 0.5, 0.49]]])
    assert _classes(probabilities.log()).tolist() == [1]
    assert _classes(probabilities[:, 0].log()).tolist() == [0]
