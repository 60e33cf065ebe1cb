"""A trained model with its preprocessing, which embeds image files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.engine.build import final_interpolation, final_size
from reidzoo.engine.extract import check_finite, embed_images
from reidzoo.errors import UserError
from reidzoo.evaluation.calibration import Calibration
from reidzoo.transforms import Normalize, read_image, resize_image
from reidzoo.transforms.decode import UnfitImageError

__all__ = ["Images", "ReadyModel"]

OneImage = str | os.PathLike[str] | Image.Image | Tensor
Images = OneImage | Sequence[OneImage]


class ReadyModel:
    """Embeds images with a trained model and the preprocessing that it was trained with.

    Images are resized, normalised and embedded as in the evaluation of the model's configuration, with the mirrored
    image too if it says so (``TEST.FLIP``). Paths and PIL images are taken as a viewer shows them; ``read_image`` says
    how.

    Args:
        module: a MODEL; it is put into evaluation mode, on ``device``, and takes no gradient.
        config: its configuration.
        info: facts about it.
        device: where to compute.
        found_by: what ``reidzoo.load`` finds it by again; "" for a model that comes from nowhere.

    Attributes:
        module: the network.
        config: the frozen configuration that built it.
        info: its origin: name, metrics, licence, ... as far as its file says.
        device: where it is.
        calibration: what its similarities mean, if ``reidzoo calibrate`` has put that into its file; else None.
        found_by: the name of the zoo, or the absolute path, that it was loaded by.
    """

    def __init__(
        self,
        module: nn.Module,
        config: CfgNode,
        info: dict[str, Any],
        device: torch.device | str = "cpu",
        found_by: str = "",
    ) -> None:
        self.device = torch.device(device)
        self.module: Any = module.to(self.device).eval().requires_grad_(False)  # with what MODEL's contract asks for
        if config.SOLVER.CHANNELS_LAST:
            self.module.to(memory_format=torch.channels_last)
        node = info.get("calibration")
        self.calibration = None if node is None else Calibration.from_dict(node, str(info.get("name", "the model")))
        self.config, self.info, self.found_by = config, info, found_by
        self._normalize = Normalize(config.INPUT.MEAN, config.INPUT.STD)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that images are resized to, in pixels."""
        return final_size(self.config)

    @property
    def interpolation(self) -> str:
        """How images are resized, as ``read_image`` names it."""
        return final_interpolation(self.config)

    @property
    def embedding_dim(self) -> int:
        """D of the embeddings."""
        return self.module.embedding_dim

    def embed(self, images: Images, batch_size: int = 0) -> Tensor:
        """Return the embeddings of images.

        Args:
            images: a path, a PIL image, a uint8 tensor (3, H, W) or (N, 3, H, W) of RGB pixels, or a list of paths, PIL
                images and tensors (3, H, W), each of any size.
            batch_size: images at a time; 0 for the configuration's ``TEST.IMS_PER_BATCH``.

        Returns:
            float32 (N, D), L2-normalised, on the CPU, in the order of the images; N is 1 for a single image.

        Raises:
            DatasetError: a file is missing or cannot be read as an image.
            EvaluationError: an embedding is not finite.
            TypeError, ValueError: something that is not an image, or has no pixels.
        """
        return self._embed("embed", images, batch_size)

    def embed_query(self, images: Images, batch_size: int = 0) -> Tensor:
        """Return the embeddings of images to search with, as ``embed``.

        A model of two networks uses its query network, and leaves the norm as its evaluation does; for all others this
        is ``embed``.
        """
        return self._embed("embed_query" if hasattr(self.module, "embed_query") else "embed", images, batch_size)

    def embed_gallery(self, images: Images, batch_size: int = 0) -> Tensor:
        """Return the embeddings of images to search in, as ``embed_query`` does for those to search with."""
        return self._embed("embed_gallery" if hasattr(self.module, "embed_gallery") else "embed", images, batch_size)

    @property
    def threshold(self) -> float:
        """The cosine similarity from which on two images count as one identity, at its calibration's false-accept rate.

        Raises:
            UserError: the model is not calibrated.
        """
        return self._calibrated().threshold

    def similarity(self, a: Images, b: Images) -> Tensor:
        """Return the cosine similarities of images, pair by pair.

        Args:
            a, b: as ``embed`` takes them, as many of one as of the other, or one of which each is compared. A model of
                two networks embeds ``a`` as queries and ``b`` as the gallery.

        Returns:
            float32 (N,), on the CPU.

        Raises:
            ValueError: their numbers differ, and neither is 1.
            DatasetError, EvaluationError, TypeError: as ``embed``.
        """
        first, second = self.embed_query(a), self.embed_gallery(b)
        if len(first) != len(second) and 1 not in (len(first), len(second)):
            raise ValueError(f"{len(first)} images cannot be compared pair by pair with {len(second)}")
        return torch.nn.functional.cosine_similarity(first, second, dim=1)

    def same(self, a: Images, b: Images, prior: float | None = None) -> float | Tensor:
        """Return the probability that two images show one identity.

        Args:
            a, b: as ``similarity`` takes them.
            prior: the share of pairs of one identity among those that you will ask about; None for the calibration's,
                which is a half unless it was told otherwise. ``Calibration.probability`` says how it enters.

        Returns:
            A number for two single images; float64 (N,), on the CPU, where one of them is a list or a batch.

        Raises:
            UserError: the model is not calibrated.
            EvaluationError: a prior outside (0, 1); or as ``similarity``.
            DatasetError, TypeError, ValueError: as ``similarity``.
        """
        probability = self._calibrated().probability(self.similarity(a, b).numpy(), prior)
        return float(probability[0]) if _is_single(a) and _is_single(b) else torch.from_numpy(probability)

    def _calibrated(self) -> Calibration:
        if self.calibration is None:
            raise UserError(
                f"the model {self.info.get('name', '')} is not calibrated: nothing says from which similarity on two "
                f"images show one identity. Measure it on images with identities: reidzoo calibrate MODEL --dataset "
                f"NAME, and load the model file that it writes"
            )
        return self.calibration

    @torch.no_grad()
    def _embed(self, method: str, images: Images, batch_size: int) -> Tensor:
        stream = self._pixels(images)
        parts = [torch.empty(0, self.embedding_dim)]
        while batch := list(islice(stream, batch_size or self.config.TEST.IMS_PER_BATCH)):
            names = [name for name, _ in batch]
            pixels = self._normalize(torch.stack([image for _, image in batch]).to(self.device))
            solver = self.config.SOLVER
            how = (self.config.TEST.FLIP, solver.PRECISION, solver.CHANNELS_LAST)
            parts.append(embed_images(getattr(self.module, method), pixels, *how).cpu())
            check_finite(parts[-1], names)
        return torch.cat(parts)

    def _pixels(self, images: Images) -> Iterator[tuple[str, Tensor]]:
        """Yield each image's name, and the image as uint8 (3, H, W) of the model's size."""
        listed: Any = [images] if _is_single(images) else images
        for number, image in enumerate(listed):
            if isinstance(image, (str, os.PathLike)):
                yield os.fspath(image), read_image(image, self.size, self.interpolation)
            else:
                yield f"image {number}", self._resize(image, number)

    def _resize(self, image: Any, number: int) -> Tensor:
        if isinstance(image, Tensor):
            if tuple(image.shape[1:]) == self.size and _is_rgb(image):
                return image.cpu()
            image = _to_pil(image, number)
        if not isinstance(image, Image.Image):
            found = type(image).__name__
            raise TypeError(f"image {number}: expected a path, a PIL image or a uint8 tensor, got {found}")
        try:
            return resize_image(image, self.size, self.interpolation)
        except UnfitImageError as error:
            raise ValueError(f"image {number} {error}") from None


def _is_single(images: Any) -> bool:
    return isinstance(images, (str, os.PathLike, Image.Image)) or (isinstance(images, Tensor) and images.dim() == 3)


def _is_rgb(image: Tensor) -> bool:
    return image.dtype == torch.uint8 and image.dim() == 3 and len(image) == 3


def _to_pil(image: Tensor, number: int) -> Image.Image:
    if not _is_rgb(image) or 0 in image.shape:
        raise ValueError(
            f"image {number}: expected RGB pixels 0..255 as a uint8 tensor (3, H, W), got {image.dtype} of shape "
            f"{tuple(image.shape)}"
        )
    return Image.fromarray(image.cpu().permute(1, 2, 0).contiguous().numpy())
