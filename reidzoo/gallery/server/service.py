"""Answers the server's requests, without HTTP."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from PIL import Image

from reidzoo.gallery.comparison import compare_images
from reidzoo.gallery.gallery import Gallery
from reidzoo.gallery.pair_scale import PairScale, measure_pairs
from reidzoo.gallery.records import Match
from reidzoo.gallery.server.answers import ComparisonAnswer, GalleryAnswer, MatchAnswer, SearchAnswer
from reidzoo.gallery.server.limits import Limits
from reidzoo.gallery.server.pictures import open_file, open_picture, small_jpeg

__all__ = ["Service"]


class Service:
    """Searches and compares, one request at a time: a model already takes all the processor's cores.

    Args:
        gallery: with its model loaded.
        limits: of the pictures.
    """

    def __init__(self, gallery: Gallery, limits: Limits) -> None:
        self.gallery, self.limits = gallery, limits
        self.calibration = gallery.model.calibration
        self._lock = threading.Lock()

    @cached_property
    def scale(self) -> PairScale | None:
        """What similarities mean in this gallery, as far as it knows identities."""
        return measure_pairs(self.gallery.store)

    @cached_property
    def about(self) -> GalleryAnswer:
        """What is served."""
        record = self.gallery.store.model
        return GalleryAnswer(
            images=len(self.gallery),
            identities=len(self.gallery.store.identity_counts()),
            cameras=self.gallery.cameras,
            model=record.name,
            sha256=record.sha256,
            calibrated=self.calibration is not None,
            threshold=self._threshold,
            max_bytes=self.limits.bytes,
            max_pixels=self.limits.pixels,
            max_matches=self.limits.matches,
        )

    def search(self, content: bytes, k: int, cameras: Sequence[str], rerank: bool) -> SearchAnswer:
        """Return the most similar pictures of the gallery.

        Raises:
            UserError: no picture, or an unknown camera.
        """
        image = open_picture(content, self.limits)
        with self._lock:
            (matches,) = self.gallery.search(image, k, camera=list(cameras) or None, rerank=rerank)
        return SearchAnswer(matches=[_answer(rank, match) for rank, match in enumerate(matches, 1)])

    def compare(self, first: bytes, second: bytes | str) -> ComparisonAnswer:
        """Return what the model makes of two pictures.

        Args:
            first: a picture's content.
            second: another one's, or the name of one of the gallery.

        Raises:
            UserError: no picture.
            LookupError: the gallery has none of this name.
        """
        images = open_picture(first, self.limits), self._second(second)
        with self._lock:
            found = compare_images(self.gallery.model, *images)
        probability, meaning = self._probability(found.similarity, isinstance(second, str))
        verdict, why = self._verdict(found.similarity)
        scale = [self.scale.describe(found.similarity)] if self.scale else []
        return ComparisonAnswer(
            similarity=found.similarity,
            probability=probability,
            threshold=self._threshold,
            verdict=verdict,
            reasons=[why, *found.reasons(), *scale, *meaning],
            influence=list(found.influence),
        )

    def picture(self, name: str) -> bytes:
        """Return a picture of the gallery, small, as a JPEG; other files cannot be asked for.

        Raises:
            LookupError: the gallery has none of this name.
            DatasetError: its file is gone.
        """
        return small_jpeg(open_file(self._path(name)))

    def _second(self, second: bytes | str) -> Image.Image:
        return open_picture(second, self.limits) if isinstance(second, bytes) else open_file(self._path(second))

    def _path(self, name: str) -> str:
        if not self.gallery.store.known([name]):
            raise LookupError("the gallery has no picture of this name")
        return name

    @property
    def _threshold(self) -> float | None:
        return None if self.calibration is None else float(self.calibration.threshold)

    def _probability(self, similarity: float, of_gallery: bool) -> tuple[float | None, list[str]]:
        """Return the probability of one identity, and in words for which pairs it holds."""
        if self.calibration is None:
            return None, []
        prior = (self.gallery.pair_share if of_gallery else None) or self.calibration.prior
        which = ", as among this gallery's pictures" if of_gallery and self.gallery.pair_share else ""
        said = f"The probability holds where {prior:.1%} of the pairs that are asked about show one identity{which}."
        return float(self.calibration.probability(similarity, prior)), [said]

    def _verdict(self, similarity: float) -> tuple[str, str]:
        if self.calibration is None:
            return "not calibrated", (
                f"The similarity is {similarity:.2f}. This model is not calibrated: nothing says from which similarity "
                f"on two pictures show one identity."
            )
        threshold, far = self.calibration.threshold, self.calibration.far
        reached = f"{threshold:.2f}, which {far:.2%} of the pairs of two identities reached when it was measured"
        if similarity >= threshold:
            return "same", f"The similarity is {similarity:.2f}, and reaches the threshold of {reached}."
        return "different", f"The similarity is {similarity:.2f}, below the threshold of {reached}."


def _answer(rank: int, match: Match) -> MatchAnswer:
    return MatchAnswer(rank=rank, file=Path(match.name).name, **vars(match))
