"""Camera styles from colour statistics, without training a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from reidzoo.datasets.record import Record
from reidzoo.errors import ConfigError
from reidzoo.to_device import to_device
from reidzoo.transforms.decode import read_image

__all__ = ["SPACES", "ColorTransfer", "lab_to_rgb", "rgb_to_lab"]

SIZE = (64, 32)
"""Height and width at which the statistics are taken."""
FLAT = 1e-2
"""A standard deviation below this, of values of about 1, tells nothing about a camera's contrast."""
WHITE = (0.95047, 1.0, 1.08883)
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
RGB = np.linalg.inv(XYZ).tolist()


class ColorTransfer:
    """Gives an image the colour statistics of another camera: a cheap stand-in for CamStyle, and not CamStyle.

    Reinhard et al., "Color transfer between images" (2001), with statistics of all training images of a camera in place
    of one image's: per channel ``(x - mean_c) std_c' / std_c + mean_c'``. It changes colour casts, brightness and
    contrast; what else a camera does, such as its blur or its background, stays. Reinhard et al. work in a logarithmic
    opponent space, this in CIE Lab or in RGB.

    The statistics are read from the images when first needed, at 64 x 32. They may be poor for a camera that has one
    image, and where a channel does not vary at all its contrast is left as it is.

    Args:
        records: the real images, N of them; the C cameras are those that occur.
        space: "lab" or "rgb".

    Attributes:
        title: what the styles are, for logs.
        paths: further images to read: none.

    Raises:
        ConfigError: an unknown space.
    """

    paths: Sequence[str] = ()

    def __init__(self, records: Sequence[Record], space: str = "lab") -> None:
        if space not in SPACES:
            raise ConfigError(f"ColorTransfer: space must be {' or '.join(SPACES)}, got {space!r}")
        self.space, self.title = space, f"ColorTransfer (colour statistics of each camera in {space}, not CamStyle)"
        self._records = list(records)
        self._cameras, self._camera = np.unique([record.camid for record in records], return_inverse=True)
        self._statistics: Tensor | None = None

    def files(self, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return ``rows`` as they are: the style is not in the file."""
        return rows

    def restyle(self, images: Tensor, rows: np.ndarray, numbers: np.ndarray) -> Tensor:
        """Return the images with the style of a camera drawn uniformly; under its own an image stays as it is.

        Args:
            images: uint8 (n, 3, H, W), of the real images ``rows``.
            rows: int64 (n,).
            numbers: (n,) in [0, 1).
        """
        own_camera, new_camera = self._camera[rows], (numbers * len(self._cameras)).astype(np.int64)
        changed = np.flatnonzero(own_camera != new_camera)
        if not len(changed):
            return images
        if self._statistics is None:
            self._statistics = self._measure()
        self._statistics = self._statistics.to(images.device)
        mean, std = self._statistics
        to_space, from_space = SPACES[self.space]
        old, new = (to_device(side[changed], images.device) for side in (own_camera, new_camera))
        ratio = torch.where(std[old] > FLAT, std[new] / std[old].clamp(min=FLAT), 1.0)
        positions = to_device(changed, images.device)
        values = to_space(images[positions].float() / 255)
        values = (values - mean[old, :, None, None]) * ratio[..., None, None] + mean[new, :, None, None]
        restyled = images.clone()
        restyled[positions] = (from_space(values).clamp(0, 1) * 255).round().to(torch.uint8)
        return restyled

    def _measure(self) -> Tensor:
        """Return mean and standard deviation of every camera's pixels, float32 (2, C, 3)."""
        to_space = SPACES[self.space][0]
        sums = torch.zeros(2, len(self._cameras), 3, dtype=torch.float64)
        for record, camera in zip(self._records, self._camera, strict=True):
            values = to_space(read_image(record.path, SIZE)[None].float() / 255)[0].flatten(1).double()
            sums[0, camera] += values.mean(1)
            sums[1, camera] += values.square().mean(1)
        counts = torch.from_numpy(np.bincount(self._camera, minlength=len(self._cameras)))[:, None]
        mean, square = sums / counts
        return torch.stack([mean, (square - mean.square()).clamp(min=0).sqrt()]).float()


def rgb_to_lab(images: Tensor) -> Tensor:
    """Return sRGB images (B, 3, H, W) in 0..1 as CIE Lab (D65) over 100, so that L is in 0..1."""
    linear = torch.where(images > 0.04045, ((images + 0.055) / 1.055) ** 2.4, images / 12.92)
    xyz = _mix(linear, XYZ) / _white(images)
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=1e-6) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], dim=1)


def lab_to_rgb(images: Tensor) -> Tensor:
    """Return Lab images as ``rgb_to_lab`` gives them as sRGB; colours outside sRGB lie outside 0..1."""
    lightness, a, b = images.unbind(1)
    y = (lightness + 0.16) / 1.16
    f = torch.stack([y + a / 5, y, y - b / 2], dim=1)
    xyz = torch.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = _mix(xyz * _white(images), RGB)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055, 12.92 * linear)


def _white(images: Tensor) -> Tensor:
    return to_device(np.array(WHITE), images.device).to(images.dtype)[:, None, None]


def _mix(images: Tensor, matrix: Sequence[Sequence[float]]) -> Tensor:
    """Multiply the channels of images (B, 3, H, W) by a matrix (3, 3)."""
    first, second, third = images.unbind(1)
    rows = [row[0] * first + row[1] * second + row[2] * third for row in matrix]
    return torch.stack(rows, dim=1)


def _same(images: Tensor) -> Tensor:
    return images


SPACES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "lab": (rgb_to_lab, lab_to_rgb),
    "rgb": (_same, _same),
}
"""Colour space -> the way into it and the way back."""
