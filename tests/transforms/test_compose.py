from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms import BatchDraw, Compose, Normalize, PadCrop, RandomErasing, RandomHorizontalFlip

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NODES = {
    "flip": {"type": "RandomHorizontalFlip"},
    "crop": {"type": "PadCrop", "pad": 4},
    "normalize": {"type": "Normalize"},
    "erase": {"type": "RandomErasing", "p": 0.5},
}


def images(size=8):
    return torch.randint(0, 256, (size, 3, 32, 16), dtype=torch.uint8)


def test_applies_in_order_and_leaves_the_input():
    batch = images()
    before = batch.clone()
    pipeline = Compose(NODES, MEAN, STD)
    assert list(pipeline.transforms) == list(NODES)
    draw = BatchDraw(0, 0, 0, 8)
    expected = batch
    for step in (RandomHorizontalFlip(), PadCrop(4), Normalize(MEAN, STD), RandomErasing()):
        expected = step(expected, draw)
    assert torch.equal(pipeline(batch, BatchDraw(0, 0, 0, 8)), expected)
    assert torch.equal(batch, before)


def test_does_not_depend_on_sharding():
    batch = images(12)
    pipeline = Compose(NODES, MEAN, STD)
    whole = pipeline(batch, BatchDraw(1, 2, 3, 12))
    parts = [pipeline(batch[a:b], BatchDraw(1, 2, 3, 12, a, b)) for a, b in ((0, 5), (5, 6), (6, 12))]
    assert torch.equal(torch.cat(parts), whole)


def test_test_pipeline_needs_no_numbers():
    assert Compose({"normalize": {"type": "Normalize"}}, MEAN, STD)(images(), None).dtype == torch.float32


def test_a_node_may_set_its_own_mean():
    own = Compose({"n": {"type": "Normalize", "mean": [0.0] * 3, "std": [1 / 255] * 3}}, MEAN, STD)
    batch = images()
    assert torch.allclose(own(batch, None), batch.float(), atol=1e-4)


def test_the_size_is_what_the_transforms_make_of_it_in_turn():
    assert Compose(NODES, MEAN, STD).out_size([32, 16]) == (32, 16)
    crops = {"first": {"type": "RandomCrop", "size": [30, 14]}, **NODES, "last": {"type": "RandomCrop", "size": [9, 8]}}
    pipeline = Compose(crops, MEAN, STD)
    assert pipeline.out_size((32, 16)) == (9, 8) == pipeline(images(), BatchDraw(0, 0, 0, 8)).shape[2:]
    pad = {"type": "TorchvisionTransform", "transform": {"type": "Pad", "padding": 2}}  # of whatever it is given
    pipeline = Compose({"first": crops["first"], "pad": pad, "again": pad, **NODES}, MEAN, STD)
    assert pipeline.out_size((32, 16)) == (38, 22) == pipeline(images(), BatchDraw(0, 0, 0, 8)).shape[2:]


def test_a_transform_that_resizes_without_a_word_is_warned_of_once(caplog):
    pipeline = Compose({"normalize": NODES["normalize"]}, MEAN, STD)
    pipeline(images(), None)
    assert not caplog.records
    pipeline = Compose({"normalize": NODES["normalize"]}, MEAN, STD)
    pipeline.transforms["half"] = lambda batch, draw: batch[:, :, ::2, ::2]
    for _ in range(2):
        pipeline(images(), None)
    assert [
        record.getMessage().startswith("INPUT.TRANSFORMS make images of 32 x 16 into 16 x 8, but")
        for record in caplog.records
    ] == [True]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({"a": {"type": "RandomFlip"}}, "RandomHorizontalFlip"),
        ({"a": {"type": "PadCrop", "padding": 4}}, "transform 'a'.*padding"),
        ({"a": None}, "transform 'a'.*'type'"),
    ],
)
def test_wrong_nodes(nodes, said):
    with pytest.raises(ConfigError, match=said):
        Compose(nodes, MEAN, STD)


@pytest.mark.parametrize("nodes", [{}, {"flip": {"type": "RandomHorizontalFlip"}}])
def test_must_end_in_floating_point(nodes):
    with pytest.raises(ConfigError, match=r"add {type: Normalize}"):
        Compose(nodes, MEAN, STD)(images(), BatchDraw(0, 0, 0, 8))


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        (lambda images: (images, None), "transform 'odd': Odd returned a tuple"),
        (lambda images: images[0], r"Odd returned a tensor \(3, 32, 16\)"),
        (lambda images: images[1:], r"of as many as it was given, here 8"),
        (lambda images: None, "Odd returned a NoneType"),
        (lambda images: images[:, :1], r"Odd returned a tensor \(8, 1, 32, 16\)"),
    ],
)
def test_a_transform_that_returns_something_else_is_named(monkeypatch, returns, said):
    class Odd:
        def __call__(self, images, draw):
            return returns(images)

    monkeypatch.setitem(TRANSFORM.module_dict, "Odd", Odd)
    nodes = {"normalize": {"type": "Normalize"}, "odd": {"type": "Odd"}}
    with pytest.raises(ConfigError, match=said):
        Compose(nodes, MEAN, STD)(images(), BatchDraw(0, 0, 0, 8))


class OfOneArgument:
    def __call__(self, images):
        return images


@pytest.mark.parametrize("cls", [OfOneArgument, object])
def test_what_cannot_be_called_with_images_and_numbers_is_named(monkeypatch, cls):
    monkeypatch.setitem(TRANSFORM.module_dict, "Odd", cls)
    with pytest.raises(ConfigError, match=rf"transform 'odd': {cls.__name__} cannot be called as a TRANSFORM is"):
        Compose({"odd": {"type": "Odd"}}, MEAN, STD)
