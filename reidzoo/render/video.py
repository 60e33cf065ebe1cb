"""Writes the rendered video: sequences of several cameras in MOTChallenge's format, with the true tracks.

``ROOT/MOT-twin/train/twin-c1/`` holds ``img1/000001.jpg`` ..., ``gt/gt.txt``, ``det/det.txt`` and ``seqinfo.ini``. A
person has one number in all sequences; the people of ``train`` and of ``test`` are different ones.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from reidzoo.cores import available_cores
from reidzoo.errors import DatasetError
from reidzoo.files import write_folder
from reidzoo.render.people.filmer import FRAME_SIZE, Filmer, Seen
from reidzoo.render.twins import LARGEST_SCALE, RECORD, Twin

__all__ = ["FOLDER", "VIDEO_RENDERER_VERSION", "render_video"]

VIDEO_RENDERER_VERSION = 1
"""Counts up with every change of a rendered byte."""
FOLDER = "MOT-twin"
FRAME_RATE = 13
CAMERAS = 3
PEOPLE = {"train": 16, "test": 10}
"""Identities of each split at scale 1."""
SEEN = 0.1
"""Share of a person below which the true tracks leave the frame out."""
FOUND = 0.35
"""Share below which the detector misses a person."""
Job = tuple[str, int]


def render_video(
    root: str | os.PathLike[str], scale: float = 1.0, seed: int = 0, jobs: int = 0, frames: int = 150
) -> Twin:
    """Render the sequences into ``root``; those that are already there are left alone.

    The bytes depend on ``seed``, ``scale``, ``frames`` and the version, not on ``jobs``.

    Args:
        root: the folder that holds the datasets; made if it is not there.
        scale: factor on the number of people; each split keeps at least two.
        seed: non-negative; another seed is another world.
        jobs: processes; 0 takes one per available core.
        frames: of each sequence.

    Raises:
        DatasetError: a bad number, or a folder in the way that holds anything but this very video.
    """
    if not 0 < scale <= LARGEST_SCALE or seed < 0 or jobs < 0 or frames < 2:
        raise DatasetError(
            f"scale ({scale}) is above 0 and at most {LARGEST_SCALE}, seed ({seed}) and jobs ({jobs}) are not "
            f"negative, frames ({frames}) at least 2"
        )
    final = Path(root) / FOLDER
    people = _people(scale)
    ids, images = sum(map(len, people.values())), frames * CAMERAS * len(people)
    facts = {
        "twin_of": "MOT", "version": VIDEO_RENDERER_VERSION, "seed": seed, "scale": float(scale), "frames": frames,
        "ids": ids, "images": images,
    }  # fmt: skip
    if os.path.lexists(final):
        _check_there(final, facts)
        return Twin(FOLDER, ids, images, str(final), False)
    with write_folder(final) as work:
        _render_all(work, people, seed, frames, jobs)
        (work / RECORD).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return Twin(FOLDER, ids, images, str(final), True)


def _people(scale: float) -> dict[str, list[int]]:
    """Return the identities of each split: odd numbers to learn from, even ones to test on."""
    counts = {split: max(2, round(count * scale)) for split, count in PEOPLE.items()}
    return {"train": [2 * n + 1 for n in range(counts["train"])], "test": [2 * n + 2 for n in range(counts["test"])]}


def _check_there(folder: Path, facts: dict) -> None:
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != facts:
        raise DatasetError(
            f"{folder} exists and holds something else ({found or f'no {RECORD}'}); nothing was touched. Delete that "
            f"folder or choose another --data-root."
        )


def _render_all(work: Path, people: dict[str, list[int]], seed: int, frames: int, jobs: int) -> None:
    sequences: list[Job] = [(split, camera) for split in people for camera in range(CAMERAS)]
    render = partial(_render_sequence, str(work), people, seed, frames)
    with tqdm(total=len(sequences), desc="video", unit="sequence", disable=None) as bar:
        count = min(jobs or available_cores(), len(sequences))
        if count == 1:
            for job in sequences:
                render(job)
                bar.update()
            return
        # Spawned, not forked: the caller may run threads (torch) or hold a GPU.
        with multiprocessing.get_context("spawn").Pool(count) as pool:
            for _ in pool.imap_unordered(render, sequences):
                bar.update()


def _render_sequence(root: str, people: dict[str, list[int]], seed: int, frames: int, job: Job) -> None:
    """Render one camera's sequence, in a worker process."""
    split, camera = job
    folder = Path(root) / split / f"twin-c{camera + 1}"
    for name in ("img1", "gt", "det"):
        (folder / name).mkdir(parents=True)
    filmer = Filmer(seed, people[split], frames)
    noise = np.random.default_rng([seed, 17, len(people[split]), camera, split == "test"])
    truth, found = [], []
    for frame in range(frames):
        image, seen = filmer.film(camera, frame)
        image.save(folder / "img1" / f"{frame + 1:06d}.jpg", quality=filmer.camera(camera).quality)
        truth += [_truth(frame, one) for one in seen if one.visibility >= SEEN]
        found += [_detection(frame, one, noise) for one in seen if one.visibility >= FOUND and noise.random() > 0.03]
    (folder / "gt" / "gt.txt").write_text("".join(truth), encoding="utf-8", newline="\n")
    (folder / "det" / "det.txt").write_text("".join(found), encoding="utf-8", newline="\n")
    info = {
        "name": folder.name, "imDir": "img1", "frameRate": FRAME_RATE, "seqLength": frames,
        "imWidth": FRAME_SIZE[0], "imHeight": FRAME_SIZE[1], "imExt": ".jpg",
    }  # fmt: skip
    lines = ["[Sequence]", *(f"{key}={value}" for key, value in info.items())]
    (folder / "seqinfo.ini").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _truth(frame: int, seen: Seen) -> str:
    """Return a line of gt.txt: frame, person, box, considered, class 1 (pedestrian), visibility."""
    box = ",".join(f"{value:.1f}" for value in seen[1:5])
    return f"{frame + 1},{seen.person},{box},1,1,{seen.visibility:.3f}\n"


def _detection(frame: int, seen: Seen, rng: np.random.Generator) -> str:
    """Return a line of det.txt: the true box as a detector would find it, within a few percent."""
    error = rng.normal(0, 0.02, 4) * seen.height
    left, top, width, height = np.asarray(seen[1:5]) + error * (0.5, 0.5, 0.5, 1.0)
    score = float(np.clip(0.55 + 0.4 * seen.visibility + rng.normal(0, 0.03), 0.3, 0.99))
    return f"{frame + 1},-1,{left:.1f},{top:.1f},{max(width, 2):.1f},{max(height, 2):.1f},{score:.3f},-1,-1,-1\n"
