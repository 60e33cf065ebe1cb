"""Cuts the people of annotated images into crops, in the folders that ``FolderDataset`` reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from reidzoo.datasets.annotations.annotated_sequence import AnnotatedSequence, Box
from reidzoo.datasets.annotations.find_sequences import find_sequences
from reidzoo.errors import DatasetError
from reidzoo.files import write_folder
from reidzoo.transforms.decode import as_seen, as_stored, lies_on_side, open_image, size_as_seen, upright_size

__all__ = ["CropRules", "cut_crops"]


@dataclass(frozen=True)
class CropRules:
    """Rules of which boxes become crops.

    Attributes:
        every: of a person's boxes in a sequence, one of so many frames.
        visibility: least share of the person that is visible; what lies beyond the image is not.
        height: least height of a box within the image, pixels.
        shared_ids: whether one number is one person in all sequences; else each sequence has its own people.
        test_share: share of the people to test on, where the sequences lie in no folder ``test``.
        divide: whether to divide the people at all; if not, all are in ``target/PERSON``.
    """

    every: int = 10
    visibility: float = 0.5
    height: int = 32
    shared_ids: bool = False
    test_share: float = 0.3
    divide: bool = True


def cut_crops(
    source: Path, target: Path, rules: CropRules, category: str = "", identity: str = ""
) -> dict[str, tuple[int, int]]:
    """Write ``target/{train,query,gallery}/PERSON/*.jpg`` from the sequences in ``source``, all at once.

    Sequences below a folder ``test`` (or ``val``, ``valid``) give queries and gallery, the others ``train``; where
    there are only the others, the last people are tested on. A person's first crop in a sequence is the query, the
    rest are gallery. A file's name begins with ``cN``, the sequence's number: the camera. Undivided, crops are in
    ``target/PERSON``.

    Args:
        source: what ``find_sequences`` reads: MOTChallenge, YOLO or COCO.
        target: a new folder.
        rules: which boxes are cut.
        category: the class whose boxes are cut, where the format has classes; by default people.
        identity: where the format says who somebody is, if not where it usually does (``find_sequences``).

    Returns:
        split -> number of people and of crops; the split is "" where people are not divided.

    Raises:
        DatasetError: there are no sequences, no box that the rules let through, queries alone, an image that is missing
            or was not the annotated one, or ``target`` is there already.
    """
    if target.exists():
        raise DatasetError(f"{target} is there already; name a folder that is new")
    sequences = find_sequences(source, category, identity)
    chosen = [_choose(sequence, rules) for sequence in sequences]
    _check_names(box.person for boxes in chosen for box in boxes)
    people = [_key(number, box, rules) for number, boxes in enumerate(chosen) for box in boxes]
    if not people:
        raise DatasetError(f"no box in {source} is {rules.height} pixels high and {rules.visibility:.0%} visible")
    tested = _tested(sequences, chosen, rules, people)
    splits = ("train", "query", "gallery") if rules.divide else ("",)
    counts: dict[str, dict[str, int]] = {split: defaultdict(int) for split in splits}
    with write_folder(target) as work:
        for number, sequence in enumerate(tqdm(sequences, desc="cutting", unit="sequence", disable=None)):
            _cut(sequence, number, chosen[number], rules, tested, work, counts)
        if counts.get("query") and not counts["gallery"]:
            raise DatasetError(
                f"{source}: there are {sum(counts['query'].values())} queries and nothing to find them in, since each "
                f"person tested on has one crop in each sequence; take more of them (--every), or do not divide them "
                f"(--no-split)"
            )
    return {split: (len(found), sum(found.values())) for split, found in counts.items()}


def _choose(sequence: AnnotatedSequence, rules: CropRules) -> list[Box]:
    """Return the boxes that are cut, in the order of the frames."""
    frames, sizes, seen = sequence.frames(), sequence.sizes(), dict[int | str, int]()
    chosen = []
    for box in sorted(sequence.boxes(), key=lambda box: (box.frame, str(box.person))):
        if box.visibility < rules.visibility or box.height < rules.height:
            continue
        if box.person in seen and box.frame - seen[box.person] < rules.every:
            continue
        if box.frame not in frames:
            raise DatasetError(f"{sequence.name} is annotated in frame {box.frame}, which is not among its images")
        if box.frame not in sizes:
            sizes[box.frame] = upright_size(frames[box.frame])
        left, top, right, bottom = _inside(box, sizes[box.frame])
        share = max(right - left, 0) * max(bottom - top, 0) / (box.width * box.height)
        if share >= rules.visibility and share > 0 and bottom - top >= rules.height:
            seen[box.person] = box.frame
            chosen.append(box)
    return chosen


def _inside(box: Box, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the part of a box that is in the image; right < left if there is none."""
    width, height = size
    return (
        max(box.left, 0.0), max(box.top, 0.0), min(box.left + box.width, width), min(box.top + box.height, height),
    )  # fmt: skip


def _check_names(people: Iterable[int | str]) -> None:
    """Check that no two people's names make one folder."""
    folders: dict[str, int | str] = {}
    for person in people:
        other = folders.setdefault(_folder(person), person)
        if other != person:
            raise DatasetError(f"{other!r} and {person!r} would be one folder, {_folder(person)}; rename one of them")


def _folder(person: int | str) -> str:
    return f"{person:05d}" if isinstance(person, int) else re.sub(r"[^\w-]", "_", person)


def _key(number: int, box: Box, rules: CropRules) -> str:
    """Return the name of a person's folder."""
    person = _folder(box.person)
    return person if rules.shared_ids else f"s{number + 1:02d}-{person}"


def _tested(
    sequences: Sequence[AnnotatedSequence], chosen: Sequence[list[Box]], rules: CropRules, people: list[str]
) -> set[str]:
    """Return the people who are tested on; nobody is learnt from and tested on."""
    in_test = {
        _key(number, box, rules)
        for number, sequence in enumerate(sequences)
        if sequence.is_test
        for box in chosen[number]
    }
    if in_test:
        return in_test
    names = sorted(set(people))
    return set(names[len(names) - round(len(names) * rules.test_share) :])


def _cut(
    sequence: AnnotatedSequence, number: int, boxes: list[Box], rules: CropRules, tested: set[str], work: Path,
    counts: dict[str, dict[str, int]],
) -> None:  # fmt: skip
    frames, sizes, queries = sequence.frames(), sequence.sizes(), set()
    by_frame: dict[int, list[Box]] = defaultdict(list)
    for box in boxes:
        by_frame[box.frame].append(box)
    for frame, here in by_frame.items():
        image = _annotated(frames[frame], sizes.get(frame))
        for box in here:
            person = _key(number, box, rules)
            split = "train" if person not in tested else "gallery" if person in queries else "query"
            split = split if rules.divide else ""
            queries.add(person)
            counts[split][person] += 1
            folder = work / split / person
            folder.mkdir(parents=True, exist_ok=True)
            _crop(image, box).save(folder / f"c{number + 1}_{_folder(sequence.name)}_f{frame:06d}.jpg", quality=95)


def _annotated(path: Path, size: tuple[int, int] | None) -> Image.Image:
    """Return an image in the orientation its boxes were drawn in: as displayed, or as stored if its size says so.

    Raises:
        DatasetError: it cannot be read, or has another size than the image that was annotated.
    """
    with open_image(path) as file:
        seen = size_as_seen(file)
        if size is not None and seen != size:
            if seen[::-1] != size or not lies_on_side(file):
                raise DatasetError(
                    f"image {path} is {seen[0]} x {seen[1]} pixels, and its boxes are of one of {size[0]} x "
                    f"{size[1]}; take the images that were annotated"
                )
            return as_stored(file)
        return as_seen(file)


def _crop(image: Image.Image, box: Box) -> Image.Image:
    """Return the part of the box that is in the image, at least one pixel."""
    left, top, right, bottom = (round(value) for value in _inside(box, image.size))
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
