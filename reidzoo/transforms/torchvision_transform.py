"""Any transform of torchvision, from draws that depend on nothing but the image's place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import AutoAugmentPolicy, InterpolationMode, v2

from reidzoo.checks import NODE, PROBABILITY, check, one_of
from reidzoo.errors import ConfigError, UserError
from reidzoo.one_thread import one_thread
from reidzoo.registry import MISFITS, TRANSFORM, Registry, misfit
from reidzoo.suggest import did_you_mean
from reidzoo.transforms.draw import BatchDraw

__all__ = ["TorchvisionTransform"]

ENUMS = {"interpolation": InterpolationMode, "policy": AutoAugmentPolicy}
"""Arguments that torchvision takes as values of these; YAML has their names."""
SIZES = ((256, 128), (1024, 512))
"""Height and width of the images that a transform is tried on; the second where it takes none as small as the first."""
OWN = ("", "torchvision.transforms", v2.__name__)
"""Where a name's class is one of ``torchvision.transforms.v2``: the older ones have the names of those."""
THEIRS = Registry("TRANSFORM: TorchvisionTransform")
"""Looks up classes of other packages than torchvision; nothing is registered."""


@TRANSFORM.register_module()
class TorchvisionTransform:
    """Applies a transform of ``torchvision.transforms.v2`` to each image, with random numbers of its own.

    torchvision's transforms draw from torch's global generator. Here that generator is seeded for each image by the
    draw of (seed, epoch, position), and left as it was: so an image's result depends neither on the others nor on
    workers, processes or a resume. Goes before ``Normalize``: it takes and returns bytes. A transform that wants
    floating-point numbers is given the image in [0, 1], and what it returns is rounded back.

    Args:
        transform: ``{type: RandomPerspective, distortion_scale: 0.3}``, a class of ``torchvision.transforms.v2`` or
            a dotted name, with its arguments. What takes transforms itself, such as ``RandomChoice``, has a list of
            such entries. ``{type: torchvision.transforms.v2.RandomPerspective, ...}`` in this part's own place is
            short for it, with ``v2`` or without.
        p: the probability of applying it to an image, beside what the transform itself leaves to chance.

    Raises:
        ConfigError: there is no such transform, it does not take its arguments, or it makes something else of an
            image than an image of three channels whose size follows from its input's.
    """

    def __init__(self, transform: Mapping[str, Any], p: float = 1.0) -> None:
        check(self, NODE, transform=transform)
        check(self, PROBABILITY, p=p)
        self._set_up(_build(transform), p)

    def _set_up(self, transform: Any, p: float) -> None:
        """Take the transform itself, and try it on an image."""
        self.transform, self.p = transform, p
        self._wants_floats = False
        self._sizes: dict[tuple[int, int], tuple[int, int]] = {}
        size = self._try()
        self._refuse(len(size) != 3 or size[0] != 3, f"a tensor {size}")

    def out_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width of what it makes of images of ``size``."""
        if size not in self._sizes:
            image = torch.zeros(3, *size, dtype=torch.uint8)
            with _kept_generators(image.device):
                _seed(image.device, 0)
                shape = self._one(image).shape
            self._sizes[size] = (shape[1], shape[2])
        return self._sizes[size]

    @torch.no_grad()
    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the batch (B, 3, H, W) of bytes, each image by numbers of its own.

        Raises:
            ConfigError: the images are not bytes, or what becomes of them is not of one size.
        """
        if images.dtype != torch.uint8:
            raise ConfigError(
                f"{self._name()} is given images of {images.dtype}: it works on bytes, and goes before Normalize in "
                f"INPUT.TRANSFORMS"
            )
        numbers = draw.uniform(2)
        if images.device.type == "mps":  # which has a generator that torch does not let one keep
            return self._apply(images.cpu(), numbers).to(images.device)
        return self._apply(images, numbers)

    def _apply(self, images: Tensor, numbers: Any) -> Tensor:
        results = []
        with _kept_generators(images.device), one_thread():  # or sums depend on how many there are
            for image, (gate, number) in zip(images, numbers.tolist()):
                if gate < self.p:
                    _seed(images.device, int(number * 2**53))
                    image = self._one(image)
                results.append(image)
        sizes = {tuple(result.shape) for result in results}
        self._refuse(len(sizes) > 1, f"images of different sizes, {_listed(sizes)}, with p = {self.p}")
        return torch.stack(results)

    def _one(self, image: Tensor) -> Tensor:
        """Return what the transform makes of an image (3, H, W) of bytes, of bytes again."""
        if not self._wants_floats:
            return self.transform(image.clone())  # or one that works in place would write into the caller's batch
        return (self.transform(image.float() / 255) * 255).round_().clamp_(0, 255).to(torch.uint8)

    def _try(self) -> tuple[int, ...]:
        """Find what images the transform takes, bytes if it does; return the shape of what it makes of one."""
        errors: list[Exception] = []
        for size in SIZES:
            for self._wants_floats in (False, True):
                image = torch.arange(3 * size[0] * size[1]).remainder_(256).to(torch.uint8).view(3, *size)
                try:
                    results = self._several(image.float() / 255 if self._wants_floats else image)
                except MISFITS as error:
                    errors.append(error)
                    continue
                return self._check(results, torch.float32 if self._wants_floats else torch.uint8)
        raise ConfigError(
            f"TRANSFORM: torchvision's {self._name()} fails on an image alone, uint8 (3, {SIZES[0][0]}, {SIZES[0][1]})"
            f": {errors[0]}"
        ) from errors[0]

    def _several(self, image: Tensor) -> list[Any]:
        """Return what the transform makes of an image, with four seeds."""
        results = []
        with _kept_generators(image.device):
            for seed in range(4):
                _seed(image.device, seed)
                results.append(self.transform(image.clone()))
        return results

    def _check(self, results: list[Any], dtype: torch.dtype) -> tuple[int, ...]:
        """Return the shape of the results, which have one kind and size."""
        for result in results:
            self._refuse(not isinstance(result, Tensor), f"a {type(result).__name__}")
            self._refuse(result.dtype != dtype, f"a tensor of {result.dtype}, of one of {dtype}")
            inside = dtype == torch.uint8 or (result.min() > -0.01 and result.max() < 1.01)  # cubic resizing overshoots
            self._refuse(not inside, f"values of {result.min():.2f} to {result.max():.2f}, of some in [0, 1]")
        sizes = {tuple(result.shape) for result in results}
        self._refuse(len(sizes) > 1, f"images of different sizes, {_listed(sizes)}")
        return sizes.pop()

    def _refuse(self, wrong: bool, returned: str) -> None:
        if wrong:
            raise ConfigError(
                f"TRANSFORM: torchvision's {self._name()} returned {returned}; one that fits here returns the image "
                f"alone, a tensor (3, H, W) of the kind that it was given, always of the same size"
            )

    def _name(self) -> str:
        return type(self.transform if type(self) is TorchvisionTransform else self).__name__


