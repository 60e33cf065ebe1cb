"""Exports a trained model as a graph for other runtimes, compares it with the model, and only then lets it stay."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor
from tqdm import tqdm

from reidzoo.deployment.consumers.roboflow_folder import folder_files
from reidzoo.deployment.crops import Crops
from reidzoo.deployment.formats import Graph, Session
from reidzoo.deployment.image_network import ImageNetwork, resize_in_graph
from reidzoo.deployment.metadata import metadata_of
from reidzoo.deployment.parity import Parity, compare, mean_ap, time_session
from reidzoo.deployment.plan import ExportPlan
from reidzoo.deployment.tensorrt import tensorrt_command
from reidzoo.engine.extract import embed_images
from reidzoo.errors import UserError
from reidzoo.transforms import Normalize

__all__ = ["Exported", "export_graph"]

BATCH = 32
CALIBRATION = 256
"""Images that int8 takes the ranges of activations from, at most."""


@dataclass(frozen=True)
class Exported:
    """The files that were written, and how they compare.

    Attributes:
        files: the written files and folders, the graphs first.
        parity: the comparison.
        report: all of it, as the report beside the file has it.
    """

    files: list[Path]
    parity: Parity
    report: dict[str, Any]


def export_graph(
    plan: ExportPlan,
    crops: Crops,
    into: Path,
    *,
    calibration: Iterable[str] = (),
    tolerance: float = 0.001,
    force: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write the graph, run it on the crops, compare it with the model, and move it into place.

    Beside it comes ``NAME.report.yml``, and what the program looks for that it is made for.

    Args:
        plan: what to write.
        crops: what to compare on.
        into: the folder; it is made.
        calibration: images from which int8 takes the ranges of activations; by default the crops.
        tolerance: mAP, or share of changed nearest neighbours, that may differ, in [0, 1].
        force: whether a file that ranks differently is kept, too.
        overwrite: whether a file of the same name is replaced.

    Raises:
        UserError: a file of the name is there, or the file ranks differently than the model; nothing is written then.
    """
    plan.check_free(into, overwrite)
    into.mkdir(parents=True, exist_ok=True)
    pixels = list(_batches(plan, crops.paths, "reading"))
    work = Path(tempfile.mkdtemp(dir=into, prefix=f".{plan.name}."))
    try:
        chosen = list(calibration) or crops.paths[:: -(-len(crops.paths) // CALIBRATION)]
        ranges = []
        if plan.precision == "int8":
            ranges = [plan.feed.prepare(batch) for batch in _batches(plan, chosen[:CALIBRATION], "calibrating")]
        sessions, networks = _write(plan, work, pixels[0], ranges)
        parity, report = _examine(plan, crops, pixels, sessions, networks)
        why = parity.differs(tolerance)
        if why and not force:
            raise UserError(
                f"the {plan.format.name} file ({plan.precision}) ranks differently than the model: {why}; nothing was "
                f"written. --tolerance POINTS allows a difference, --force any"
            )
        report["ranks_as_the_model"] = not why
        _write_companions(plan, work, report)
        del sessions  # a runtime may hold its file open
        return Exported(_move(work, into), parity, report)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _batches(plan: ExportPlan, paths: Iterable[str], title: str) -> Iterator[Tensor]:
    """Yield RGB pixels (B, 3, H, W) in 0..255, resized as the program does that will feed the graph."""
    paths = list(paths)
    with tqdm(total=len(paths), desc=title, unit="img", leave=False, disable=None) as bar:
        for start in range(0, len(paths), BATCH):
            part = paths[start : start + BATCH]
            yield torch.stack([plan.resize(path, plan.feed.size) for path in part])
            bar.update(len(part))


def _write(
    plan: ExportPlan, work: Path, pixels: Tensor, ranges: list[np.ndarray]
) -> tuple[dict[str, Session], dict[str, ImageNetwork]]:
    """Write one graph for each of the model's views; return what runs them, and what they were made of."""
    sessions, networks = {}, {}
    example = plan.feed.prepare(torch.cat([pixels, pixels])[:2])
    for view in plan.views:
        inputs = plan.model.config.INPUT
        network = ImageNetwork(
            plan.model.module, f"embed_{view}" if view else "embed", plan.feed, plan.model.size, list(inputs.MEAN),
            list(inputs.STD), plan.model.config.TEST.FLIP,
        ).eval()  # fmt: skip
        path = work / f"{plan.stem(view)}{plan.format.suffix}"
        graph = Graph(network, example, plan.precision, ranges, metadata_of(plan, view))
        plan.format.write(graph, path)
        sessions[view] = plan.format.open(path, torch.get_num_threads())
        networks[view] = network
    return sessions, networks


@torch.no_grad()
def _examine(
    plan: ExportPlan,
    crops: Crops,
    pixels: list[Tensor],
    sessions: dict[str, Session],
    networks: dict[str, ImageNetwork],
) -> tuple[Parity, dict[str, Any]]:
    """Run model and file on the same pixels, and the model on its own pixels too where a program resizes otherwise."""
    metric = plan.model.config.TEST.METRIC
    by_file = _side_by_side(plan, crops, [{v: torch.from_numpy(s(plan.feed.prepare(b))) for v, s in sessions.items()}
                                          for b in pixels])  # fmt: skip
    by_model = _side_by_side(plan, crops, [_embed(plan, batch) for batch in pixels])
    parity = compare(by_model, by_file, crops, metric)
    session, network = sessions[plan.views[0]], networks[plan.views[0]]
    images = plan.feed.prepare(pixels[0])
    report: dict[str, Any] = {
        "files": plan.files(),
        "precision": plan.precision,
        "parity": {key: _short(value) for key, value in asdict(parity).items()},
        "speed": {
            "threads": torch.get_num_threads(),
            "model": {"runtime": f"torch {torch.__version__}", **time_session(network, torch.from_numpy(images))},
            "file": {"runtime": plan.format.runtime, **time_session(session, images)},
        },
    }
    if plan.consumer:
        sides = [getattr(plan.model, f"embed_{view}" if view else "embed") for view in _two(plan)]
        own = torch.cat([side(paths) for side, paths in zip(sides, (crops.query, crops.gallery)) if paths])
        report["parity"]["mAP_model_with_its_own_resizing"] = _short(mean_ap(own, crops, metric))
    return parity, report


def _two(plan: ExportPlan) -> tuple[str, str]:
    """Return the views of queries and gallery."""
    return (plan.views[0], plan.views[-1])


def _embed(plan: ExportPlan, pixels: Tensor) -> dict[str, Tensor]:
    """Return the model's embeddings of RGB pixels, by view, without the graph's own arithmetic on pixels."""
    inputs = plan.model.config.INPUT
    normalised = resize_in_graph(Normalize(inputs.MEAN, inputs.STD)(pixels), plan.model.size)
    methods = {view: getattr(plan.model.module, f"embed_{view}" if view else "embed") for view in plan.views}
    return {view: embed_images(embed, normalised, plan.model.config.TEST.FLIP) for view, embed in methods.items()}


def _side_by_side(plan: ExportPlan, crops: Crops, batches: list[dict[str, Tensor]]) -> Tensor:
    """Return one embedding per crop: queries by the first view, the gallery by the last."""
    whole = {view: torch.cat([batch[view] for batch in batches]) for view in plan.views}
    first, last = _two(plan)
    count = len(crops.query)
    return torch.cat([whole[first][:count], whole[last][count:]])


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _write_companions(plan: ExportPlan, work: Path, report: dict[str, Any]) -> None:
    """Write the report, and what the program looks for beside the graph."""
    if plan.format.name == "onnx":
        report["tensorrt"] = [tensorrt_command(file, plan.feed.size, plan.precision) for file in plan.files()]
    for view, file in zip(plan.views, plan.files()):
        report.setdefault("metadata", metadata_of(plan, view))
        if plan.consumer:
            report["usage"] = plan.consumer.usage(plan.stem(view), file)
            texts = plan.consumer.companions(plan.stem(view), file, plan.model, plan.feed)
            for name, text in texts.items():
                (work / name).write_text(text, encoding="utf-8")
    if plan.consumer and plan.consumer.name == "roboflow" and (files := folder_files(plan.model)):
        (work / f"{plan.name}_reid").mkdir()
        for name, content in files.items():
            (work / f"{plan.name}_reid" / name).write_bytes(content)
    text = yaml.safe_dump(report, sort_keys=False, width=120, allow_unicode=True)
    (work / f"{plan.name}.report.yml").write_text(text, encoding="utf-8")


def _move(work: Path, into: Path) -> list[Path]:
    """Move what was written into the folder, each file or folder by one renaming."""
    moved = []
    for path in sorted(work.iterdir(), key=lambda path: path.name.endswith((".yml", ".yaml", ".json", ".py"))):
        target = into / path.name
        if target.is_dir():  # only with --overwrite
            shutil.rmtree(target)
        os.replace(path, target)
        moved.append(target)
    return moved
