"""Sequences of a COCO file whose annotations name tracks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from reidzoo.datasets.annotations.annotated_sequence import CLASS, AnnotatedSequence, Box, chosen_classes
from reidzoo.datasets.annotations.frame_groups import frame_number, group_frames, number_frames
from reidzoo.errors import DatasetError

__all__ = ["COCOSequence", "is_coco", "read_coco"]

TRACKS = ("track_id", "instance_id", "person_id", "identity", "pid")
"""Keys of a track, in an annotation or in its ``attributes``: of CVAT and COCO video, of mmtracking and BDD100K."""
IGNORED = ("iscrowd", "ignore", "ignored", "crowd", "outside")
CAMERAS = ("camera", "camera_id", "cam_id")
FRAMES = ("frame_id", "frame_index", "frame_number")
Annotation = Mapping[str, Any]
Images = list[Mapping[str, Any]]
Tracked = tuple["int | str", tuple[float, float, float, float], float]
"""Track, box (left, top, width, height in pixels), visibility."""
SHAPE = "a COCO file is an object with the lists images and annotations"


class COCOSequence(AnnotatedSequence):
    """The images of one camera or video in a COCO file.

    Args:
        name: of the sequence.
        parts: names of the folders that the file and its images lie in, and the file's.
        images: frame -> its image's entry in the file.
        root: the folder that the images' names are relative to.
        tracked: image id -> the boxes with a track.
    """

    def __init__(
        self, name: str, parts: tuple[str, ...], images: Mapping[int, Mapping[str, Any]], root: Path,
        tracked: Mapping[Any, Sequence[Tracked]],
    ) -> None:  # fmt: skip
        self.name, self.parts, self._images, self._root = name, parts, images, root
        self._boxes = [
            Box(frame, track, *box, visibility=seen)
            for frame, image in images.items()
            for track, box, seen in tracked.get(image["id"], ())
            if box[2] > 0 and box[3] > 0
        ]
        sizes = {frame: (image.get("width"), image.get("height")) for frame, image in images.items()}
        self._sizes = {frame: (int(width), int(height)) for frame, (width, height) in sizes.items() if width and height}

    def boxes(self) -> list[Box]:
        """Return the boxes that have a track."""
        return self._boxes

    def frames(self) -> dict[int, Path]:
        """Return the image of each frame."""
        return {frame: self._root / _file(image) for frame, image in self._images.items()}

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Return what the file says of its images' width and height."""
        return self._sizes


def is_coco(path: Path) -> bool:
    """Return whether a JSON file has the words of COCO's lists; it is not parsed."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return text.lstrip().startswith("{") and '"images"' in text and '"annotations"' in text


def read_coco(path: Path, category: str = "", identity: str = "") -> list[COCOSequence]:
    """Return the sequences of a COCO file.

    There is one for each camera or video that the images name, else one for each folder of images and start of their
    names (``group_frames``).

    Args:
        path: the JSON file. Images are looked for beside it, in ``images`` there, and one folder higher.
        category: the class whose boxes are meant; by default people, or the only class.
        identity: the key of an annotation, or of its ``attributes``, that says who it is; by default ``TRACKS``.
            ``class``: each class is a person.

    Raises:
        DatasetError: it is not a COCO file, names no tracks, or its images are not there.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        images, annotations = data["images"], data["annotations"]
        kinds = {kind["id"]: str(kind["name"]) for kind in data.get("categories", [])}
        wanted = set(kinds) if identity == CLASS and not category else _wanted(path, kinds, category)
        of_class = [own for own in annotations if own.get("category_id") in wanted or not kinds]
        if identity == CLASS:
            of_class = [{CLASS: kinds.get(own["category_id"], own["category_id"]), **own} for own in of_class]
        tracked = _tracked(path, of_class, (identity,) if identity else TRACKS)
        root = _image_root(path, images)
        videos = {video["id"]: str(video.get("name", video["id"])) for video in data.get("videos") or []}
        return [
            COCOSequence(PurePosixPath(name).name or path.stem, _parts(path, name, group), group, root, tracked)
            for name, group in _sequences(images, videos).items()
        ]
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise DatasetError(f"{path}: {SHAPE}, each with its keys; {type(error).__name__}: {error}") from None


def _wanted(path: Path, kinds: Mapping[Any, str], category: str) -> set[Any]:
    """Return the ids of the classes whose boxes are cut."""
    wanted = chosen_classes(kinds, category)
    if kinds and not wanted:
        raise DatasetError(f"{path}: which class? There are {', '.join(kinds.values())}; name one with --category")
    return wanted


