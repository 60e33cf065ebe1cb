"""On a GPU a transform is a few kernels for any batch, and looks at no value: seen on torch's device without values."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from reidzoo.registry import TRANSFORM
from reidzoo.transforms import BatchDraw

from ..testing.own_parts import own_parts
from ..testing.test_transform import NODES

IMAGE_BY_IMAGE = {
    "AugMix", "AutoAugment", "ColorJitter", "GaussianBlur", "RandomGrayscale", "RandomPatch", "TorchvisionTransform"
}  # fmt: skip
"""As docs/machines.md says."""
WHOLE = [node for node in NODES if node["type"] not in IMAGE_BY_IMAGE]


def test_the_documentation_names_the_others():
    assert {node["type"] for node in WHOLE} | IMAGE_BY_IMAGE == own_parts(TRANSFORM)
    text = (Path(__file__).parents[2] / "docs" / "machines.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in IMAGE_BY_IMAGE)


class Count(TorchDispatchMode):
    """Counts operations."""

    number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.number += 1
        return func(*args, **(kwargs or {}))


def operations(node, images):
    values = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.2, 0.3)} if node["type"] == "Normalize" else {}
    transform, draw = TRANSFORM.build(node, **values), BatchDraw(0, 0, 0, len(images))
    with Count() as count:
        result = transform(images, draw)
    assert result.device.type == "meta"
    return count.number


@pytest.mark.parametrize("node", WHOLE, ids=lambda node: node["type"])
def test_as_many_operations_for_any_batch(node):
    kind = torch.float32 if node["type"] == "RandomErasing" else torch.uint8
    few, many = (operations(node, torch.empty(n, 3, 32, 16, dtype=kind, device="meta")) for n in (8, 64))
    assert few == many
