"""IBN: which channels get which norm."""

from __future__ import annotations

import pytest
import torch

from reidzoo.backbones.ibn import IBN


def slow_ibn(maps, layer):
    """Channel by channel, in float64: instance statistics for the first half, batch statistics for the rest."""
    maps = maps.double()
    out = torch.empty_like(maps)
    half = maps.shape[1] // 2
    for channel in range(maps.shape[1]):
        if channel < half:
            weight, bias = layer.IN.weight[channel], layer.IN.bias[channel]
            for image in range(len(maps)):
                values = maps[image, channel]
                out[image, channel] = (values - values.mean()) / (values.var(unbiased=False) + 1e-5).sqrt()
        else:
            weight, bias = layer.BN.weight[channel - half], layer.BN.bias[channel - half]
            values = maps[:, channel]
            out[:, channel] = (values - values.mean()) / (values.var(unbiased=False) + 1e-5).sqrt()
        out[:, channel] = out[:, channel] * weight + bias
    return out


@pytest.mark.parametrize("channels", [6, 7])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_first_half_is_instance_normalised(channels, memory_format):
    torch.manual_seed(0)
    layer = IBN(channels)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    maps = (torch.randn(3, channels, 4, 2) * 3 + 1).contiguous(memory_format=memory_format)
    out = layer(maps)
    torch.testing.assert_close(out.double(), slow_ibn(maps, layer), atol=1e-5, rtol=1e-5)
    assert out.is_contiguous(memory_format=memory_format)


def test_names_are_ibn_nets():
    names = set(IBN(4).state_dict())
    assert {"IN.weight", "IN.bias", "BN.weight", "BN.bias", "BN.running_mean", "BN.running_var"} <= names
    assert not any(name.startswith("IN.running") for name in names)


def test_works_under_bf16_autocast():
    layer = IBN(4)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(torch.randn(2, 4, 3, 3).bfloat16())
    assert out.dtype == torch.bfloat16 and layer.BN.running_mean.dtype == torch.float32