def _tracked(path: Path, annotations: Sequence[Annotation], keys: Sequence[str]) -> dict[Any, list[Tracked]]:
    """Return image id -> (track, box, visibility) of annotations that have a track and are of one person."""
    found: dict[Any, list[Tracked]] = defaultdict(list)
    for own in annotations:
        track = _track(_first(own, keys))
        if track is not None and not any(_first(own, (flag,)) for flag in IGNORED):
            left, top, width, height = (float(value) for value in own["bbox"])
            seen = _first(own, ("visibility",))
            found[own["image_id"]].append((track, (left, top, width, height), 1.0 if seen is None else float(seen)))
    if not found:
        raise DatasetError(_without_tracks(path, annotations, keys))
    return found


def _without_tracks(path: Path, annotations: Sequence[Annotation], keys: Sequence[str]) -> str:
    """Return what is wrong with a file of which no box can be cut, and what to do."""
    if not annotations:
        return f"{path}: there is no annotation of the class; name another with --category"
    there = sorted({key for own in annotations[:1000] for key in {**own, **(own.get("attributes") or {})}})
    return (
        f"{path}: no annotation says in {', '.join(keys)}, or in its attributes of these names, who it is; boxes alone "
        f"do not tell which of them are one person. Export tracks (CVAT: draw tracks, not shapes), name the key that "
        f"says it with --identity KEY (there are {', '.join(there)}), or, if people were labelled by "
        f"name, --identity {CLASS}"
    )


def _first(entry: Annotation, keys: Sequence[str]) -> Any:
    """Return the first of ``keys`` that the entry or its attributes have, None if there is none."""
    both = [entry, entry.get("attributes") or {}]
    return next((own[key] for own in both for key in keys if own.get(key) is not None), None)


def _track(value: Any) -> int | str | None:
    """Return a track as an int where it is a number; None, "" and what is negative are nobody."""
    if (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and value.strip().isdecimal()):
        value = int(value)
    if isinstance(value, int):
        return value if value >= 0 and not isinstance(value, bool) else None
    return None if value is None else str(value).strip() or None


def _file(image: Mapping[str, Any]) -> str:
    """Return the name of an image's file, with / between its folders."""
    return str(image["file_name"]).replace("\\", "/")


def _sequences(images: Images, videos: Mapping[Any, str]) -> dict[str, Mapping[int, Mapping[str, Any]]]:
    """Return the name of each sequence -> frame -> image."""
    named: dict[str, Images] = defaultdict(list)
    others: list[tuple[str, str, Mapping[str, Any]]] = []
    for image in images:
        camera = next((image[key] for key in CAMERAS if image.get(key) is not None), None)
        video = image.get("video_id")
        known = [str(key) for key in (camera, videos.get(video, video)) if key is not None]
        name = PurePosixPath(_file(image))
        if known:
            named["/".join(known)].append(image)
        else:
            others.append((name.parent.as_posix(), name.stem, image))
    found = {f"{folder}/{start}".strip("./"): frames for (folder, start), frames in group_frames(others).items()}
    return {**{name: _numbered(group) for name, group in sorted(named.items())}, **found}


def _numbered(images: Images) -> dict[int, Mapping[str, Any]]:
    """Return frame -> image: by the frame that it names, else by the number in its file's name, else in order."""
    told = [next((image[key] for key in FRAMES if image.get(key) is not None), None) for image in images]
    if None in told or len(set(told)) < len(told):
        told = [frame_number(PurePosixPath(_file(image)).stem)[1] for image in images]
    order = sorted(range(len(images)), key=lambda n: (told[n] is not None, told[n] or 0, _file(images[n])))
    ordered = [told[n] for n in order]
    frames = number_frames([None if own is None else int(own) for own in ordered])
    return {frame: images[n] for frame, n in zip(frames, order)}


def _image_root(path: Path, images: Images) -> Path:
    """Return the folder that the names of images are relative to."""
    if not images:
        raise DatasetError(f"{path} lists no images")
    own = path.stem.rpartition("_")[2]  # instances_default.json of CVAT, instances_train2017.json of COCO
    folders = ("", "images", f"images/{own}", own, path.stem)
    tried = [place / folder for place in (path.parent, path.parent.parent) for folder in folders]
    for place in tried:
        if (place / _file(images[0])).is_file():
            return place
    raise DatasetError(f"{path}: its image {_file(images[0])} is in none of {', '.join(map(str, tried))}; put it there")


def _parts(path: Path, name: str, images: Mapping[int, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names that tell what a sequence is for."""
    folders = PurePosixPath(_file(next(iter(images.values())))).parent.parts
    return path.parent.name, path.stem, *path.stem.split("_"), *PurePosixPath(name).parts, *folders
