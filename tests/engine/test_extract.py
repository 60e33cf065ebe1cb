from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import nn

from reidzoo.engine.extract import evaluation_mode, extract_features
from reidzoo.engine.image_table import ImageTable
from reidzoo.errors import EvaluationError
from reidzoo.transforms import Normalize


class Logarithm(nn.Module):
    """Embeds an image as the logarithm of its mean colour, which black has none of."""

    def embed(self, images):
        return images.mean(dim=(2, 3)).log()


def test_features_that_are_not_finite_name_the_first_image(tmp_path):
    paths = [str(tmp_path / f"{n}.png") for n in range(5)]
    for n, path in enumerate(paths):
        Image.new("RGB", (4, 8), (0, 0, 0) if n in (2, 4) else (90, 100, 110)).save(path)
    normalize = Normalize([0.0] * 3, [1.0] * 3)
    options = {"device": torch.device("cpu"), "batch_size": 2}
    good = extract_features(Logarithm(), ImageTable(paths[:2], (8, 4), "bicubic"), normalize, **options)
    assert good.shape == (2, 3)
    with pytest.raises(EvaluationError, match=rf"the embedding of {paths[2]} holds NaN or infinity, .* 1 more of 5"):
        extract_features(Logarithm(), ImageTable(paths, (8, 4), "bicubic"), normalize, **options)


def test_each_module_returns_to_its_own_mode():
    first, second = nn.Sequential(nn.BatchNorm1d(2)), nn.Dropout().eval()
    with evaluation_mode(first, second):
        assert not (first.training or first[0].training or second.training)
    assert first.training and first[0].training and not second.training


def test_a_module_that_does_more_than_flags_is_told_the_mode_it_was_in():
    class Told(nn.Module):
        modes: list[bool] = []

        def train(self, mode=True):
            self.modes.append(mode)
            return super().train(mode)

    for mode in (True, False):
        module = Told().train(mode)
        module.modes.clear()
        with evaluation_mode(module):
            assert module.modes == [False]
        assert module.modes == [False, mode]


def test_a_part_that_is_frozen_stays_so():
    module = nn.Sequential(nn.BatchNorm1d(2).eval(), nn.Dropout())
    with evaluation_mode(module):
        assert not module[1].training
    assert module.training and module[1].training and not module[0].training


def test_also_after_an_error():
    module = nn.Dropout()
    with pytest.raises(InterruptedError), evaluation_mode(module):
        raise InterruptedError
    assert module.training
