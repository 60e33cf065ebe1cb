"""E without a person's other images, against its formula, and what it refuses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from reidzoo.datasets import true_identities
from reidzoo.errors import ConfigError

ORACLE = {"STAGES.adapt.TRAINER.type": "OracleTrainer", "STAGES.adapt.MEMORIES.exemplar.neighbours": 0}
BY_CAMERA = {**ORACLE, "STAGES.adapt.TRAINER.type": "CameraOracleTrainer"}


def equation_3(keys, feat, index, groups, beta=0.05):
    """The mean of -log p(i | x_i), image by image, with itself and those of other groups alone in the denominator."""
    losses = []
    for row, own in enumerate(index.tolist()):
        scores = (keys.double() @ feat[row].double()) / beta
        kept = [j for j in range(len(keys)) if j == own or groups[j] != groups[own]]
        losses.append(torch.logsumexp(scores[kept], 0) - scores[own])
    return torch.stack(losses).mean()


@pytest.mark.parametrize("options", [ORACLE, BY_CAMERA], ids=["all", "by the same camera"])
def test_the_persons_other_images_are_no_classes(build, options):
    trainer = build(**options)
    target = trainer.sets["target"]
    persons, cameras = true_identities(target), target.camids
    groups = persons if options is ORACLE else persons * 100 + cameras  # those that are left out are of one group
    assert len(set(groups.tolist())) > len(set(persons.tolist())) or options is ORACLE
    index = torch.arange(0, 72, 7)
    keys = F.normalize(torch.randn(72, 16), dim=1)
    trainer.parts["exemplar"].keys.copy_(keys)
    feat = F.normalize(torch.randn(len(index), 16), dim=1).requires_grad_()
    compared = trainer.compare(feat, index)
    loss = trainer.losses["target"](compared)["invariance"]
    expected = equation_3(keys, feat, index, groups)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    (gradient,), (slow,) = torch.autograd.grad(loss, feat), torch.autograd.grad(expected, feat)
    torch.testing.assert_close(gradient, slow, rtol=1e-4, atol=1e-6)
    left_out = torch.isinf(compared["scores"]).sum(1)
    assert left_out.tolist() == [(groups == groups[row]).sum() - 1 for row in index.tolist()]


def test_where_no_identity_is_known_it_is_ecns(build, monkeypatch):
    trainer, plain = build(**ORACLE), build(**{**ORACLE, "STAGES.adapt.TRAINER.type": "ECNTrainer"})
    trainer.__dict__["persons"] = torch.full((72,), -1)
    feat, index = F.normalize(torch.randn(5, 16), dim=1), torch.arange(5)
    assert torch.equal(trainer.compare(feat, index)["scores"], plain.compare(feat, index)["scores"])


def test_it_trains(build):
    trainer = build(**ORACLE)
    for batch in list(trainer.loader.epoch(0))[:2]:
        scalars = trainer.train_step(batch)
        assert set(scalars) == {"id", "invariance"} and all(map(torch.isfinite, scalars.values()))
    assert trainer.parts["exemplar"].keys[batch["target"]["index"]].any()


def test_neighbours_are_refused(build):
    with pytest.raises(ConfigError, match="neighbours: 0"):
        build(**{"STAGES.adapt.TRAINER.type": "OracleTrainer"})
    with pytest.raises(ConfigError, match="neighbours: 0"):  # which the memory takes where nothing is said of them
        memory = {"STAGES.adapt.MEMORIES.exemplar": "{_REPLACE_: true, type: ExemplarMemory}"}
        build(**{"STAGES.adapt.TRAINER.type": "OracleTrainer", **memory})
