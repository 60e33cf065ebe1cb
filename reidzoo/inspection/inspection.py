"""The check of a dataset: everything that is found, as text and as a page."""

from __future__ import annotations

import numpy as np
from tabulate import tabulate

from reidzoo.datasets import Dataset
from reidzoo.datasets.base import SPLITS
from reidzoo.errors import DatasetError
from reidzoo.files import printable
from reidzoo.inspection.duplicate_findings import find_duplicates, find_repeated
from reidzoo.inspection.findings import ERROR, NOTE, WARNING, Finding
from reidzoo.inspection.folder_findings import find_not_read
from reidzoo.inspection.image_findings import find_in_images
from reidzoo.inspection.inspected_images import InspectedImages
from reidzoo.inspection.label_findings import find_in_labels
from reidzoo.warned import warned

__all__ = ["HEADINGS", "Inspection"]

HEADINGS = {ERROR: "Must be fixed", WARNING: "Should be looked at", NOTE: "Good to know"}


class Inspection:
    """Reads all images and labels of a dataset, and finds what is wrong.

    Args:
        dataset: the dataset.
        workers: threads that read files; by default one for each processor.

    Attributes:
        images: what was read.
        findings: what was found, the worst first.

    Raises:
        DatasetError: the dataset cannot be read, or has no image.
    """

    def __init__(self, dataset: Dataset, workers: int | None = None) -> None:
        with warned() as texts:
            self.images = InspectedImages(dataset, workers)
        if not self.images.records:
            raise DatasetError(f"{dataset.name} has no image in train, query or gallery: {dataset.folder}")
        found = [Finding(WARNING, text.rstrip(".")) for text in texts]
        for find in (find_in_images, find_not_read, find_in_labels, find_repeated, find_duplicates):
            found += find(self.images)
        self.findings = sorted(found, key=lambda finding: list(HEADINGS).index(finding.level))

    @property
    def errors(self) -> list[Finding]:
        """What a run would fail of."""
        return [finding for finding in self.findings if finding.level == ERROR]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the heads and rows of the table of splits."""
        heads = ["split", "identities", "images", "cameras", "images an identity", "height x width"]
        heads += ["published"] if self.images.dataset.published else []
        rows = [self._split_row(split) for split in SPLITS if len(self.images.rows(split))]
        return heads, [row[: len(heads)] for row in rows]

    def _split_row(self, split: str) -> list[str]:
        images, dataset = self.images, self.images.dataset
        rows = images.rows(split)
        pids, counts = np.unique(images.pid[rows][images.pid[rows] != -1], return_counts=True)
        sizes = [(images.facts[row].height, images.facts[row].width) for row in rows.tolist() if images.good[row]]
        identities, total = dataset.published.get(split, (0, 0))
        return [
            split,
            f"{len(pids):,}",
            f"{len(rows):,}",
            f"{len(np.unique(images.camid[rows])):,}" if images.has_cameras else "unknown",
            _spread(counts),
            " x ".join(_spread(column) for column in np.array(sizes).T) if sizes else "",
            f"{identities:,} of {total:,}" + (" (this is a twin)" if dataset.is_twin else "") if identities else "",
        ]

    def text(self) -> str:
        """Return all of it for the screen."""
        heads, rows = self.table()
        parts = [f"{self.images.title}: {self.images.dataset.folder}", tabulate(rows, heads, disable_numparse=True)]
        for level, heading in HEADINGS.items():
            found = [finding for finding in self.findings if finding.level == level]
            if found:
                parts.append("\n".join([f"{heading}:", *(_lines(finding) for finding in found)]))
        if not any(finding.level != NOTE for finding in self.findings):
            parts.append("Nothing is wrong with these images and labels.")
        return printable("\n\n".join(parts))


def _lines(finding: Finding) -> str:
    advice = [f"    {finding.advice}"] if finding.advice else []
    return "\n".join([f"  - {finding.title}", *advice, *(f"      {line}" for line in finding.examples)])


def _spread(values: np.ndarray) -> str:
    """Return the median of whole numbers, with the range where there is one."""
    if not len(values):
        return ""
    low, middle, high = int(values.min()), int(np.median(values)), int(values.max())
    return f"{middle:,}" if low == high else f"{middle:,} ({low:,}..{high:,})"
