"""torchvision's transforms, image by image, against torchvision called by hand."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import InterpolationMode, v2

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.testing import check_transform
from reidzoo.transforms import (
    AugMix,
    AutoAugment,
    BatchDraw,
    ColorJitter,
    Compose,
    GaussianBlur,
    RandomGrayscale,
    TorchvisionTransform,
)

NODES = [
    {"type": "RandomPerspective", "distortion_scale": 0.3, "p": 0.9, "interpolation": "nearest"},
    {"type": "torchvision.transforms.v2.RandomAffine", "degrees": 20, "interpolation": "bilinear"},
    {"type": "RandomResizedCrop", "size": [24, 12]},
    {"type": "RandomChoice", "transforms": [{"type": "RandomInvert"}, {"type": "RandomSolarize", "threshold": 128}]},
    {"type": "GaussianNoise"},
    {"type": "TrivialAugmentWide"},
]
BY_NAME = {
    "ColorJitter": (ColorJitter(0.3, [0.5, 1.5], 0.2, 0.1), v2.ColorJitter(0.3, (0.5, 1.5), 0.2, 0.1)),
    "AutoAugment": (AutoAugment(), v2.AutoAugment()),
    "AugMix": (AugMix(5, 2), v2.AugMix(5, 2)),
    "GaussianBlur": (GaussianBlur([3, 5], [0.5, 1.0], 1.0), v2.GaussianBlur([3, 5], (0.5, 1.0))),
    "RandomGrayscale": (RandomGrayscale(1.0), v2.RandomGrayscale(1.0)),
}


def pixels(count=5):
    return torch.randint(0, 256, (count, 3, 32, 16), dtype=torch.uint8)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["type"].rpartition(".")[2])
def test_the_contract_is_kept(node):
    p = 1.0 if "Crop" in node["type"] else 0.8
    check_transform({"type": "TorchvisionTransform", "transform": node, "p": p})


@pytest.mark.parametrize("name", BY_NAME)
def test_each_image_is_torchvisions_from_a_seed_of_its_own(name):
    """By hand: the second number of an image's two seeds the generator."""
    transform, theirs = BY_NAME[name]
    images, before = pixels(), torch.get_rng_state()
    found = transform(images, BatchDraw(3, 1, 4, 5))
    assert torch.equal(torch.get_rng_state(), before)
    for image, result, number in zip(images, found, BatchDraw(3, 1, 4, 5).uniform(2)[:, 1]):
        torch.manual_seed(int(number * 2**53))
        assert torch.equal(result, theirs(image))
    assert not torch.equal(found, images)
    others = transform(images, BatchDraw(3, 1, 5, 5))
    assert name == "RandomGrayscale" or not torch.equal(found, others)


def test_the_gate_is_the_first_number():
    images = pixels(40)
    found = TorchvisionTransform({"type": "RandomInvert", "p": 1.0}, p=0.3)(images, BatchDraw(0, 0, 0, 40))
    gate = torch.from_numpy(BatchDraw(0, 0, 0, 40).uniform(2)[:, 0] < 0.3)
    assert 4 < gate.sum() < 20
    assert torch.equal(found, torch.where(gate[:, None, None, None], 255 - images, images))


@pytest.mark.parametrize("name", BY_NAME)
def test_the_gate_is_each_ones_own_argument(name):
    images, settings = pixels(40), {"ColorJitter": {"brightness": [2.0, 3.0]}}.get(name, {})
    assert torch.equal(TRANSFORM.build({"type": name, "p": 0.0, **settings})(images, BatchDraw(0, 0, 0, 40)), images)
    found = TRANSFORM.build({"type": name, "p": 0.5, **settings})(images, BatchDraw(0, 0, 0, 40))
    gate = torch.from_numpy(BatchDraw(0, 0, 0, 40).uniform(2)[:, 0] < 0.5)
    changed = (found != images).flatten(1).any(1)
    assert changed.any() and not (changed & ~gate).any()


@pytest.mark.parametrize("size", [[4, 5], [5, 4]])
def test_a_blurs_kernel_has_a_middle(size):
    with pytest.raises(ConfigError, match=rf"GaussianBlur: kernel_size must be odd numbers, got \[{size[0]}, "):
        GaussianBlur(size)


def test_what_works_in_place_leaves_the_given_images():
    images = pixels()
    before = images.clone()
    found = TorchvisionTransform({"type": "RandomErasing", "p": 1.0, "inplace": True})(images, BatchDraw(0, 0, 0, 5))
    assert torch.equal(images, before) and not torch.equal(found, images)


class HalvesFloats(v2.Transform):
    """Takes floating-point images alone, as some of torchvision's do."""

    def transform(self, inpt, params):
        if not inpt.is_floating_point():
            raise TypeError("floats, please")
        return inpt / 2


