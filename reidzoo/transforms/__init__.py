"""Image reading and the augmentation of whole batches."""

from __future__ import annotations

from reidzoo.transforms.aug_mix import AugMix
from reidzoo.transforms.auto_augment import AutoAugment
from reidzoo.transforms.color_jitter import ColorJitter
from reidzoo.transforms.compose import Compose
from reidzoo.transforms.decode import PIXELS_VERSION, check_header, read_image, read_images, read_picture, resize_image
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.gaussian_blur import GaussianBlur
from reidzoo.transforms.local_grayscale import LocalGrayscale
from reidzoo.transforms.normalize import Normalize
from reidzoo.transforms.pad_crop import PadCrop
from reidzoo.transforms.random_crop import RandomCrop
from reidzoo.transforms.random_erasing import RandomErasing
from reidzoo.transforms.random_grayscale import RandomGrayscale
from reidzoo.transforms.random_horizontal_flip import RandomHorizontalFlip
from reidzoo.transforms.random_patch import RandomPatch
from reidzoo.transforms.random_sized_rect_crop import RandomSizedRectCrop
from reidzoo.transforms.torchvision_transform import TorchvisionTransform

__all__ = [
    "PIXELS_VERSION",
    "AugMix",
    "AutoAugment",
    "BatchDraw",
    "ColorJitter",
    "Compose",
    "GaussianBlur",
    "LocalGrayscale",
    "Normalize",
    "PadCrop",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomPatch",
    "RandomSizedRectCrop",
    "TorchvisionTransform",
    "check_header",
    "read_image",
    "read_images",
    "read_picture",
    "resize_image",
]
