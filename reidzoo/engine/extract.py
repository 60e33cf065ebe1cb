"""Extracts features of many images: sharded over processes, in the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from reidzoo import distributed
from reidzoo.backbones.side_information import side_information
from reidzoo.engine.host_copy import HostCopy
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.precision import autocast
from reidzoo.errors import EvaluationError
from reidzoo.transforms import Normalize

__all__ = ["check_finite", "embed_images", "evaluation_mode", "extract_features"]


@torch.no_grad()
def extract_features(
    model: nn.Module,
    table: ImageTable,
    normalize: Normalize,
    *,
    device: torch.device,
    batch_size: int = 128,
    workers: int | str = 0,
    flip: bool = False,
    precision: str = "fp32",
    channels_last: bool = True,
    title: str = "",
    method: str = "embed",
    sides: Sequence[np.ndarray] = (),
) -> Tensor:
    """Return the embeddings of every image of ``table``, L2-normalised if ``method`` or ``flip`` does so.

    The model is put into evaluation mode and back into the mode it was in.

    Args:
        model: a MODEL.
        table: the images.
        normalize: the pixel normalisation the model was trained with.
        device: where to compute.
        batch_size: images in a batch of one process.
        workers: loader processes; see ``worker_count``.
        flip: add the mirrored image's embedding before the normalisation.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        channels_last: give the model images in this memory layout; convolutions are faster in it.
        title: what the progress bar says; empty for none.
        method: the model's method that embeds: ``embed``, ``embed_query`` or ``embed_gallery``.
        sides: cameras and viewpoints of the images, int64 (N,) each, for a model that takes them; see
            ``side_information``.

    Returns:
        float32 (N, D) on the CPU, the same on every process.

    Raises:
        DatasetError: an image cannot be read.
        EvaluationError: an embedding is not finite.
    """
    rank, ranks = distributed.rank(), distributed.world_size()
    rows = np.array_split(np.arange(len(table)), ranks)[rank]
    batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    parts = []
    silent = None if title and distributed.is_main() else True
    with evaluation_mode(model), tqdm(total=len(rows), desc=title, unit="img", leave=False, disable=silent) as bar:
        pixels = (normalize(images.to(device, non_blocking=True)) for images in table.batches(batches, workers))
        embed = getattr(model, method)

        def embedded(rows: np.ndarray, images: Tensor) -> Tensor:
            camid, viewid = (torch.from_numpy(ids[rows]) for ids in sides) if sides else (None, None)
            with side_information(camid, viewid):
                return embed_images(embed, images, flip, precision, channels_last)

        for part in _fetched(embedded(*pair) for pair in zip(batches, pixels, strict=True)):
            parts.append(part)
            bar.update(len(part))
    features = torch.cat([part for share in distributed.gather_objects(parts) for part in share])
    check_finite(features, table.paths)
    return features


def _fetched(outputs: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield each output in the host's memory, a batch late: it is on its way while the device computes the next."""
    before: HostCopy | None = None
    for output in outputs:
        now = HostCopy(output)
        if before is not None:
            yield before.get().clone()  # page-locked memory is for few batches
        before = now
    if before is not None:
        yield before.get().clone()


def embed_images(
    embed: Callable[[Tensor], Tensor],
    images: Tensor,
    flip: bool,
    precision: str = "fp32",
    channels_last: bool = True,
) -> Tensor:
    """Return what ``embed`` gives for normalised images (B, 3, H, W): float32 (B, D), on their device.

    Args:
        embed: a MODEL's ``embed``, ``embed_query`` or ``embed_gallery``.
        images: what it takes.
        flip: add the mirrored image's embedding, and normalise the sum.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        channels_last: the memory layout in which ``embed`` is given them.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images = images.contiguous(memory_format=layout)
    with autocast(images.device, precision):
        embedding = embed(images).float()
        if flip:
            embedding = functional.normalize(embedding + embed(images.flip(3)).float())
    return embedding


def check_finite(features: Tensor, names: Sequence[str]) -> None:
    """Complain of embeddings that hold NaN or infinity.

    Args:
        features: (N, D).
        names: of the images.

    Raises:
        EvaluationError: one does; the message names the first image.
    """
    bad = (~features.isfinite().all(dim=1)).nonzero()[:, 0].tolist()
    if bad:
        raise EvaluationError(
            f"the embedding of {names[bad[0]]} holds NaN or infinity, and so do {len(bad) - 1:,} more of "
            f"{len(features):,}: the model has diverged, or its numbers grow too large; look at its training loss, and "
            f"with another SOLVER.PRECISION try fp32"
        )


@contextmanager
def evaluation_mode(*modules: nn.Module) -> Iterator[None]:
    """Set ``modules`` to evaluation mode, and at the end each back to the mode it was in, with all its sub-modules."""
    training = {part: part.training for module in modules for part in module.modules()}
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module in modules:
            module.train(training[module])  # which may be more than flags
        for part, mode in training.items():
            part.training = mode