def _listed(sizes: set[tuple[int, ...]]) -> str:
    return " and ".join(map(str, sorted(sizes)[:3]))


def _build(node: Mapping[str, Any]) -> Any:
    """Build a transform, and first those that its arguments describe."""
    kind, arguments = node["type"], {key: _argument(key, value) for key, value in node.items() if key != "type"}
    place, _, last = kind.rpartition(".")
    cls = getattr(v2, last, None) if place in OWN else THEIRS.get(kind)
    if not (isinstance(cls, type) and callable(cls)) or last[:1].islower():
        names = sorted(name for name, value in vars(v2).items() if isinstance(value, type))
        raise ConfigError(
            f"TRANSFORM: torchvision.transforms.v2 has no {last!r}.{did_you_mean(last, names)} It has "
            f"{', '.join(names)}"
        )
    try:
        return cls(**arguments)
    except UserError:
        raise
    except MISFITS as error:
        raise ConfigError(f"TRANSFORM: {misfit(cls, arguments, error)}") from error


def _argument(name: str, value: Any) -> Any:
    if isinstance(value, Mapping) and "type" in value:
        return _build(value)
    if isinstance(value, list | tuple):
        return [_argument("", each) for each in value]
    if name in ENUMS and isinstance(value, str):
        check("TorchvisionTransform", one_of(*(mode.value for mode in ENUMS[name])), **{name: value})
        return ENUMS[name](value)
    return value


def _kept_generators(device: torch.device) -> AbstractContextManager[None]:
    """Set torch's global generators, that of the CPU and that of ``device``, at the end to where they were."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def _seed(device: torch.device, seed: int) -> None:
    """Seed torch's global generators of the CPU and of ``device``, and no other."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
