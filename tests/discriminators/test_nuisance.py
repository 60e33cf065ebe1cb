from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.heads import BranchClassifier, HiddenClassifier
from reidzoo.registry import DISCRIMINATOR


def build(**arguments):
    return DISCRIMINATOR.build({"type": "NuisanceDiscriminator", **arguments}, in_channels=6, num_classes=4)


def test_one_branch_and_several():
    one, three = build(width=5), build(branches=3, label="joint")
    assert isinstance(one.classifier, HiddenClassifier) and one(torch.randn(2, 6)).shape == (2, 4)
    assert isinstance(three.classifier, BranchClassifier) and three(torch.randn(2, 6)).shape == (2, 3, 4)
    assert (one.label, three.label) == ("camera", "joint")


def test_reversal_turns_the_gradient_of_the_features_only():
    plain, reversing = build(dropout=0.0).eval(), build(dropout=0.0, reversal=0.5).eval()
    reversing.load_state_dict(plain.state_dict())
    feat, labels = torch.randn(5, 6, requires_grad=True), torch.arange(5) % 4
    grads = []
    for part in (plain, reversing):
        loss = torch.nn.functional.cross_entropy(part(feat), labels)
        grads.append(torch.autograd.grad(loss, [feat, *part.parameters()]))
    torch.testing.assert_close(grads[1][0], -0.5 * grads[0][0])
    for one, other in zip(grads[0][1:], grads[1][1:]):
        torch.testing.assert_close(one, other)


def test_unknown_label():
    with pytest.raises(ConfigError, match="camera, time, joint"):
        build(label="weather")
