from __future__ import annotations

import torch
from mmt import MeanEmbedding
from torch import nn


class Constant(nn.Module):
    def __init__(self, *row):
        super().__init__()
        self.row = torch.tensor(row)

    def embed(self, images):
        return self.row.expand(len(images), -1)


def test_takes_on_the_mode_of_its_networks():
    model = nn.Linear(2, 2).eval()
    assert not MeanEmbedding(model, model).training and not model.training


def test_mean_of_two():
    mean = MeanEmbedding(Constant(1.0, 0.0), Constant(0.0, 1.0)).embed(torch.zeros(3, 3, 8, 4))
    assert torch.equal(mean, torch.full((3, 2), 0.5))
