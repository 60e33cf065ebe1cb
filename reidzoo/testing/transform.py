"""The contract of a TRANSFORM."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reidzoo.distributed import rank
from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.testing.contract import Contract
from reidzoo.testing.processes import can_fork, in_two_processes
from reidzoo.testing.values import difference, noise
from reidzoo.transforms import BatchDraw

__all__ = ["check_transform"]

INPUT = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
IMAGES = 6


def check_transform(part: Any, size: tuple[int, int] = (32, 16)) -> None:
    """Check that a transform keeps its contract, on uint8 and on float32 images, of which it may refuse one kind.

    Args:
        part: the TRANSFORM: its node, its class, or itself.
        size: height and width of the images; those half as large again are tried, too.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    with Contract(TRANSFORM, part) as contract:
        transform = contract.build(**_given(contract))
        larger = (size[0] * 3 // 2, size[1] * 3 // 2)
        batches = [images for shape in (size, larger) for images in (_pixels(shape), _pixels(shape).float() / 64 - 2)]
        taken = [images for images in batches if not _refuses(transform, images)]
        contract.require(bool(taken), "it takes uint8 or float32 images (B, 3, H, W)", "it refuses both")
        for images in taken:
            before = images.clone()
            whole = _apply(contract, transform, images.clone())
            if images.dtype == torch.uint8:
                _apply(contract, transform, images)
                kept = torch.equal(images, before)
                contract.require(kept, "it leaves uint8 images as they are", "they were written into")
            _check_result(contract, transform, before, whole)
            _check_repeat(contract, transform, before, whole)
            if not getattr(transform, "mixes", False):
                _check_shares(contract, transform, before, whole)
            elif can_fork():
                _check_processes(contract, transform, before, whole)


def _given(contract: Contract) -> dict[str, Any]:
    """Return what the framework gives a constructor that has parameters of these names, and no value for them."""
    taken, node = contract.parameters(), contract.part if isinstance(contract.part, dict) else {}
    return {name: value for name, value in INPUT.items() if name in taken and name not in node}


def _pixels(size: tuple[int, int]) -> Tensor:
    return (noise(IMAGES, 3, *size) * 60 + 128).clamp(0, 255).to(torch.uint8)


def _refuses(transform: Any, images: Tensor) -> bool:
    try:
        transform(images.clone(), BatchDraw(1, 2, 3, IMAGES))
    except ConfigError:
        return True
    except Exception:
        return False  # said where it is asked for
    return False


def _apply(contract: Contract, transform: Any, images: Tensor, start: int = 0, seed: int = 1) -> Tensor:
    """Return what the transform makes of the images from ``start`` on of a batch, without global random numbers."""
    draw = BatchDraw(seed, 2, 3, IMAGES, start, start + len(images))
    takes = contract.clause(f"it takes images {tuple(images.shape)}, {images.dtype}")
    with takes, contract.no_draws("every random number comes from draw"):
        return transform(images, draw)


def _check_result(contract: Contract, transform: Any, images: Tensor, result: Any) -> None:
    """Check the kind, shape and size of the result."""
    clause = "it returns the images alone, uint8 or float32 (B, 3, H, W), as many as it was given"
    contract.require(isinstance(result, Tensor), clause, f"it returned a {type(result).__name__}")
    fits = result.dim() == 4 and result.shape[:2] == images.shape[:2] and result.dtype in (torch.uint8, torch.float32)
    contract.require(fits, clause, f"of {tuple(images.shape)} it made {result.dtype} {tuple(result.shape)}")
    before, after, says = tuple(images.shape[2:]), tuple(result.shape[2:]), hasattr(transform, "out_size")
    said = tuple(transform.out_size(before)) if says else before
    contract.require(
        after == said,
        "a transform that changes the images' size says so by out_size(size)",
        f"of {before} it makes {after}, and {f'out_size says {said}' if says else 'there is no out_size'}",
    )


def _check_repeat(contract: Contract, transform: Any, images: Tensor, whole: Tensor) -> None:
    """Check that the same draw gives the same images."""
    again = _apply(contract, transform, images.clone())
    found = difference(whole, again)
    contract.require(not found, "every random number comes from draw", f"with the same draw, the result {found}")


def _check_shares(contract: Contract, transform: Any, images: Tensor, whole: Tensor) -> None:
    """Check that a process that has a share of the batch gets the same images."""
    for start, stop in ((0, 2), (2, 5), (5, 6)):
        share = _apply(contract, transform, images[start:stop].clone(), start)
        found = difference(whole[start:stop], share)
        clause = "an image's result does not depend on the others, or on how many processes share the batch"
        contract.require(not found, clause, f"of images {start} to {stop - 1} alone, the result {found}")


def _check_processes(contract: Contract, transform: Any, images: Tensor, whole: Tensor) -> None:
    """Check that two processes that share the batch get the same images between them."""

    def work() -> Tensor:
        start = rank() * (IMAGES // 2)
        return _apply(contract, transform, images[start : start + IMAGES // 2].clone(), start)

    found = difference(whole, torch.cat(in_two_processes(work)))
    contract.require(not found, "a result does not depend on how many processes share the batch", f"of two it {found}")
