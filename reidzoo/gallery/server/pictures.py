"""Reads uploaded pictures within limits, and makes small ones of the gallery's files."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from reidzoo.errors import GalleryError
from reidzoo.gallery.server.limits import Limits
from reidzoo.transforms import check_header

__all__ = ["open_file", "open_picture", "small_jpeg"]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
SMALL = (384, 384)


def open_picture(content: bytes, limits: Limits) -> Image.Image:
    """Return an uploaded picture, decoded.

    Raises:
        GalleryError: it has too many bytes or pixels, is none, or of several frames.
    """
    if len(content) > limits.bytes:
        raise GalleryError(f"the picture has {len(content):,} bytes; {limits.bytes:,} are taken")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > limits.pixels:
            raise GalleryError(f"the picture has {image.width} x {image.height} pixels; {limits.pixels:,} are taken")
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise GalleryError("the picture holds several frames; send the one that is meant")
        image.load()
        return image
    # What PIL raises for broken files varies with the format.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise GalleryError(f"not a picture that can be read ({', '.join(FORMATS)}): {error}") from None


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
