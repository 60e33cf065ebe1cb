"""check_transform: our own transforms pass, and each broken clause is named."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.testing import ContractError, check_transform
from reidzoo.transforms import BatchDraw

from .own_parts import own_parts

NODES = [
    {"type": "AugMix"},
    {"type": "AutoAugment"},
    {"type": "ColorJitter", "brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.2},
    {"type": "GaussianBlur"},
    {"type": "LocalGrayscale", "p": 0.7},
    {"type": "Normalize"},
    {"type": "PadCrop", "pad": 3},
    {"type": "RandomCrop", "size": [20, 10]},
    {"type": "RandomErasing", "p": 0.7},
    {"type": "RandomGrayscale", "p": 0.5},
    {"type": "RandomHorizontalFlip"},
    {"type": "RandomPatch", "p": 0.7},
    {"type": "RandomSizedRectCrop"},
    {"type": "TorchvisionTransform", "transform": {"type": "RandomPerspective", "p": 0.7}},
]


def test_every_transform_is_checked():
    assert {node["type"] for node in NODES} == own_parts(TRANSFORM)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["type"])
def test_our_own(node):
    check_transform(node)


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("node", NODES, ids=lambda node: node["type"])
def test_one_thread_gives_what_two_give(node, count):
    """The loader augments in one thread while workers decode."""
    pixels = torch.randint(0, 256, (count, 3, 256, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = pixels.float() / 64 - 2 if node["type"] == "RandomErasing" else pixels
    values = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.2, 0.3)} if node["type"] == "Normalize" else {}
    transform, before, results = TRANSFORM.build(node, **values), torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            results.append(transform(images.clone(), BatchDraw(0, 0, 0, count)))
        finally:
            torch.set_num_threads(before)
    assert torch.equal(*results)


@pytest.mark.slow
def test_one_that_mixes_and_does_not_gather_is_found_out():
    class Rolls:
        mixes = True

        def __call__(self, images, draw):
            return images.roll(1, 0)

    with pytest.raises(ContractError, match="how many processes share the batch"):
        check_transform(Rolls)


class Theirs:
    """A third party's transform: a random brightness; subclasses have one defect each."""

    def __call__(self, images, draw):
        return self.apply(images.float(), draw)

    def apply(self, images, draw):
        return images + torch.from_numpy(draw.uniform(1)).float()[:, :, None, None]


def test_a_third_partys():
    check_transform(Theirs)
    check_transform(Theirs())


class GlobalNumbers(Theirs):
    def apply(self, images, draw):
        return images + torch.rand(len(images), 1, 1, 1)


class Remembers(Theirs):
    calls = 0

    def apply(self, images, draw):
        self.calls += 1
        return images + self.calls


class OfTheBatch(Theirs):
    def apply(self, images, draw):
        return images - images.mean()


class OneDrawForAll(Theirs):
    def apply(self, images, draw):
        return images + float(draw.uniform(1)[0, 0])


class WritesIntoPixels(Theirs):
    def __call__(self, images, draw):
        images[:, :, 0] = 0
        return images


class Pair(Theirs):
    def apply(self, images, draw):
        return images, draw


class LosesImages(Theirs):
    def apply(self, images, draw):
        return images[1:]


class Double(Theirs):
    def apply(self, images, draw):
        return images.double()


class SaysNothingOfItsSize(Theirs):
    def apply(self, images, draw):
        return images[:, :, ::2, ::2]


class SaysAWrongSize(SaysNothingOfItsSize):
    def out_size(self, size):
        return size


class RefusesAll(Theirs):
    def apply(self, images, draw):
        raise ConfigError("no")


class Fails(Theirs):
    def apply(self, images, draw):
        return images + draw.normal(1)


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (GlobalNumbers, "every random number comes from draw; it drew from the global generator of torch"),
        (Remembers, "every random number comes from draw; with the same draw, the result differs"),
        (OfTheBatch, "an image's result does not depend on the others"),
        (OneDrawForAll, "an image's result does not depend on the others"),
        (WritesIntoPixels, "it leaves uint8 images as they are"),
        (Pair, "it returns the images alone, .*; it returned a tuple"),
        (LosesImages, r"of \(6, 3, 32, 16\) it made torch.float32 \(5, 3, 32, 16\)"),
        (Double, "it made torch.float64"),
        (
            SaysNothingOfItsSize,
            r"out_size\(size\); of \(32, 16\) it makes \(16, 8\), and there is no out_size",
        ),
        (SaysAWrongSize, r"and out_size says \(32, 16\)"),
        (RefusesAll, "it takes uint8 or float32 images .*; it refuses both"),
        (Fails, r"it takes images \(6, 3, 32, 16\), torch.uint8; AttributeError"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"TRANSFORM: {cls.__name__} breaks its contract: .*{said}"):
        check_transform(cls)
