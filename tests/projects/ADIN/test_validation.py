from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.datasets import HoldOut
from reidzoo.engine.build import build_train_sets
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline


@pytest.fixture
def trainer(tiny, tmp_path):
    cfg = Pipeline(tiny()).stages["adversarial"].clone()
    cfg.defrost()
    cfg.WEIGHTS.clear()
    trainer = TRAINER.build(
        cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=tmp_path, device=torch.device("cpu")
    )
    trainer.parts.train()
    return trainer


def test_accuracies_by_hand(trainer, tiny_root):
    from adin import Validation

    from reidzoo.transforms import Normalize, read_image

    dataset = HoldOut("DukeMTMC", "val", root=tiny_root)
    for trainer.phase in ("model", "nuisance"):  # or every image would be told as the same one
        for epoch in range(12):
            for batch in trainer.loader.epoch(epoch):
                trainer.train_step(batch)
    validation = Validation(dataset, trainer)
    before = {key: value.clone() for key, value in trainer.parts.state_dict().items()}
    found = validation.measure(trainer)
    assert all(torch.equal(value, before[key]) for key, value in trainer.parts.state_dict().items())
    assert all(part.training for part in trainer.parts.values())

    trainer.parts.eval()
    normalize = Normalize(trainer.cfg.INPUT.MEAN, trainer.cfg.INPUT.STD)
    right, told = {"identity": [], "nuisance": []}, {"identity": set(), "nuisance": set()}
    for record in dataset.train:
        image = normalize(read_image(record.path, (32, 16), "bicubic")[None], None)  # the crop's size
        with torch.no_grad():
            embedding = trainer.model(image)["embedding"]
            identity = trainer.model.head.classifier(embedding).argmax()
            nuisance = trainer.parts["nuisance"](embedding).argmax()
        right["identity"].append(int(identity) == sorted({r.pid for r in trainer.data.records}).index(record.pid))
        right["nuisance"].append(int(nuisance) == record.camid)
        told["identity"].add(int(identity))
        told["nuisance"].add(int(nuisance))
    assert found == {name: pytest.approx(float(np.mean(values))) for name, values in right.items()}
    assert len(told["identity"]) > 3 and len(told["nuisance"]) > 1  # a constant guess would be right by any mapping
    assert all(0 < sum(values) < len(values) == len(dataset.train) for values in right.values())


def test_branches_vote_with_the_product_of_their_probabilities(project):
    from adin.validation import _classes

    probabilities = torch.tensor([[[0.5, 0.4, 0.1], [0.01, 0.5, 0.49]]])
    assert _classes(probabilities.log()).tolist() == [1]
    assert _classes(probabilities[:, 0].log()).tolist() == [0]
