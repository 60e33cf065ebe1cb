from __future__ import annotations

import torch
from torch import nn

from reidzoo.heads import HiddenClassifier


def test_layers_are_those_of_adin():
    torch.manual_seed(0)
    classifier = HiddenClassifier(2048, 702)
    kinds = [type(layer) for layer in classifier]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU, nn.Dropout, nn.Linear]
    assert classifier[0].out_features == 512 and classifier[2].negative_slope == 0.1 and classifier[3].p == 0.5
    first, norm, last = classifier[0], classifier[1], classifier[4]
    assert abs(first.weight.std().item() - (2 / 512) ** 0.5) < 1e-3  # Kaiming, fan out
    assert abs(norm.weight.mean().item() - 1) < 5e-3 and abs(norm.weight.std().item() - 0.02) < 5e-3
    assert abs(last.weight.std().item() - 0.001) < 1e-5
    assert not first.bias.any() and not last.bias.any() and not norm.bias.any()


def test_by_hand():
    torch.manual_seed(0)
    classifier = HiddenClassifier(6, 4, width=3, dropout=0.0).double()
    feat = torch.randn(5, 6).double()
    hidden = feat @ classifier[0].weight.T
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-5).sqrt() * classifier[1].weight
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden)
    torch.testing.assert_close(classifier(feat), hidden @ classifier[4].weight.T)
