from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.transforms import Normalize

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_equals_the_formula(dtype):
    images = torch.arange(256).repeat(3, 1).reshape(1, 3, 16, 16).to(dtype)
    before = images.clone()
    result = Normalize(MEAN, STD)(images)
    assert result.dtype == torch.float32
    assert torch.equal(images, before)
    for channel in range(3):
        expected = (images[0, channel].double() / 255 - MEAN[channel]) / STD[channel]
        assert torch.allclose(result[0, channel].double(), expected, atol=1e-6)


@pytest.mark.parametrize(("mean", "std"), [([0.5], [0.0]), ([0.5, 0.5], [1.0])])
def test_wrong_arguments(mean, std):
    with pytest.raises(ConfigError, match="Normalize"):
        Normalize(mean, std)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_large_batch_is_what_its_images_are(layout):
    images = torch.randint(0, 256, (5, 3, 256, 256), dtype=torch.uint8).contiguous(memory_format=layout)
    normalize = Normalize(MEAN, STD)
    result = normalize(images)
    assert result.is_contiguous(memory_format=layout)
    assert torch.equal(result, torch.cat([normalize(image[None]) for image in images]))
    assert normalize(images[:0]).shape == (0, 3, 256, 256)
