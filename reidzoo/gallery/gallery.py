"""A gallery of embedded images that is searched with images."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from reidzoo.checks import whole
from reidzoo.datasets.base import check_names
from reidzoo.engine.image_check import ImageCheck
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.on_cpu import on_cpu
from reidzoo.errors import DatasetError, GalleryError, UserError
from reidzoo.evaluation.rerank import KReciprocal, rerank_k_reciprocal
from reidzoo.gallery.folder import GalleryFolder
from reidzoo.gallery.indexes import open_index
from reidzoo.gallery.local_store import LocalStore
from reidzoo.gallery.part import PART_ROWS
from reidzoo.gallery.records import Added, Entry, Hit, Match, ModelRecord, each_label, label_text
from reidzoo.gallery.sources import OneOrEach, read_source
from reidzoo.gallery.store import Store
from reidzoo.inference.load import load
from reidzoo.inference.pixel_source import PixelSource
from reidzoo.inference.ready_model import Images, ReadyModel
from reidzoo.neighbours.features import normalised
from reidzoo.suggest import did_you_mean

__all__ = ["RERANK_DEPTH", "Gallery"]

RERANK_DEPTH = 1000
"""The nearest images that are re-ranked for a query; in a gallery that has no more, these are all."""
BATCH = 128


class Gallery:
    """Images embedded by one model, found again by further images.

    A gallery in a folder is never half-changed, whenever its process dies: see ``GalleryFolder``. It remembers the
    model, by the SHA-256 of its file and by what it embeds with, and takes no other model's embeddings; a copy with a
    calibration is the same model. Similarities are cosines, whatever metric
    the model is evaluated with.

    Args:
        store: what holds the embeddings.
        model: the model that they are of, or what ``reidzoo.load`` takes; None loads it when it is first needed.

    Raises:
        GalleryError: the store holds another model's embeddings.
    """

    def __init__(self, store: Store, model: ReadyModel | str | os.PathLike[str] | None = None) -> None:
        model = load(model) if isinstance(model, (str, os.PathLike)) else model
        self.store, self._model = store, model
        self._pair_share: float | None = None
        self._counted = False
        if model is not None:
            _check_model(store.model, model)

    @classmethod
    def build(
        cls,
        model: ReadyModel | str | os.PathLike[str],
        source: Any,
        folder: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Gallery:
        """Return a new gallery of a source's images.

        Args:
            model: a model, or what ``reidzoo.load`` takes.
            source: as for ``add``.
            folder: a new folder to keep it in while it grows; None keeps it in memory until ``save``.
            options: as for ``add``.

        Raises:
            GalleryError: the folder holds something already.
            UserError: as ``add`` says.
        """
        gallery = cls.new(model if isinstance(model, ReadyModel) else load(model), folder)
        gallery.add(source, **options)
        return gallery

    @classmethod
    def new(cls, model: ReadyModel, folder: str | os.PathLike[str] | None = None) -> Gallery:
        """Return a gallery without images, whose folder, as for ``build``, is made with the first.

        Raises:
            GalleryError: the folder holds something already.
        """
        return cls(LocalStore(ModelRecord.of(model), None if folder is None else GalleryFolder.new(folder)), model)

    @classmethod
    @on_cpu()
    def load(
        cls,
        folder: str | os.PathLike[str],
        model: ReadyModel | str | os.PathLike[str] | None = None,
        index: Any = "exact",
    ) -> Gallery:
        """Return the gallery in a folder.

        Args:
            folder: where it was built or saved.
            model: the model that it was built with, or what ``reidzoo.load`` takes; None loads that when an image is to
                be embedded.
            index: what searches: ``exact``; ``faiss`` for millions of images, which may miss some of the nearest; or a
                ``FaissIndex`` with its settings.

        Raises:
            GalleryError: the folder is not a gallery, it is damaged, or of another model; or an unknown index.
            UserError: faiss is not installed.
        """
        return cls(LocalStore.load(folder, open_index(index)), model)

    @on_cpu()
    def save(self, folder: str | os.PathLike[str], replace: bool = False) -> None:
        """Write the gallery into a folder, and keep further changes there.

        Args:
            folder: a new one; that of this gallery has everything already.
            replace: whether it may be another gallery's, which is then lost.

        Raises:
            GalleryError: the folder holds something else, or the gallery lives in a database.
        """
        if not isinstance(self.store, LocalStore):
            raise GalleryError("this gallery lives in a database, which keeps it; there is nothing to save")
        self.store.save(folder, replace)

    @property
    def model(self) -> ReadyModel:
        """The model, loaded when it is first asked for.

        Raises:
            GalleryError: what it was loaded from is gone, or is another model now.
        """
        if self._model is None:
            record = self.store.model
            try:
                model = load(record.weights)
            except UserError as error:
                raise GalleryError(
                    f"the gallery's model {record.name} (sha256 {record.sha256[:12]}...) cannot be loaded from "
                    f"{record.weights}: {error}\nName it: --weights, or Gallery.load(folder, model=reidzoo.load(...))"
                ) from None
            _check_model(record, model)
            self._model = model
        return self._model

    def __len__(self) -> int:
        return len(self.store)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.store.entries())

    @property
    def cameras(self) -> list[str]:
        """The cameras of its images, sorted."""
        return self.store.cameras()

    @on_cpu()
    def add(
        self,
        source: Any,
        *,
        names: Sequence[str] | None = None,
        identities: OneOrEach = None,
        cameras: OneOrEach = None,
        split: str = "gallery",
        skip_unreadable: bool = False,
        workers: int = 0,
        title: str = "",
        channels: str = "",
    ) -> Added:
        """Embed images and add them; those whose names are there already are left as they are.

        Every few thousand images are kept at once, so that an addition that was interrupted, or fails, goes on where it
        stopped when it is repeated.

        Args:
            source: a folder, in which and below which every image is taken, with the name of its own folder as its
                identity; a ``Dataset``; or one or more paths, PIL images, uint8 tensors (3, H, W) or arrays (H, W, 3).
            names: of a list of images; by default their absolute paths.
            identities, cameras: of a list of images: one for all, or one for each; None, or NaN as in a table, where
                unknown.
            split: of a dataset.
            skip_unreadable: leave out files that cannot be read, and images that are none, instead of raising; of files
                that is before anything is embedded.
            workers: processes that decode files.
            title: what a progress bar says; empty for none.
            channels: of arrays, as ``ReadyModel.embed`` takes it.

        Raises:
            DatasetError: there is no image, or some are none or cannot be read.
            GalleryError: names or labels do not fit the images, or another process has changed the gallery.
        """
        images, entries = read_source(source, names, identities, cameras, split)
        known = self.store.known([entry.name for entry in entries])
        rows = [row for row, entry in enumerate(entries) if entry.name not in known]
        images, entries = [images[row] for row in rows], [entries[row] for row in rows]
        unreadable: dict[int, str] = {}
        paths = [os.fspath(image) for image in images if isinstance(image, (str, os.PathLike))]
        if not skip_unreadable:
            ImageCheck(paths).run()
        if len(paths) == len(images):
            blocks = self._embed_files(paths, workers, unreadable, skip_unreadable)
        else:
            blocks = self._embed_images(images, entries, channels, unreadable, skip_unreadable)
        self._add_blocks(entries, blocks, title)
        return Added(len(entries) - len(unreadable), len(known), tuple(unreadable[row] for row in sorted(unreadable)))

    @on_cpu()
    def add_embeddings(self, embeddings: Tensor | np.ndarray, entries: Sequence[Entry], sha256: str) -> Added:
        """Add images that were embedded elsewhere, such as by ``reidzoo extract``.

        Args:
            embeddings: (n, D), of any norm.
            entries: their records, or their names; labels that are numbers are kept as texts, as ``add`` keeps them.
            sha256: of the model that embedded them.

        Raises:
            GalleryError: they are another model's, or not one for each record; or a record has no name.
            DatasetError: a name is not UTF-8.
            ClusteringError: they hold NaN, or a row of zeros.
        """
        self.store.model.check_same(sha256)
        if not len(embeddings) and not len(entries):
            return Added(0)
        features = self._checked(embeddings)
        entries = [_record(entry) for entry in entries]
        if len(features) != len(entries) or _repeated(entries):
            raise GalleryError(
                f"{len(features)} embeddings and {len(entries)} records; give one for each, of one name each"
            )
        check_names(entry.name for entry in entries)
        known = self.store.known([entry.name for entry in entries])
        rows = [row for row, entry in enumerate(entries) if entry.name not in known]
        if rows:
            self._changed()
            self.store.add([entries[row] for row in rows], features[torch.tensor(rows)] if known else features)
        return Added(len(rows), len(known))

    @on_cpu()
    def remove(self, names: str | os.PathLike[str] | Iterable[Any] = (), *, identity: str | int | None = None) -> int:
        """Remove images for good, and return how many there were.

        Args:
            names: one or more names, records or matches; paths may be relative.
            identity: and all images of this identity.
        """
        given = [_name(name) for name in each_label([names] if isinstance(names, Entry) else names)]
        wanted = {*given, *(os.path.abspath(name) for name in given)}
        if (wanted_identity := label_text(identity)) is not None:
            wanted |= {entry.name for entry in self if entry.identity == wanted_identity}
        self._changed()
        return self.store.remove(wanted) if wanted else 0

    def search(
        self,
        images: Images,
        k: int = 10,
        *,
        camera: str | int | Collection[str | int] | None = None,
        rerank: bool | KReciprocal = False,
        prior: float | None = None,
        channels: str = "",
    ) -> list[list[Match]]:
        """Return the ``k`` most similar images of the gallery for each query image, most similar first.

        Args:
            images: a path, a PIL image, a tensor, an array, or several; as ``ReadyModel.embed`` takes them.
            k: how many; fewer are returned where the gallery has fewer.
            camera: only images of this camera, or of these.
            rerank: True, or ``KReciprocal(k1, k2, lambda_)``, orders the 1000 nearest by k-reciprocal re-ranking.
            prior: what the probabilities of a calibrated model are for, as ``ReadyModel.same`` takes it.
            channels: of arrays, as ``ReadyModel.embed`` takes it.

        Raises:
            GalleryError: k below 1, a camera that the gallery does not know, no way to re-rank, or a prior for a model
                that is not calibrated.
            EvaluationError: a prior outside (0, 1).
            DatasetError: a file cannot be read as an image.
        """
        queries = self.model.embed_query(images, channels=channels)
        return self.search_embeddings(queries, k, camera=camera, rerank=rerank, prior=prior)

    @on_cpu()
    def search_embeddings(
        self,
        embeddings: Tensor | np.ndarray,
        k: int = 10,
        *,
        camera: str | int | Collection[str | int] | None = None,
        rerank: bool | KReciprocal = False,
        prior: float | None = None,
    ) -> list[list[Match]]:
        """Return what ``search`` does for embeddings (Q, D) of the gallery's model."""
        if not whole(1).accepts(k):
            raise GalleryError(f"k={k!r}: expected a whole number of at least 1")
        if rerank and not isinstance(rerank, bool | np.bool_ | KReciprocal):
            raise GalleryError(f"rerank={rerank!r}: expected True, False or KReciprocal(k1, k2, lambda_)")
        if not len(embeddings):
            return []
        queries, cameras = self._checked(embeddings), self._known_cameras(camera)
        depth = max(k, RERANK_DEPTH) if rerank else k
        found = self.store.search(queries, depth, cameras)
        if not rerank:
            return [self._matches(hits, prior) for hits in found]
        settings = rerank if isinstance(rerank, KReciprocal) else KReciprocal()
        return [self._reranked(query, hits, settings, prior)[:k] for query, hits in zip(queries, found)]

    def _reranked(self, query: Tensor, hits: Sequence[Hit], settings: KReciprocal, prior: float | None) -> list[Match]:
        if not hits:
            return []
        features = self.store.features(hits)
        distances = rerank_k_reciprocal(query[None], features, settings.k1, settings.k2, settings.lambda_)[0]
        order = np.argsort(distances, kind="stable")
        distances = distances.clip(0, 1) + 0.0  # rounding may go beyond, and a zero has no sign
        return self._matches([hits[place] for place in order], prior, distances[order].tolist())

    def _matches(self, hits: Sequence[Hit], prior: float | None, distances: Sequence[float | None] = ()) -> list[Match]:
        similarities = [hit.similarity for hit in hits]
        return [
            Match(
                *hit.entry, similarity=min(max(hit.similarity, -1.0), 1.0), probability=probability, distance=distance
            )
            for hit, probability, distance in zip(
                hits, self.probabilities(similarities, prior), distances or [None] * len(hits)
            )
        ]

    def probabilities(self, similarities: Sequence[float], prior: float | None = None) -> list[float | None]:
        """Return the probability of one identity for the similarity of a query and an image of the gallery, each.

        Args:
            similarities: cosines.
            prior: as ``ReadyModel.same`` takes it. Among many people even a high similarity is mostly another's, which
                ``pair_share`` as the prior says for queries of the people that the gallery knows.

        Returns:
            as many; without a prior None where the model is not calibrated, or was not needed yet.

        Raises:
            GalleryError: a prior for a model that is not calibrated.
            EvaluationError: a prior outside (0, 1).
        """
        model = self._model if prior is None else self.model
        calibration = None if model is None else model.calibration
        if calibration is None and prior is not None:
            raise GalleryError(f"prior={prior!r}: the model is not calibrated, so there are no probabilities")
        if calibration is None:
            return [None] * len(similarities)
        return [float(value) for value in calibration.probability(np.array(similarities), prior)]

    @property
    def pair_share(self) -> float | None:
        """The share of pairs of one identity among the pairs of images whose identities are known.

        None where there is no such pair, or no other.
        """
        if not self._counted:
            counts = np.array(list(self.store.identity_counts().values()), dtype=np.int64)
            same, total = int((counts * (counts - 1)).sum()), int(counts.sum()) * (int(counts.sum()) - 1)
            self._pair_share, self._counted = (same / total if 0 < same < total else None), True
        return self._pair_share

    def _changed(self) -> None:
        self._pair_share, self._counted = None, False

    def _checked(self, embeddings: Tensor | np.ndarray) -> Tensor:
        features, dim = normalised(embeddings), self.store.model.dim
        if features.shape[1] != dim:
            raise GalleryError(f"embeddings have {features.shape[1]} values, the gallery's {dim}: not the same model?")
        return features.cpu()

    def _known_cameras(self, camera: str | int | Collection[str | int] | None) -> list[str] | None:
        if camera is None:
            return None
        wanted = [str(label_text(one)) for one in each_label(camera)]
        known = self.cameras
        for name in wanted:
            if name not in known:
                hint = did_you_mean(name, known)
                raise GalleryError(f"no image is of camera {name!r}.{hint} There are: {', '.join(known) or 'none'}")
        return wanted

    def _embed_files(
        self, paths: list[str], workers: int, unreadable: dict[int, str], skip: bool
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Yield rows and embeddings of files, and note why others cannot be read, if these are to be skipped."""
        model = self.model
        table = ImageTable(paths, model.size, model.interpolation, cache="off")
        batches = np.array_split(np.arange(len(paths)), range(BATCH, len(paths), BATCH))
        if not skip:
            for batch, pixels in zip(batches, table.batches(batches, workers)):
                yield batch.tolist(), model.embed_gallery(pixels)
            return
        for batch, (pixels, failed) in zip(batches, table.batches_or_report(batches, workers)):
            unreadable.update(failed)
            rows = [row for row in batch.tolist() if row not in unreadable]
            yield rows, model.embed_gallery(pixels)

    def _embed_images(
        self, images: Sequence[Any], entries: Sequence[Entry], channels: str, unreadable: dict[int, str], skip: bool
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Yield rows and embeddings of images of any kind, one by one, and note which are none, if they are skipped."""
        source = PixelSource(self.model.size, self.model.interpolation, channels)
        if not channels and any(isinstance(image, np.ndarray) for image in images):
            raise ValueError(
                "channels='': there is an array, which does not say in which order its channels are; 'bgr' for what "
                "OpenCV reads, 'rgb' for what others do"
            )
        for row, (image, entry) in enumerate(zip(images, entries)):
            try:
                ((_, pixels),) = source.whole([image])
            except (TypeError, ValueError, DatasetError) as error:
                unreadable[row] = f"{entry.name}: {error}"
                if not skip:
                    raise DatasetError(unreadable[row]) from None
            else:  # what the model raises is no image's fault
                yield [row], self.model.embed_gallery(pixels)

    def _add_blocks(self, entries: Sequence[Entry], blocks: Iterable[tuple[list[int], Tensor]], title: str) -> None:
        """Add embeddings as they come, a part's worth at a time, and what there is if the rest fails."""
        waiting: list[tuple[list[int], Tensor]] = []
        try:
            with tqdm(total=len(entries), desc=title, unit="img", disable=None if title else True) as bar:
                for rows, features in blocks:
                    if rows:
                        waiting.append((rows, features))
                    bar.update(len(rows))
                    if sum(len(rows) for rows, _ in waiting) >= PART_ROWS:
                        self._flush(entries, waiting)
        finally:
            self._flush(entries, waiting)

    def _flush(self, entries: Sequence[Entry], waiting: list[tuple[list[int], Tensor]]) -> None:
        if waiting:
            rows = [row for rows, _ in waiting for row in rows]
            features = self._checked(torch.cat([features for _, features in waiting]))
            waiting.clear()
            self._changed()
            self.store.add([entries[row] for row in rows], features)


def _check_model(record: ModelRecord, model: ReadyModel) -> None:
    record.check_same(str(model.info.get("sha256", "")), lambda: model.fingerprint)


def _record(given: Any) -> Entry:
    """Return the record that is given, or of which the name is."""
    if isinstance(given, (str, os.PathLike)):
        return Entry(os.fspath(given)).as_texts()
    try:
        return Entry(*given).as_texts()
    except TypeError:
        raise GalleryError(f"{given!r} is no record of an image; give Entry(name, identity, camera)") from None


def _name(given: Any) -> str:
    if isinstance(given, (Entry, Match)):
        return given.name
    return os.fsdecode(given) if isinstance(given, (bytes, os.PathLike)) else label_text(given) or ""


def _repeated(entries: Sequence[Entry]) -> bool:
    return len({entry.name for entry in entries}) < len(entries)