def test_what_wants_floats_gets_them_in_0_to_1_and_is_rounded():
    images = pixels()
    node = {"type": f"{__name__}.HalvesFloats"}
    found = TorchvisionTransform(node)(images, BatchDraw(0, 0, 0, 5))
    torch.testing.assert_close(found.float(), images.float() / 2, atol=0.501, rtol=0)
    check_transform({"type": "TorchvisionTransform", "transform": node})


class Overshoots(HalvesFloats):
    """Goes a little beyond white, as cubic resizing does."""

    def transform(self, inpt, params):
        return super().transform(inpt, params) * 2.01


def test_what_overshoots_stays_white():
    images = torch.arange(256, dtype=torch.uint8).repeat(2, 3, 1, 1)
    found = TorchvisionTransform({"type": f"{__name__}.Overshoots"})(images, BatchDraw(0, 0, 0, 2))
    expected = (images.float() * 1.005).clamp(max=255)
    torch.testing.assert_close(found.float(), expected, atol=0.501, rtol=0)


def test_a_dotted_name_is_adapted_and_the_size_is_told():
    nodes = {
        "jitter": {"type": "torchvision.transforms.ColorJitter", "hue": 0.1},  # the older one's name
        "crop": {"type": "torchvision.transforms.v2.RandomResizedCrop", "size": [24, 12]},
        "normalize": {"type": "Normalize"},
    }
    pipeline = Compose(nodes, [0.5] * 3, [0.5] * 3)
    assert isinstance(pipeline.transforms["crop"], TorchvisionTransform)
    assert type(pipeline.transforms["jitter"].transform) is v2.ColorJitter
    assert pipeline.out_size((32, 16)) == (24, 12) == pipeline(pixels(), BatchDraw(0, 0, 0, 5)).shape[2:]
    larger = TorchvisionTransform({"type": "RandomCrop", "size": [300, 200]})  # than what it is tried on
    assert larger.out_size((384, 256)) == (300, 200)


def test_names_stand_for_torchvisions_values():
    transform = TorchvisionTransform({"type": "AutoAugment", "policy": "svhn", "interpolation": "bilinear"}).transform
    assert transform.interpolation == InterpolationMode.BILINEAR and transform.policy.value == "svhn"


@pytest.mark.parametrize(
    "node, message",
    [
        ({"type": "FiveCrop", "size": [24, 12]}, "torchvision's FiveCrop returned a tuple; one that fits here returns"),
        ({"type": "ToPILImage"}, "torchvision's ToPILImage returned a Image"),
        ({"type": "Grayscale"}, r"torchvision's Grayscale returned a tensor \(1, 256, 128\)"),
        ({"type": "ToDtype", "dtype": None}, "dtype"),
        ({"type": "ScaleJitter", "target_size": [64, 32]}, "ScaleJitter returned images of different sizes, "),
        ({"type": "Normalize", "mean": [0.5] * 3, "std": [0.2] * 3}, "returned values of -2.50 to 2.50, of some in"),
        ({"type": "Normalize", "mean": [0.5] * 3, "std": [1.0] * 3}, "returned values of -0.50 to 0.50, of some in"),
        ({"type": "MixUp", "num_classes": 3}, "torchvision's MixUp fails on an image alone"),
        ({"type": "ColourJitter"}, "torchvision.transforms.v2 has no 'ColourJitter'. Did you mean ColorJitter"),
        ({"type": "torch.nn.Linear"}, "transform 'x'"),
        ({"type": "RandomCrop"}, "RandomCrop"),
        ({"type": "RandomInvert", "p": 2.0}, "RandomInvert cannot be built with p: 2.0"),
        ({"type": "JPEG"}, "JPEG cannot be built with no arguments: TypeError: .*missing .*'quality'"),
        ({"type": "RandomAffine", "degrees": 3, "interpolation": "cubist"}, "interpolation must be"),
    ],
)
def test_what_does_not_fit_is_told_when_it_is_built(node, message):
    with pytest.raises(ConfigError, match=message):
        Compose({"x": {"type": "TorchvisionTransform", "transform": node}}, [0.5] * 3, [0.5] * 3)


def test_it_goes_before_normalize():
    with pytest.raises(ConfigError, match=r"ColorJitter is given images of torch\.float32.*before Normalize"):
        TRANSFORM.build({"type": "ColorJitter"})(pixels().float(), BatchDraw(0, 0, 0, 5))


def test_a_whole_image_and_a_shifted_one_of_another_size_are_told_at_the_batch():
    transform = TorchvisionTransform({"type": "RandomCrop", "size": [24, 12]}, p=0.5)
    with pytest.raises(ConfigError, match=r"different sizes, \(3, 24, 12\) and \(3, 32, 16\), with p = 0.5"):
        transform(pixels(20), BatchDraw(0, 0, 0, 20))
