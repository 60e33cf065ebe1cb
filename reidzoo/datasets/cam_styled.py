"""A dataset with camera-style versions of its training images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from reidzoo.checks import PATH, check, one_of, optional
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.color_transfer import SPACES, ColorTransfer
from reidzoo.datasets.record import Record
from reidzoo.datasets.style_folder import StyleFolder
from reidzoo.datasets.wrapper import DatasetWrapper
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["CamStyled"]

STYLES = ("folder", "color_transfer", "none")
FOLDERS = ("bounding_box_train_camstyle", "train_camstyle", "camstyle")


@DATASET.register_module()
class CamStyled(DatasetWrapper):
    """A wrapper that gives each training image the style of one of the dataset's cameras (ECN, Eq. 5 and 8).

    Each time the loader takes an image it draws one of the dataset's C cameras uniformly and gives the image as that
    camera would have seen it; the real one where it is the image's own, so with probability 1/C::

        {type: CamStyled, dataset: {type: Unlabeled, dataset: {type: Market1501}}}

    The draws come from (seed, epoch, step). Cameras are those of the training images. It must be the outermost wrapper
    and its set's only dataset.

    Args:
        dataset: the wrapped dataset's name, its configuration entry, or the dataset itself.
        styles: "folder": images that somebody made (the published ones, or those of ``projects/CamStyle``), see
            ``StyleFolder``; "color_transfer": see ``ColorTransfer``; "none": the real image always.
        style_folder: the folder of the style images, absolute or relative to the dataset's. Without it the usual ones
            in the dataset's folder are tried, and if there is none, the real image is given always.
        incomplete: "error", or "allow" for a folder where some style images are missing.
        space: of the colours, for "color_transfer": "lab" or "rgb".
        root: the folder that holds the datasets.

    Raises:
        ConfigError: an argument has a value that is not listed.
        DatasetError: ``style_folder`` does not exist; when training images are read, if style images are missing.
    """

    def __init__(
        self,
        dataset: str | Mapping[str, Any] | Dataset,
        styles: str = "folder",
        style_folder: str | os.PathLike[str] | None = None,
        incomplete: str = "error",
        space: str = "lab",
        root: str | os.PathLike[str] = "datasets",
    ) -> None:
        super().__init__(dataset, root)
        check(self, one_of(*STYLES), styles=styles)
        check(self, optional(PATH), style_folder=style_folder)
        check(self, one_of("error", "allow"), incomplete=incomplete)
        check(self, one_of(*SPACES), space=space)
        self.kind, self.incomplete, self.space = styles, incomplete, space
        self.style_folder = self._find(style_folder) if styles == "folder" else None
        self._styles: StyleFolder | ColorTransfer | None = None
        self._empty = False

    @property
    def styles(self) -> StyleFolder | ColorTransfer | None:
        """The styles of the training images; None where the real images are always given."""
        if self._styles is None and self.kind == "color_transfer":
            self._styles = ColorTransfer(self.train, self.space)
        self.records("train")  # finds those of a folder
        return self._styles

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records; with those for training come the style images of a folder."""
        records = super().scan(split)
        if split == "train" and self.style_folder:
            styles = StyleFolder(records, self.style_folder, self.incomplete)
            self._styles, self._empty = styles if styles.paths else None, not styles.paths
        return records

    @property
    def no_styles_because(self) -> str:
        """Why there are no styles, for the log; "" if there are some."""
        if self.styles is not None:
            return ""
        if self.kind == "none":
            return "the configuration has them off (styles: none)"
        if self._empty:
            return f"{self.style_folder} holds no style image of this dataset"
        return f"there is no folder of style images in {self.folder} (looked for {', '.join(FOLDERS)})"

    def _find(self, style_folder: str | os.PathLike[str] | None) -> str | None:
        names = (os.path.expanduser(os.fspath(style_folder)),) if style_folder else FOLDERS
        paths = [os.path.join(self.folder, name) for name in names]
        folder = next((path for path in paths if os.path.isdir(path)), None)
        if style_folder and folder is None:
            raise DatasetError(
                f"{self.name}: there is no folder of style images {paths[0]}. Make it with projects/CamStyle, correct "
                f"style_folder, or leave it out to train without style images."
            )
        return folder
