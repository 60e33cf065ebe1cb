"""Image reading and the augmentation of whole batches."""

from __future__ import annotations

from reidzoo.transforms.compose import Compose
from reidzoo.transforms.decode import PIXELS_VERSION, check_header, read_image, read_images, resize_image
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.normalize import Normalize
from reidzoo.transforms.pad_crop import PadCrop
from reidzoo.transforms.random_crop import RandomCrop
from reidzoo.transforms.random_erasing import RandomErasing
from reidzoo.transforms.random_horizontal_flip import RandomHorizontalFlip
from reidzoo.transforms.random_sized_rect_crop import RandomSizedRectCrop
from reidzoo.transforms.to_device import to_device

__all__ = [
    "PIXELS_VERSION",
    "BatchDraw",
    "Compose",
    "Normalize",
    "PadCrop",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomSizedRectCrop",
    "check_header",
    "read_image",
    "read_images",
    "resize_image",
    "to_device",
]
