"""The cameras of a twin: viewpoint, scene, optics and colour, and how one turns a drawing into a photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from reidzoo.render.scene import panorama

__all__ = ["DAYLIGHT", "Camera", "CameraSpread", "photograph", "sample_camera"]

Range = tuple[float, float]
Scenery = Callable[[np.random.Generator, str, float], Image.Image]
DAYLIGHT = {-1: (1.0, 1.0, 1.0), 0: (1.02, 0.98, 0.94), 1: (1.06, 1.06, 1.07), 2: (0.98, 0.9, 0.8)}
"""Colour of the light by time of day: unknown, morning, noon, afternoon."""


@dataclass(frozen=True)
class CameraSpread:
    """The spread of the cameras of one dataset: ranges of uniform draws, widths of log-normal ones.

    ``gain``, ``exposure`` and ``gamma`` are widths. ``response`` is the colour gain that all cameras of the dataset
    share; ``shading`` is how strongly light models the bodies.
    """

    kinds: tuple[str, ...]
    gain: float = 0.085
    exposure: float = 0.16
    gamma: float = 0.15
    response: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: Range = (0.8, 1.0)
    contrast: Range = (0.85, 1.05)
    haze: Range = (0.0, 0.06)
    elevation: Range = (0.1, 0.3)
    resolution: Range = (0.5, 0.9)
    blur: Range = (0.3, 0.9)
    noise: Range = (2.0, 5.0)
    quality: tuple[int, int] = (70, 92)
    shading: float = 1.0


@dataclass(frozen=True)
class Camera:
    """One camera of a twin; made once by ``sample_camera`` and the same for everyone who walks past."""

    kind: str
    gain: np.ndarray
    exposure: float
    gamma: float
    saturation: float
    contrast: float
    haze: float
    elevation: float
    resolution: float
    blur: float
    noise: float
    quality: int
    shading: float
    heading: float
    sun: float
    view: Image.Image = field(repr=False)

    @property
    def outdoor(self) -> bool:
        """Whether the time of day changes this camera's light."""
        return self.kind not in ("indoor", "corridor")


def sample_camera(rng: np.random.Generator, spread: CameraSpread, scenery: Scenery = panorama) -> Camera:
    """Draw one camera and its view; ``scenery`` draws the view from (rng, kind of place, elevation)."""
    kind = spread.kinds[int(rng.integers(len(spread.kinds)))]
    elevation = float(rng.uniform(*spread.elevation))
    return Camera(
        kind=kind,
        gain=np.asarray(spread.response, np.float32) * rng.lognormal(0, spread.gain, 3).astype(np.float32),
        exposure=float(rng.lognormal(0, spread.exposure)),
        gamma=float(rng.lognormal(0, spread.gamma)),
        saturation=float(rng.uniform(*spread.saturation)),
        contrast=float(rng.uniform(*spread.contrast)),
        haze=float(rng.uniform(*spread.haze)),
        elevation=elevation,
        resolution=float(rng.uniform(*spread.resolution)),
        blur=float(rng.uniform(*spread.blur)),
        noise=float(rng.uniform(*spread.noise)),
        quality=int(rng.integers(spread.quality[0], spread.quality[1] + 1)),
        shading=spread.shading,
        heading=float(rng.uniform(0, 2 * np.pi)),
        sun=float(rng.uniform(-1, 1)),
        view=scenery(rng, kind, elevation),
    )


def shade(relief: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Compute light and shadow on the bodies.

    The edges of the blurred relief are slopes that catch the light; something nearer throws a shade where it overlaps.

    Args:
        relief: (H, W) float32 nearness in 0..255, 0 where there is no person.
        camera: gives the side from which the light comes and the strength of the modelling.
        rng: draws the folds of the clothes.

    Returns:
        (H, W) factor for the colours.
    """
    height, width = relief.shape
    soft = gaussian_filter(relief, height / 62)
    slope_y, slope_x = np.gradient(soft)
    overlap = np.maximum(soft - relief, 0)
    coarse = rng.normal(0, 1, (14, 7)).astype(np.float32)
    folds = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    light = (camera.sun * slope_x + 0.6 * slope_y) * (0.011 * height / 128) - overlap * 0.007 + folds * 0.055
    return 1 + camera.shading * np.where(relief > 20, np.clip(light, -0.45, 0.3), 0)


def expose(rgb: np.ndarray, camera: Camera, light: np.ndarray) -> np.ndarray:
    """Apply light, sensor gain, saturation, contrast, haze and gamma to (H, W, 3) float32 colours in 0..255."""
    rgb = rgb * (camera.gain * light * camera.exposure)
    grey = ((rgb[..., 0] + rgb[..., 1] + rgb[..., 2]) / 3)[..., None]  # numpy's mean over so short an axis is slow
    rgb = grey + (rgb - grey) * camera.saturation
    rgb = (rgb - 110) * camera.contrast + 110
    rgb = np.clip(rgb * (1 - camera.haze) + 215 * camera.haze, 0, 255)
    return 255 * (rgb / 255) ** camera.gamma


def photograph(drawing: Image.Image, relief: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float],
               camera: Camera, light: np.ndarray, rng: np.random.Generator) -> Image.Image:  # fmt: skip
    """Take the photograph: ``box`` of the drawing at ``size`` (width, height) pixels, through the camera's optics."""
    rgb = np.asarray(drawing.resize(size, Image.Resampling.BILINEAR, box=box), np.float32)
    nearness = np.asarray(relief.resize(size, Image.Resampling.BILINEAR, box=box), np.float32)
    rgb = expose(rgb * shade(nearness, camera, rng)[..., None], camera, light)
    image = Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))
    scale = camera.resolution * rng.uniform(0.85, 1.1)
    if scale < 0.95:
        small = (max(8, round(size[0] * scale)), max(16, round(size[1] * scale)))
        image = image.resize(small, Image.Resampling.BILINEAR).resize(size, Image.Resampling.BICUBIC)
    if camera.blur or camera.noise:
        sigma = (camera.blur, camera.blur * rng.uniform(0.8, 1.6), 0)  # more along the direction of walking
        rgb = gaussian_filter(np.asarray(image, np.float32), sigma, truncate=2.5)
        rgb += rng.standard_normal(rgb.shape, np.float32) * camera.noise
        image = Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))
    return image
