"""Reads uploaded pictures within limits, and makes small ones of the gallery's files."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from reidzoo.errors import GalleryError
from reidzoo.gallery.server.limits import Limits
from reidzoo.transforms import check_header
from reidzoo.transforms.decode import BROKEN, UnfitImageError, as_seen

__all__ = ["open_file", "open_picture", "small_jpeg"]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SMALL = (384, 384)


def open_picture(content: bytes, limits: Limits, name: str) -> Image.Image:
    """Return an uploaded picture as a viewer shows it, RGB.

    Raises:
        GalleryError: it has too many bytes or pixels, is none, of several frames, or cannot be shown faithfully.
    """
    if len(content) > limits.bytes:
        raise GalleryError(f"{name} has {len(content):,} bytes; {limits.bytes:,} are taken")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > limits.pixels:
            raise GalleryError(f"{name} has {image.width} x {image.height} pixels; {limits.pixels:,} are taken")
        # Not n_frames, which walks through all pages of a TIFF, of which a stranger's file may claim half a million.
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise GalleryError(f"{name} holds several frames; send the one that is meant")
        image.load()
        return as_seen(image)
    except UnfitImageError as error:
        raise GalleryError(f"{name} {error}") from None
    except BROKEN:
        raise GalleryError(f"{name} is not a picture that can be read ({', '.join(FORMATS)}), or damaged") from None


def open_file(path: str) -> Image.Image:
    """Return a file of the gallery, decoded.

    Raises:
        DatasetError: it is gone, or no longer a picture.
    """
    check_header(path)
    with Image.open(path) as file:
        file.load()
        return file


def small_jpeg(image: Image.Image) -> bytes:
    """Return a picture, the right way up, as a JPEG of at most 384 x 384 pixels."""
    image = ImageOps.exif_transpose(image).convert("RGB")
    image.thumbnail(SMALL)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
