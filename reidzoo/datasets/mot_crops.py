"""Cuts the people of annotated video into crops, in the folders that ``FolderDataset`` reads."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from reidzoo.datasets.mot_sequence import Box, MOTSequence, find_sequences
from reidzoo.errors import DatasetError

__all__ = ["CropRules", "cut_crops"]


@dataclass(frozen=True)
class CropRules:
    """Which boxes become crops.

    Attributes:
        every: of a person's boxes in a sequence, one of so many frames.
        visibility: least share of the person that is visible.
        height: least height of a box, pixels.
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


def cut_crops(source: Path, target: Path, rules: CropRules) -> dict[str, tuple[int, int]]:
    """Write ``target/{train,query,gallery}/PERSON/*.jpg`` from the sequences in ``source``, all at once.

    Sequences below a folder ``test`` (or ``val``) give queries and gallery, the others ``train``; where there are only
    the others, the last people are tested on. A person's first crop in a sequence is the query, the rest are gallery.
    ``_cN`` in a file's name is the sequence's number: the camera. Undivided, crops are in ``target/PERSON``.

    Args:
        source: a folder of sequences in MOTChallenge's format.
        target: a new folder.
        rules: which boxes are cut.

    Returns:
        split -> number of people and of crops; the split is "" where people are not divided.

    Raises:
        DatasetError: there are no sequences, no box that the rules let through, or ``target`` is there already.
    """
    if target.exists():
        raise DatasetError(f"{target} is there already; name a folder that is new")
    sequences = find_sequences(source)
    chosen = {sequence.folder: _choose(sequence.boxes(), rules) for sequence in sequences}
    people = [_key(number, box, rules) for number, seq in enumerate(sequences) for box in chosen[seq.folder]]
    if not people:
        raise DatasetError(f"no box in {source} is {rules.height} pixels high and {rules.visibility:.0%} visible")
    tested = _tested(source, sequences, chosen, rules, people)
    work = target.with_name(f".{target.name}.{os.getpid()}.part")
    splits = ("train", "query", "gallery") if rules.divide else ("",)
    counts: dict[str, dict[str, int]] = {split: defaultdict(int) for split in splits}
    try:
        for number, sequence in enumerate(tqdm(sequences, desc="cutting", unit="sequence", disable=None)):
            _cut(sequence, number, chosen[sequence.folder], rules, tested, work, counts)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {split: (len(found), sum(found.values())) for split, found in counts.items()}


def _choose(boxes: list[Box], rules: CropRules) -> list[Box]:
    """Return the boxes that are cut, in the order of the frames."""
    seen: dict[int, int] = {}
    chosen = []
    for box in sorted(boxes, key=lambda box: (box.frame, box.person)):
        if box.visibility < rules.visibility or box.height < rules.height:
            continue
        if box.person not in seen or box.frame - seen[box.person] >= rules.every:
            seen[box.person] = box.frame
            chosen.append(box)
    return chosen


def _key(number: int, box: Box, rules: CropRules) -> str:
    """Return the name of a person's folder."""
    return f"{box.person:05d}" if rules.shared_ids else f"s{number + 1:02d}-{box.person:05d}"


def _tested(
    source: Path, sequences: list[MOTSequence], chosen: dict[Path, list[Box]], rules: CropRules, people: list[str]
) -> set[str]:
    """Return the people who are tested on; nobody is learnt from and tested on."""
    in_test = {
        _key(number, box, rules)
        for number, sequence in enumerate(sequences)
        if {"test", "val"} & set(sequence.folder.relative_to(source).parts)
        for box in chosen[sequence.folder]
    }
    if in_test:
        return in_test
    names = sorted(set(people))
    return set(names[len(names) - round(len(names) * rules.test_share) :])


def _cut(
    sequence: MOTSequence, number: int, boxes: list[Box], rules: CropRules, tested: set[str], work: Path,
    counts: dict[str, dict[str, int]],
) -> None:  # fmt: skip
    frames, queries = sequence.frames(), set()
    by_frame: dict[int, list[Box]] = defaultdict(list)
    for box in boxes:
        by_frame[box.frame].append(box)
    for frame, here in by_frame.items():
        if frame not in frames:
            raise DatasetError(f"{sequence.folder} is annotated in frame {frame}, which is not among its images")
        with Image.open(frames[frame]) as file:
            image = file.convert("RGB")
        for box in here:
            person = _key(number, box, rules)
            split = "train" if person not in tested else "gallery" if person in queries else "query"
            split = split if rules.divide else ""
            queries.add(person)
            counts[split][person] += 1
            folder = work / split / person
            folder.mkdir(parents=True, exist_ok=True)
            _crop(image, box).save(folder / f"{sequence.folder.name}_c{number + 1}_f{frame:06d}.jpg", quality=95)


def _crop(image: Image.Image, box: Box) -> Image.Image:
    """Return the part of the box that is in the image, at least one pixel."""
    left, top = (min(max(round(value), 0), most - 1) for value, most in zip(box[2:4], image.size))
    right = min(max(round(box.left + box.width), left + 1), image.width)
    bottom = min(max(round(box.top + box.height), top + 1), image.height)
    return image.crop((left, top, right, bottom))
