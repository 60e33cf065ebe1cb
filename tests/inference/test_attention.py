"""Attention against Grad-CAM's formula, written out for a network whose gradient is known, and for transformers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.inference.attention import _grid, similarity_maps


class Pooled(nn.Module):
    """Two convolutions, the mean over the places as a map of one place, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.first, self.conv, self.pool = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 5, 4, 4), nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(5, 6, bias=False)
        self.double()

    def forward(self, images):
        return {"embedding": self.linear(self.pool(self.conv(self.first(images))).flatten(1))}

    def embed(self, images):
        return nn.functional.normalize(self(images)["embedding"], dim=1)


class Tokens(Pooled):
    """The same, of a map whose places are tokens, behind three of no place."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Dropout(0.5)

    def forward(self, images):
        places = self.conv(self.first(images)).flatten(2).transpose(1, 2)
        tokens = self.tokens(torch.cat([torch.full_like(places[:, :3], 9.0), places], dim=1))
        return {"embedding": self.linear(tokens[:, 3:].mean(1))}


class Transformer(nn.Module):
    """Patches of 8 pixels, a class token and two layers; the class token's output is the embedding."""

    def __init__(self, extra=1):
        super().__init__()
        self.patches, self.first = nn.Conv2d(3, 8, 8, 8), nn.Parameter(torch.randn(1, extra, 8))
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True) for _ in range(2))

    def embed_query(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(images), -1, -1), tokens], dim=1)
        for layer in self.layers:
            tokens = layer(tokens)
        return nn.functional.normalize(tokens[:, 0], dim=1)


def test_grad_cam_of_a_mean():
    model, generator = Pooled(), torch.manual_seed(0)
    images, targets = torch.randn(2, 3, 16, 8, generator=generator).double(), torch.randn(2, 6, generator=generator)
    found = similarity_maps(model, images, targets)
    for image, target, heat in zip(images, targets.double(), found):
        with torch.no_grad():
            maps = model.conv(model.first(image[None]))[0]
            length = model.linear(maps.mean((1, 2))).norm()
        weights = model.linear.weight.T @ (target / target.norm()) / (8 * length)  # of each of the 8 places
        expected = sum(weight * channel for weight, channel in zip(weights, maps)).relu().detach()
        expected = nn.functional.interpolate(expected[None, None], (16, 8), mode="bilinear")[0, 0]
        torch.testing.assert_close(heat.double(), expected / expected.max(), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_places_that_are_tokens_are_found_as_those_of_a_map_also_in_training_and_without_gradient():
    pooled, tokens = Pooled(), Tokens().train()
    tokens.load_state_dict(pooled.state_dict())
    images, targets = torch.randn(2, 3, 16, 8).double(), torch.randn(2, 6)
    torch.testing.assert_close(similarity_maps(tokens, images, targets), similarity_maps(pooled, images, targets))
    assert tokens.training


@pytest.mark.parametrize("size", [(16, 8), (18, 11), (7, 30)])
def test_patches_that_overlap_or_do_not_fill_the_image_and_images_of_any_size(size):
    pooled, tokens = Pooled(), Tokens()
    pooled.conv = nn.Conv2d(3, 5, 4, 3).double()
    tokens.conv = nn.Conv2d(3, 5, 4, 3).double()
    tokens.load_state_dict(pooled.state_dict())
    images, targets = torch.randn(2, 3, *size).double(), torch.randn(2, 6)
    torch.testing.assert_close(similarity_maps(tokens, images, targets), similarity_maps(pooled, images, targets))


def test_tokens_that_are_no_image_s_have_no_places():
    maps = [torch.zeros(1, 4, 16, 8), torch.zeros(1, 4, 1, 1), torch.zeros(1, 4, 3, 1)]
    assert _grid([*maps, torch.zeros(1, 8, 4)]) is None  # features of parts
    assert _grid([*maps, torch.zeros(1, 16 * 8 + 5, 4)]) == (16, 8)
    assert _grid([*maps, torch.zeros(1, 16 * 8 - 1, 4)]) is None and _grid([torch.zeros(1, 16 * 8, 4)]) is None


def test_where_nothing_raises_the_similarity_the_map_is_0():
    model, images = Pooled(), torch.ones(1, 3, 16, 8).double()
    assert not similarity_maps(model, images, -model.embed(images).detach()).any()
    assert (similarity_maps(model, images, model.embed(images).detach()) > 0.99).all()


@pytest.mark.parametrize("extra", [1, 3])
def test_a_transformer_that_pools_by_its_class_token(extra):
    torch.manual_seed(1)
    model = Transformer(extra).train()
    images = torch.randn(2, 3, 64, 32)
    found = similarity_maps(model, images, torch.randn(2, 8), "embed_query")
    assert found.shape == (2, 64, 32) and found.min() >= 0 and model.training
    assert (found.amax((1, 2)) > 0.99).any() and found.std() > 0
    assert not any(part._forward_hooks for part in model.modules())


def test_a_network_without_places():
    class Flat(nn.Sequential):
        def embed(self, images):
            return self(images)

    with pytest.raises(ValueError, match="has places"):
        similarity_maps(Flat(nn.Flatten(), nn.Linear(96, 4)), torch.randn(1, 3, 8, 4), torch.randn(1, 4))
