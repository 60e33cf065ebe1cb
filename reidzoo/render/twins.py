"""Writes the twins as folders in the real layouts, by several processes; a folder appears when it is complete."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from reidzoo.cores import available_cores
from reidzoo.errors import DatasetError
from reidzoo.files import write_folder
from reidzoo.render.people.layouts import DISTRACTORS, LAYOUTS, Shot
from reidzoo.render.people.pair_layouts import PAIR_LAYOUTS
from reidzoo.render.people.photographer import Photographer
from reidzoo.render.vehicles.layouts import VEHICLE_LAYOUTS
from reidzoo.render.vehicles.photographer import VehiclePhotographer

__all__ = [
    "LARGEST_SCALE",
    "RECORD",
    "RENDERER_VERSION",
    "TWINS",
    "VEHICLE_RENDERER_VERSION",
    "Twin",
    "make_photographer",
    "plan",
    "render_chunk",
    "render_twins",
    "renderer_version",
]

RENDERER_VERSION = 1
"""Counts up with every change of a rendered byte; figures of two versions are not to be compared."""
VEHICLE_RENDERER_VERSION = 1
"""The same for the twins of vehicles, which are drawn by other code."""
TWINS = {**LAYOUTS, **PAIR_LAYOUTS, **VEHICLE_LAYOUTS}
"""Every dataset that there is a twin of: people's, then vehicles'."""
RECORD = "twin.json"
CHUNK = 64
LARGEST_SCALE = 30
"""Beyond it, a pid would need more than the four digits it has in the file names."""


class Twin(NamedTuple):
    """A twin on disk, and whether this call rendered it: one row of the tool's summary."""

    dataset: str
    ids: int
    images: int
    folder: str
    rendered: bool


def render_twins(root: str | os.PathLike[str], datasets: Sequence[str] | None = None, scale: float = 1.0, seed: int = 0,
                 jobs: int = 0) -> list[Twin]:  # fmt: skip
    """Render twins of datasets into ``root``, each in its real layout; a twin that is already there is left alone.

    The bytes depend on the dataset, ``seed`` and ``renderer_version`` (and the releases of Pillow, numpy and scipy),
    not on ``jobs``. A larger ``scale`` adds identities and keeps those of the smaller one.

    Args:
        root: the folder that holds the datasets; made if it is not there.
        datasets: names out of ``TWINS``; all of them if None.
        scale: factor on the number of identities; each split keeps at least two.
        seed: non-negative; another seed is another world of people and cameras.
        jobs: processes; 0 takes one per available core. A script that asks for more than 1 keeps this call under
            ``if __name__ == "__main__":``, as for everything that spawns processes.

    Raises:
        DatasetError: an unknown name, a bad number, or a folder in the way that holds anything but this very twin.
    """
    names = list(TWINS) if datasets is None else list(dict.fromkeys(datasets))
    unknown = [name for name in names if name not in TWINS]
    if unknown:
        raise DatasetError(f"there is no twin of {', '.join(unknown)}; there are twins of {', '.join(TWINS)}")
    if not 0 < scale <= LARGEST_SCALE:
        raise DatasetError(f"scale is {scale}; it is above 0 and at most {LARGEST_SCALE}")
    if seed < 0 or jobs < 0:
        raise DatasetError(f"seed ({seed}) and jobs ({jobs}) cannot be negative")
    root = Path(root)
    present = {name: _already_there(root, name, scale, seed) for name in names}  # all checks before any work
    return [present[name] or _render(root, name, scale, seed, jobs) for name in names]


def renderer_version(name: str) -> int:
    """Return the version of the code that draws one twin."""
    return VEHICLE_RENDERER_VERSION if name in VEHICLE_LAYOUTS else RENDERER_VERSION


def make_photographer(name: str, seed: int) -> Photographer | VehiclePhotographer:
    """Return the photographer, of people or of vehicles, who renders one twin."""
    return (VehiclePhotographer if name in VEHICLE_LAYOUTS else Photographer)(name, seed)


def _record(name: str, scale: float, seed: int) -> dict[str, object]:
    return {"twin_of": name, "version": renderer_version(name), "seed": seed, "scale": float(scale)}


def _already_there(root: Path, name: str, scale: float, seed: int) -> Twin | None:
    folder = root / TWINS[name].folder
    if not os.path.lexists(folder):
        return None
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        counts = (int(record.pop("ids")), int(record.pop("images")))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise DatasetError(
            f"{folder} exists and was not made by the renderer (it has no {RECORD}); nothing was touched. "
            "Choose another --data-root, so that real and rendered data never mix."
        ) from None
    if record != _record(name, scale, seed):
        raise DatasetError(
            f"{folder} holds the twin of renderer version {record.get('version')}, seed {record.get('seed')}, "
            f"scale {record.get('scale')}, not of version {renderer_version(name)}, seed {seed}, scale {float(scale)}; "
            "nothing was touched. Delete that folder or choose another --data-root."
        )
    return Twin(name, *counts, str(folder), False)


def plan(name: str, scale: float, seed: int) -> list[Shot]:
    """Return all shots of one twin, those of a person one after the other."""
    layout = TWINS[name]
    ids = [max(2, round(count * scale)) if count else 0 for count in (layout.train_ids, layout.test_ids)]
    return list(layout.plan(seed, *ids))


def _render(root: Path, name: str, scale: float, seed: int, jobs: int) -> Twin:
    layout, shots = TWINS[name], plan(name, scale, seed)
    final = root / layout.folder
    with write_folder(final) as work:
        for folder in sorted({os.path.dirname(path) for shot in shots for path, _ in shot.files}):
            (work / folder).mkdir(parents=True, exist_ok=True)
        chunks = [shots[start : start + CHUNK] for start in range(0, len(shots), CHUNK)]
        bar = tqdm(total=len(shots), desc=name, unit="img", disable=None)
        with bar, _mapper(min(jobs or available_cores(), len(chunks))) as mapper:
            for done in mapper(partial(render_chunk, name, seed, str(work)), chunks):
                bar.update(done)
        for file, text in {**layout.lists(shots), **layout.labels(shots, seed)}.items():
            (work / file).parent.mkdir(exist_ok=True)
            (work / file).write_text(text, encoding="utf-8", newline="\n")
        people = {shot.person for shot in shots if shot.person < DISTRACTORS}
        images = sum(len(shot.files) for shot in shots)
        record = {**_record(name, scale, seed), "ids": len(people), "images": images}
        (work / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return Twin(name, len(people), images, str(final), True)


@contextmanager
def _mapper(jobs: int) -> Iterator:
    """Yield an unordered map over ``jobs`` processes, or the built-in one."""
    if jobs == 1:
        yield map
        return
    # Spawned, not forked: the caller may run threads (torch) or hold a GPU.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield pool.imap_unordered


_photographers: dict[tuple[str, int], Photographer | VehiclePhotographer] = {}


def render_chunk(name: str, seed: int, folder: str, shots: Sequence[Shot]) -> int:
    """Render some shots into ``folder`` and return how many, in a worker process."""
    photographer = _photographers.setdefault((name, seed), make_photographer(name, seed))
    for shot in shots:
        quality = photographer.camera(shot.camera).quality
        for (path, _), image in zip(shot.files, photographer.render(shot)):
            target = os.path.join(folder, path)
            if path.endswith(".png"):
                image.save(target, compress_level=1)
            else:
                image.save(target, quality=quality)
    return len(shots)
