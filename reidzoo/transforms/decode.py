"""Decoding and resizing of image files."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from reidzoo.errors import ConfigError, DatasetError

__all__ = [
    "BROKEN", "PIXELS_VERSION", "UnfitImageError", "as_seen", "as_stored", "check_header", "exif_orientation",
    "lies_on_side", "open_image", "read_image", "read_images", "read_picture", "resize_image", "size_as_seen",
    "upright_size",
]  # fmt: skip

PIXELS_VERSION = 2
"""Raised where a file gives other pixels. 1 had PIL resize; 2 rounds otherwise, on photographs by 2 levels at most:
in 0.4 % of the pixels where they are enlarged, by 1 level in up to 17 % where odd sizes become smaller."""
INTERPOLATIONS = {method.name.lower(): method for method in Image.Resampling}
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV")
"""The modes of PIL with 8 bits a channel that it turns into RGB."""
BY_TORCH = ("bilinear", "bicubic")
"""What torch resizes as PIL does, in fixed point and with antialiasing, a batch at once and three times faster."""
TOGETHER = 1 << 20
"""Pixels of decoded images that wait to be resized together, a batch of crops; of larger images there are fewer."""
TURNED_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF's orientation -> how an image as people see it becomes the stored one."""
METADATA = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
"""Where a file can say which way up it is. Most say nothing, and to look takes longer than to know that."""

BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, NotImplementedError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""What PIL raises for broken files, which varies with the format."""


class UnfitImageError(ValueError):
    """An image that cannot be turned into 8-bit RGB as people see it; the message continues "image NAME ..."."""


def read_image(path: str | os.PathLike[str], size: tuple[int, int], interpolation: str = "bicubic") -> Tensor:
    """Return an image as a viewer shows it, as RGB, resized: uint8 (3, H, W); ``read_images`` for one file.

    Raises:
        DatasetError: the file is missing, cannot be read as an image, or cannot be shown faithfully.
        ConfigError: an unknown interpolation.
    """
    return read_images([path], size, interpolation)[0]


def read_picture(path: str | os.PathLike[str], size: tuple[int, int]) -> np.ndarray:
    """Return an image for people to look at, uint8 (H, W, 3); for the rest as ``read_image``."""
    return read_image(path, size).permute(1, 2, 0).numpy()


def read_images(
    paths: Sequence[str | os.PathLike[str]], size: tuple[int, int], interpolation: str = "bicubic"
) -> Tensor:
    """Return images as a viewer shows them, as RGB, resized: uint8 (n, 3, H, W). Each is what it would be alone.

    EXIF's orientation is followed; what is transparent lies on white; 16-bit grey is scaled to 8 bits; CMYK is
    converted without its colour profile. Refused are animations and files of several pages, of which nobody says which
    is meant, and pixels without an agreed range, such as floating-point numbers.

    A JPEG of at least four times the size both ways is decoded at half, a quarter or an eighth of its size, which is
    much faster; what is then resized is still at least twice as large as asked for. Its pixels differ slightly from
    those of full decoding. Smaller images, as all re-identification datasets have, are decoded in full.

    Args:
        paths: the files.
        size: H and W.
        interpolation: nearest, bilinear, bicubic, lanczos, box or hamming.

    Raises:
        DatasetError: a file is missing, cannot be read as an image, or cannot be shown faithfully.
        ConfigError: an unknown interpolation.
    """
    _method(interpolation)
    parts, waiting, pixels = [torch.empty((0, 3, *size), dtype=torch.uint8)], [], 0
    for path in paths:
        waiting.append(_decode(path, size))
        pixels += waiting[-1].width * waiting[-1].height
        if pixels > TOGETHER:
            parts.append(_resized(waiting, size, interpolation))
            waiting, pixels = [], 0
    if waiting:
        parts.append(_resized(waiting, size, interpolation))
    return torch.cat(parts) if len(parts) > 2 else parts[-1]


def _decode(path: str | os.PathLike[str], size: tuple[int, int]) -> Image.Image:
    height, width = size
    with open_image(path) as file:
        file.draft("RGB", (2 * height, 2 * width) if lies_on_side(file) else (2 * width, 2 * height))
        return as_seen(file)


def check_header(path: str | os.PathLike[str]) -> None:
    """Check what an image file says of itself, without reading its pixels.

    Raises:
        DatasetError: ``read_image`` would not take it. Pixels may be damaged all the same.
    """
    with open_image(path) as file:
        _check_kind(file)


@contextmanager
def open_image(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open an image of one picture; what goes wrong with it is a DatasetError with its name."""
    try:
        with Image.open(path) as file:
            _check_single(file)
            yield file
    except FileNotFoundError:
        raise DatasetError(f"image {os.fspath(path)} does not exist; is the dataset complete?") from None
    except UnfitImageError as error:
        raise DatasetError(f"image {os.fspath(path)} {error}") from None
    except IsADirectoryError:
        raise DatasetError(f"image {os.fspath(path)} is a folder; name the images in it") from None
    except BROKEN as error:
        raise DatasetError(
            f"image {os.fspath(path)} cannot be read ({_reason(path, error)}); copy it again, or remove it"
        ) from None


def _reason(path: str | os.PathLike[str], error: Exception) -> str:
    """Return why a file cannot be read; PIL's words for what is no image name its path once more."""
    if not isinstance(error, UnidentifiedImageError):
        return f"{type(error).__name__}: {error}"
    return "it is of no known format" if os.path.getsize(path) else "it is empty"


