"""Answers the server's requests, without HTTP."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from PIL import Image

from reidzoo.errors import DatasetError, GalleryError
from reidzoo.gallery.comparison import compare_images
from reidzoo.gallery.gallery import Gallery
from reidzoo.gallery.pair_scale import PairScale, measure_pairs
from reidzoo.gallery.records import Match
from reidzoo.gallery.server.answers import ComparisonAnswer, GalleryAnswer, MatchAnswer, SearchAnswer
from reidzoo.gallery.server.limits import Limits
from reidzoo.gallery.server.pictures import open_file, small_jpeg
from reidzoo.gallery.server.public_names import PublicNames
from reidzoo.inference.decision import PRIOR, Decision

__all__ = ["Service"]


class Service:
    """Searches and compares, one request at a time: a model already takes all the processor's cores.

    Args:
        gallery: with its model loaded.
        limits: of the pictures.
        prior: what all probabilities are for, as ``ReadyModel.same`` takes it.
    """

    def __init__(self, gallery: Gallery, limits: Limits, prior: float | None = None) -> None:
        self.gallery, self.limits = gallery, limits
        self.decision = Decision.of(gallery.model, prior)
        self.prior = None if self.decision is None else self.decision.prior
        self._lock = threading.Lock()

    @cached_property
    def scale(self) -> PairScale | None:
        """What similarities mean in this gallery, as far as it knows identities."""
        return measure_pairs(self.gallery.store)

    @cached_property
    def names(self) -> PublicNames:
        """What its pictures are called outside."""
        return PublicNames(self.gallery.store)

    @cached_property
    def about(self) -> GalleryAnswer:
        """What is served."""
        record, decision = self.gallery.store.model, self.decision
        return GalleryAnswer(
            images=len(self.gallery),
            identities=len(self.gallery.store.identity_counts()),
            cameras=self.gallery.cameras,
            model=record.name,
            sha256=record.sha256,
            calibrated=decision is not None,
            threshold=None if decision is None else decision.calibration.threshold,
            far=None if decision is None else decision.calibration.far,
            prior=self.prior,
            max_bytes=self.limits.bytes,
            max_pixels=self.limits.pixels,
            max_matches=self.limits.matches,
        )

    def search(self, image: Image.Image, k: int, cameras: Sequence[str], rerank: bool) -> SearchAnswer:
        """Return the most similar pictures of the gallery.

        Raises:
            UserError: an unknown camera.
        """
        with self._lock:
            (matches,) = self.gallery.search(image, k, camera=list(cameras) or None, rerank=rerank, prior=self.prior)
        return SearchAnswer(matches=[self._answer(rank, match) for rank, match in enumerate(matches, 1)])

    def compare(self, first: Image.Image, second: Image.Image | str) -> ComparisonAnswer:
        """Return what the model makes of two pictures.

        Args:
            first: a picture.
            second: another one, or the name of one of the gallery.

        Raises:
            GalleryError: its file is gone, or no picture.
            LookupError: the gallery has none of this name.
        """
        other = self._open(second) if isinstance(second, str) else second
        with self._lock:
            found = compare_images(self.gallery.model, first, other)
        decision, similarity = self.decision, found.similarity
        scale = [self.scale.describe(similarity)] if self.scale else []
        return ComparisonAnswer(
            similarity=similarity,
            probability=None if decision is None else decision.probability(similarity),
            side=None if decision is None else decision.side(similarity),
            reasons=[self._line(similarity), *found.reasons(), *scale, *self._priors(similarity)],
            influence=list(found.influence),
        )

    def picture(self, name: str) -> bytes:
        """Return a picture of the gallery, small, as a JPEG; other files cannot be asked for.

        Raises:
            LookupError: the gallery has none of this name.
            GalleryError: its file is gone.
        """
        return small_jpeg(self._open(name))

    def _open(self, name: str) -> Image.Image:
        try:
            return open_file(self.names.find(name))
        except DatasetError:  # whose message says where the file lay
            raise GalleryError(f"the file of {name} is gone, or cannot be read any more") from None

    def _answer(self, rank: int, match: Match) -> MatchAnswer:
        shown = {**vars(match), "name": self.names.show(match.name)}
        return MatchAnswer(rank=rank, file=Path(match.name).name, **shown)

    def _line(self, similarity: float) -> str:
        """Return in words what the similarity is compared with."""
        if self.decision is None:
            return (
                f"The similarity is {similarity:.2f}. This model is not calibrated: nothing says from which similarity "
                f"on two pictures show one identity."
            )
        known = self.decision.calibration
        return (
            f"The similarity is {similarity:.2f}, the threshold {known.threshold:.2f}, which {100 * known.far:.3g} % "
            f"of the pairs of two identities reached when it was measured."
        )

    def _priors(self, similarity: float) -> list[str]:
        """Return in words what the probability is for, and what it is where identities are as many as here."""
        if self.decision is None:
            return []
        said = f"The probability is for {self.decision.prior_words}, {PRIOR}"
        if share := self.gallery.pair_share:
            own = Decision(self.decision.calibration, share)
            here = f"{100 * own.probability(similarity):.1f} %"
            said += f"; for {own.prior_words}, as among this gallery's pictures, it is {here}"
        return [f"{said}."]
