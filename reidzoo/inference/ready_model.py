"""A trained model with its preprocessing, which embeds image files."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo.checks import check, whole
from reidzoo.engine.build import final_interpolation, final_size
from reidzoo.engine.extract import check_finite, embed_images, evaluation_mode
from reidzoo.engine.on_cpu import on_cpu
from reidzoo.errors import UserError
from reidzoo.evaluation.calibration import Calibration
from reidzoo.inference.fingerprint import fingerprint
from reidzoo.inference.pixel_source import Images, PixelSource, is_single
from reidzoo.transforms import Normalize

__all__ = ["Images", "ReadyModel"]


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

    @on_cpu()
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

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that determines its embeddings; a calibration or another name does not change it."""
        return fingerprint(self.module, self.config)

    def embed(self, images: Images, batch_size: int = 0, *, boxes: Any = None, channels: str = "") -> Tensor:
        """Return the embeddings of images, or of boxes in them.

        Args:
            images: a path, a PIL image, a uint8 tensor (3, H, W) or (N, 3, H, W) of RGB pixels, a uint8 array (H, W, 3)
                or (N, H, W, 3), or a list, an array or an iterator of paths, PIL images, tensors (3, H, W) and arrays
                (H, W, 3), each of any size.
            batch_size: images at a time; 0 for the configuration's ``TEST.IMS_PER_BATCH``.
            boxes: of one image, numbers (N, 4): left, top, right and bottom in its pixels, which are cut out and
                embedded; of several images, a list of these. None for whole images.
            channels: of arrays, which do not say it themselves: ``bgr`` for what OpenCV reads, or ``rgb``.

        Returns:
            float32 (N, D), L2-normalised, on the CPU, in the order of the images, and of the boxes in each; N is 1 for
            a single image.

        Raises:
            DatasetError: a file is missing, or it or a PIL image cannot be read.
            EvaluationError: an embedding is not finite.
            ConfigError: a batch size below 0.
            TypeError, ValueError: something that is not an image or a box, or has no pixels, or an array without
                ``channels``.
        """
        return self._embed("embed", images, batch_size, boxes, channels)

    def embed_query(self, images: Images, batch_size: int = 0, *, boxes: Any = None, channels: str = "") -> Tensor:
        """Return the embeddings of images to search with, as ``embed``.

        A model of two networks uses its query network, and leaves the norm as its evaluation does; for all others this
        is ``embed``.
        """
        method = "embed_query" if hasattr(self.module, "embed_query") else "embed"
        return self._embed(method, images, batch_size, boxes, channels)

    def embed_gallery(self, images: Images, batch_size: int = 0, *, boxes: Any = None, channels: str = "") -> Tensor:
        """Return the embeddings of images to search in, as ``embed_query`` does for those to search with."""
        method = "embed_gallery" if hasattr(self.module, "embed_gallery") else "embed"
        return self._embed(method, images, batch_size, boxes, channels)

    @property
    def threshold(self) -> float:
        """The cosine similarity from which on two images count as one identity, at its calibration's false-accept rate.

        Raises:
            UserError: the model is not calibrated.
        """
        return self._calibrated().threshold

    def similarity(self, a: Images, b: Images, *, channels: str = "") -> Tensor:
        """Return the cosine similarities of images, pair by pair.

        Args:
            a, b: as ``embed`` takes them, as many of one as of the other, or one of which each is compared. A model of
                two networks embeds ``a`` as queries and ``b`` as the gallery.
            channels: of arrays, as for ``embed``.

        Returns:
            float32 (N,) in [-1, 1], on the CPU.

        Raises:
            ValueError: their numbers differ, and neither is 1.
            DatasetError, EvaluationError, TypeError: as ``embed``.
        """
        first, second = self.embed_query(a, channels=channels), self.embed_gallery(b, channels=channels)
        if len(first) != len(second) and 1 not in (len(first), len(second)):
            raise ValueError(f"{len(first)} images cannot be compared pair by pair with {len(second)}")
        return torch.nn.functional.cosine_similarity(first, second, dim=1).clamp(-1, 1)  # rounding may go beyond

    def same(self, a: Images, b: Images, prior: float | None = None, *, channels: str = "") -> float | Tensor:
        """Return the probability that two images show one identity.

        Args:
            a, b: as ``similarity`` takes them.
            prior: the share of pairs of one identity among those that you will ask about; None for the calibration's,
                which is a half unless it was told otherwise. ``Calibration.probability`` says how it enters.
            channels: of arrays, as for ``embed``.

        Returns:
            A number for two single images; float64 (N,), on the CPU, where one of them is a list or a batch.

        Raises:
            UserError: the model is not calibrated.
            EvaluationError: a prior outside (0, 1); or as ``similarity``.
            DatasetError, TypeError, ValueError: as ``similarity``.
        """
        probability = self._calibrated().probability(self.similarity(a, b, channels=channels).numpy(), prior)
        return float(probability[0]) if is_single(a) and is_single(b) else torch.from_numpy(probability)

    def _calibrated(self) -> Calibration:
        if self.calibration is None:
            raise UserError(
                f"the model {self.info.get('name', '')} is not calibrated: nothing says from which similarity on two "
                f"images show one identity. Measure it on images with identities, and load the model that it names: "
                f"reidzoo calibrate {self.found_by or 'MODEL'} --dataset NAME --data-root DIR"
            )
        return self.calibration

    @on_cpu()
    @torch.no_grad()
    def _embed(self, method: str, images: Images, batch_size: int, boxes: Any, channels: str) -> Tensor:
        check("embed", whole(0), batch_size=batch_size)
        source = PixelSource(self.size, self.interpolation, channels)
        stream = source.whole(images) if boxes is None else source.boxes(images, boxes)
        parts = [torch.empty(0, self.embedding_dim, dtype=torch.float32)]
        solver = self.config.SOLVER
        how = (self.config.TEST.FLIP, solver.PRECISION, solver.CHANNELS_LAST)
        trains = any(part.training for part in self.module.modules())  # somebody may have put it into that mode since
        with evaluation_mode(self.module) if trains else nullcontext():
            while batch := list(islice(stream, batch_size or self.config.TEST.IMS_PER_BATCH)):
                pixels = self._normalize(torch.stack([image for _, image in batch]).to(self.device))
                parts.append(embed_images(getattr(self.module, method), pixels, *how).cpu())
                check_finite(parts[-1], [name for name, _ in batch])
        return torch.cat(parts)