def resize_image(image: Image.Image, size: tuple[int, int], interpolation: str = "bicubic") -> Tensor:
    """Return an opened image as ``read_image`` does; of an animation the frame that it is at.

    Raises:
        UnfitImageError: it cannot be shown faithfully, or has no pixels.
        ConfigError: an unknown interpolation.
    """
    return _resized([as_seen(image)], size, interpolation)[0]


def _resized(images: Sequence[Image.Image], size: tuple[int, int], interpolation: str) -> Tensor:
    """Return RGB images of any sizes at ``size``, uint8 (n, 3, H, W); those of one size are resized together."""
    alike: dict[tuple[int, int], list[int]] = {}
    for position, image in enumerate(images):
        alike.setdefault(image.size, []).append(position)
    if len(alike) == 1:
        return _scaled(images, size, interpolation)
    resized = torch.empty((len(images), 3, *size), dtype=torch.uint8)
    for positions in alike.values():
        group = _scaled([images[position] for position in positions], size, interpolation)
        for position, image in zip(positions, group):
            resized[position] = image
    return resized


def _scaled(images: Sequence[Image.Image], size: tuple[int, int], interpolation: str) -> Tensor:
    """Return RGB images of one size, one or more, at ``size``."""
    height, width = size
    method, fits = _method(interpolation), images[0].size == (width, height)
    if not fits and interpolation not in BY_TORCH:
        images = [image.resize((width, height), method) for image in images]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
    if not fits and interpolation in BY_TORCH:  # fast in this layout only, channels last
        pixels = F.interpolate(pixels, (height, width), mode=interpolation, antialias=True)
    return pixels.contiguous()


def _check_single(file: Image.Image) -> None:
    # A camera's MPO is a JPEG that people see, with further pictures behind it, such as a depth map.
    frames = getattr(file, "n_frames", 1)
    if frames > 1 and file.format != "MPO":
        raise UnfitImageError(f"holds {frames} frames or pages; save the one that is meant as a file of its own")


def _check_kind(image: Image.Image) -> None:
    if 0 in image.size:
        raise UnfitImageError(f"has no pixels: it is {image.width} wide and {image.height} high")
    if image.mode not in MODES and not _is_sixteen_bit_grey(image):
        raise UnfitImageError(
            f"has pixels of PIL's mode {image.mode}, which nobody can show without knowing what they mean; save it as "
            f"8-bit RGB"
        )


def exif_orientation(image: Image.Image) -> int:
    """Return EXIF's number for how the pixels lie: 1 upright, 5 to 8 on their side."""
    if image.format != "TIFF" and not any(key in image.info for key in METADATA):
        return 1
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except BROKEN:  # damaged metadata of a picture that may be whole
        return 1


def size_as_seen(image: Image.Image) -> tuple[int, int]:
    """Return the width and height of an opened image as a viewer shows it."""
    width, height = image.size
    # Of a TIFF PIL gives the size as seen, and turns it when it loads.
    turned = image.format != "TIFF" and lies_on_side(image)
    return (height, width) if turned else (width, height)


def upright_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the width and height of an image as a viewer shows it, from its header alone.

    Raises:
        DatasetError: the file is missing, or cannot be read as an image.
    """
    with open_image(path) as file:
        return size_as_seen(file)


def lies_on_side(image: Image.Image) -> bool:
    """Return whether an opened image is stored on its side."""
    return exif_orientation(image) in (5, 6, 7, 8)


def as_seen(image: Image.Image) -> Image.Image:
    """Return an image as a viewer shows it, mode RGB.

    Raises:
        UnfitImageError: it cannot be shown faithfully, or has no pixels.
    """
    image.load()
    _check_kind(image)
    seen = ImageOps.exif_transpose(image) if exif_orientation(image) != 1 else image
    if _is_sixteen_bit_grey(image):
        seen = _to_eight_bits(seen)
    if seen.has_transparency_data:
        layer = seen.convert("RGBA")
        seen = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return seen if seen.mode == "RGB" else seen.convert("RGB")


def as_stored(image: Image.Image) -> Image.Image:
    """Return an opened image as its pixels lie in the file, mode RGB; else as ``as_seen``.

    Raises:
        UnfitImageError: it cannot be shown faithfully, or has no pixels.
    """
    back = TURNED_BACK.get(exif_orientation(image))  # asked before loading, after which a TIFF does not say it any more
    seen = as_seen(image)
    return seen if back is None else seen.transpose(back)


def _is_sixteen_bit_grey(image: Image.Image) -> bool:
    """Whether the pixels run from 0, black, to 65535, white."""
    if image.mode == "I":  # 32 bits, in which some versions of PIL keep the 16 of these formats
        return image.format in ("PNG", "PPM")
    tags = getattr(image, "tag_v2", {})  # of TIFF, which also has 12 bits, and 0 for white
    bits, photometric = tags.get(258, (16,)), tags.get(262, 1)
    return image.mode.startswith("I;16") and bits == (16,) and photometric == 1 and "transparency" not in image.info


def _to_eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))  # 65535 / 255 is 257


def _method(interpolation: str) -> Image.Resampling:
    if interpolation not in INTERPOLATIONS:
        raise ConfigError(f"unknown interpolation {interpolation!r}; there are {', '.join(INTERPOLATIONS)}")
    return INTERPOLATIONS[interpolation]
