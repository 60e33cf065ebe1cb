"""What the comparison of two images measures, on a model whose answers are known; and the scale of a gallery."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from reidzoo.gallery import Entry
from reidzoo.gallery.comparison import Comparison, compare_images
from reidzoo.gallery.local_store import LocalStore
from reidzoo.gallery.pair_scale import measure_pairs
from reidzoo.gallery.records import ModelRecord


class MeansOfThirds:
    """Embeds an image by the mean brightness of its thirds, less that of what covers it."""

    size, interpolation = (48, 24), "bilinear"
    config = SimpleNamespace(INPUT=SimpleNamespace(MEAN=[0.5, 0.5, 0.5]))

    def embed_query(self, images):
        return (images.double() - 128).reshape(len(images), 3, 3, 16, 24).mean((1, 3, 4))

    embed_gallery = embed_query


def picture(*thirds):
    return torch.tensor(thirds, dtype=torch.uint8).repeat_interleave(16)[None, :, None].expand(3, 48, 24).contiguous()


def test_what_sets_two_images_apart_is_found():
    first, second = picture(228, 228, 128), picture(28, 228, 128)  # one third differs, one is alike, one says nothing
    found = compare_images(MeansOfThirds(), first, second)
    assert found.similarity == pytest.approx(0, abs=1e-6)
    assert found.without_band == pytest.approx((1, -1, 0), abs=1e-6)  # without the middle opposites are left
    upper, middle, lower = torch.tensor(found.influence[1]).unflatten(0, (-1, len(found.influence[1]))).mean(0).chunk(3)
    assert (upper[:-1] < 0).all() and (middle[1:-1] > 0).all() and (lower[1:] == 0).all()
    assert found.reasons() == [
        "The upper third sets them apart: covered in both pictures, it leaves a similarity of 1.00 instead of 0.00.",
        "The middle third makes them alike: covered in both pictures, it leaves a similarity of -1.00 instead of 0.00.",
    ]


def test_what_weighs_most_is_said_first():
    reasons = Comparison(0.2, ([], []), (0.3, -0.3, 0.5)).reasons()
    assert [reason.split(" third")[0] for reason in reasons] == ["The middle", "The lower", "The upper"]


def test_an_image_is_like_itself(model):
    image = torch.randint(0, 255, (3, *model.size), dtype=torch.uint8)
    found = compare_images(model, image, image)
    assert found.similarity == pytest.approx(1, abs=1e-5)
    assert all(value > -1e-5 for row in found.influence[0] for value in row)  # to cover anything makes them less alike


def test_the_scale_of_a_gallery(fill):
    store = LocalStore(ModelRecord("made-up", "", "00", 2))
    assert measure_pairs(store) is None
    store.add([Entry("x", "one"), Entry("y", "one")], torch.eye(2))
    assert measure_pairs(store) is None  # nobody else
    store.remove(["x", "y"])
    angles = torch.tensor([0.0, 0.1, 1.0, 1.1, 2.0])
    rows = torch.stack([angles.cos(), angles.sin()], 1)
    store.add([Entry(str(row), identity) for row, identity in enumerate(("a", "a", "b", "b", None))], rows)
    scale = measure_pairs(store)
    assert scale.same == pytest.approx(float(torch.tensor(0.1).cos()), abs=1e-6) and scale.pairs == (2, 4)
    assert scale.different == pytest.approx(float(torch.tensor(1.0).cos()), abs=1e-6)
    assert "fewer than one in 1,000 pairs of two identities reach it" in scale.describe(0.99)
    assert "more than one in ten pairs of two identities reach it" in scale.describe(0.1)
    assert "fewer than one in ten pairs" in replace(scale, high=(0.5, 0.6, 0.7)).describe(0.5)  # which it reaches
    assert measure_pairs(fill(5)) is None  # each identity once: nothing to compare
