"""Finds the places of an image that make it similar to another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.engine.extract import evaluation_mode

__all__ = ["similarity_maps"]

SPECIAL = 5
"""Most tokens of a transformer that are no places: a class token, registers."""


def similarity_maps(module: Any, images: Tensor, targets: Tensor, method: str = "embed") -> Tensor:
    """Return which places of each image raise its similarity to a given feature: Grad-CAM of the cosine.

    ``relu(sum_c mean_p(d s / d A_cp) A_cp)`` over the last map A of C channels and P places on the way to the embedding
    (Selvaraju et al., *Grad-CAM*, ICCV 2017, Eq. 1 and 2), with s the cosine of embedding and target in the place of a
    class's score. The embedding's length is held fixed: a cosine does not change with it, so that its whole gradient
    adds up to nothing over the places, and would show half of them whatever the image.

    The map is found by running: the last output of any sub-module that has places, (B, C, h, w) or a transformer's
    tokens (B, N, C), and whose places the similarity depends on. So it works for any backbone, for one that pools by
    its class token too, whose last tokens of patches nothing depends on.

    Args:
        module: a MODEL; it is put into evaluation mode for the while.
        images: (B, 3, H, W), normalised.
        targets: (B, D), the feature that each image is compared with.
        method: ``embed``, ``embed_query`` or ``embed_gallery``.

    Returns:
        float32 (B, H, W) on the CPU, each image's from 0 to 1; all 0 where nothing raises the similarity.

    Raises:
        ValueError: no output of the network has places.
    """
    with evaluation_mode(module), torch.enable_grad(), _recorded(module) as outputs:
        embedding = _embed(module, images.detach().requires_grad_(), method).float()
        directions = functional.normalize(targets.to(embedding.device).float(), dim=1)
        score = (embedding * directions / embedding.detach().norm(dim=1, keepdim=True)).sum()
        heat = _heat(score, outputs)
    heat = functional.interpolate(heat[:, None], images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return (heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)).cpu()


@contextmanager
def _recorded(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the outputs of all sub-modules, in the order in which they come."""
    outputs: list[Tensor] = []

    def note(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() in (3, 4) and output.requires_grad:
            outputs.append(output)

    handles = [part.register_forward_hook(note) for part in module.modules()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _embed(module: Any, images: Tensor, method: str) -> Tensor:
    """Return the embedding (B, D) before it is normalised, where the model's ``forward`` gives it."""
    if method == "embed":
        outputs = module(images)
        if isinstance(outputs, dict) and "embedding" in outputs:
            return outputs["embedding"]
    return getattr(module, method)(images)


def _heat(score: Tensor, outputs: list[Tensor]) -> Tensor:
    """Return the map (B, h, w) of the last output with places that the score depends on."""
    for index in reversed(range(len(outputs))):
        output, grid = outputs[index], _grid(outputs[: index + 1])
        if grid is None or grid.numel() < 2:
            continue
        (gradient,) = torch.autograd.grad(score, output, retain_graph=True, allow_unused=True)
        if gradient is None:
            continue
        values, slopes = (_as_map(tensor.detach().float(), grid) for tensor in (output, gradient))
        if bool(slopes.any()):
            return (slopes.mean((2, 3), keepdim=True) * values).sum(1).relu()
    raise ValueError("no output of the network has places, so it cannot be said where it looks")


def _as_map(tensor: Tensor, grid: torch.Size) -> Tensor:
    """Return (B, C, h, w), of tokens (B, N, C) too."""
    return tensor if tensor.dim() == 4 else tensor[:, -grid.numel() :].transpose(1, 2).unflatten(2, grid)


def _grid(outputs: list[Tensor]) -> torch.Size | None:
    """Return rows and columns of the last output's places, None where it has none.

    Tokens have those of the map that they were cut from: the last one before them of as many places, but for the first
    tokens, which may be no places. A column of places is no such map: features of stripes are as few.
    """
    *before, last = outputs
    if last.dim() == 4:
        return last.shape[2:]
    maps = (output.shape[2:] for output in reversed(before) if output.dim() == 4 and min(output.shape[2:]) > 1)
    return next((grid for grid in maps if 0 <= last.shape[1] - grid.numel() <= SPECIAL), None)
