"""Tries everything that a run will need, before its first step."""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate
from tqdm import tqdm
from yacs.config import CfgNode

from reidzoo import distributed
from reidzoo.datasets import Dataset, TrainSet, build_dataset
from reidzoo.datasets.nodes import Node, listed, readable_now, train_nodes
from reidzoo.engine.build import build_model, check_trainer_class
from reidzoo.engine.evaluate import check_target, target_title
from reidzoo.engine.image_check import ImageCheck
from reidzoo.engine.recompute import check_chunks
from reidzoo.engine.run_folder import StageFolder
from reidzoo.engine.seed import kept_random_state
from reidzoo.errors import ConfigError, UserError, WeightsError
from reidzoo.hooks.hook import build_hooks
from reidzoo.losses import LossSet
from reidzoo.registry import CLUSTERER, MODEL
from reidzoo.runs.findings import Findings
from reidzoo.runs.rehearsal import Rehearsal, without_gradient
from reidzoo.runs.stand_ins import StandIns
from reidzoo.transforms import Compose
from reidzoo.warned import warned
from reidzoo.zoo.index import list_models

__all__ = ["SECONDS", "DryRun"]

SECONDS = 1.5
"""How long the start of a run waits for the headers of its images, once everything else is tried."""

CLAMPED = 0.05
"""The share of negative values in what GeM pools from which on it is said; a map that ends in a ReLU has none."""


class DryRun:
    """Tries out the stages of a run: data, parts, a step of every phase, the test's side, images, disk space.

    Nothing of it remains: what it builds is thrown away, what it writes lies in a temporary folder, and the global
    random generators stand where they stood. A stage that reads what an earlier one writes has a stand-in for it.
    Stages that differ by their seeds alone are tried once.

    Args:
        stages: the stages that are still to be trained, in their order, complete; names of models are files by now.
        folders: the folder of each.
        device: where they will be trained.
        findings: what is wrong so far.
        deep: decode the pixels of images, not only their headers.
        seconds: how long to wait for images to be opened once everything else is tried; None: until all are.

    Attributes:
        findings: what is wrong.
        notes: what is worth knowing, and what the run itself will not say.
        warnings: what was warned of, as the run will again.
    """

    def __init__(
        self,
        stages: Mapping[str, CfgNode],
        folders: Mapping[str, StageFolder],
        device: torch.device,
        findings: Findings | None = None,
        *,
        deep: bool = False,
        seconds: float | None = SECONDS,
    ) -> None:
        self.stages, self.folders, self.device = dict(stages), dict(folders), device
        self.deep, self.seconds = deep, seconds
        self.findings = findings if findings is not None else Findings(list(stages))
        self.notes: dict[str, None] = {}
        self.warnings: dict[str, None] = {}
        self._datasets: dict[tuple[str, str], Dataset | UserError] = {}
        self._rehearsals: dict[str, Rehearsal] = {}
        self._models: set[str] = set()
        self._checked: set[str] = set()
        self._targets: dict[str, list[Any]] = {}
        self._images = ImageCheck(())
        self._seconds = 0.0

    def run(self) -> DryRun:
        """Try everything; ``findings`` has what is wrong."""
        began = time.monotonic()
        with kept_random_state(), warned() as texts, tempfile.TemporaryDirectory(prefix="reidzoo-") as place:
            sound = [name for name in self.stages if self._try_data(name)]
            self._try_stages(sound, StandIns(self.stages, self.folders, Path(place)))
            self._try_disk()
            self._images = ImageCheck(self._paths() if distributed.is_main() else (), self.deep)
            with self.findings.collect():
                self._images.run(self.seconds)
        self.warnings = dict.fromkeys(texts)
        self.findings.share()
        self._seconds = time.monotonic() - began
        return self

    # ---- what is said of it -----------------------------------------------------------------------------------------

    def summary(self) -> str:
        """Return one line for the log."""
        phases = sum(len(rehearsal.phases) for rehearsal in self._rehearsals.values())
        return (
            f"dry run: {len(self._rehearsals)} stages with {phases} phases and {len(self._targets)} test sets tried, "
            f"{self._images.summary}, in {self._seconds:.1f} s"
        )

    def tables(self) -> str:
        """Return what was seen of every stage and test set, as tables for the screen."""
        rows = []
        for name, found in self._rehearsals.items():
            sets = [
                f"{key}: {len(data):,} of {data.num_classes:,}" if data.num_classes else f"{key}: {len(data):,}"
                for key, data in found.sets.items()
            ]
            batch = f"{self.stages[name].SOLVER.IMS_PER_BATCH} ({found.batch})"
            weights = f"{found.parameters / 1e6:.1f} M"
            rows.append(
                [name, "\n".join(sets), batch, found.steps, ", ".join(found.phases), weights, _shown(found.size)]
            )
        heads = ["stage", "images of identities", "batch (tried)", "steps", "phases", "weights", "checkpoint"]
        tests = ["tested on", "protocol", "queries", "gallery", "identities", "cameras"]
        tables = [(rows, heads), (list(self._targets.values()), tests)]
        texts = [tabulate(lines, names, disable_numparse=True) for lines, names in tables if lines]
        return "\n\n".join([*texts, *(f"note: {note}" for note in {**self.notes, **self.warnings}), self.summary()])

    # ---- data -------------------------------------------------------------------------------------------------------

    def _try_data(self, stage: str) -> bool:
        """Read a stage's training and test sets; returns whether all training sets could be read."""
        cfg, before = self.stages[stage], len(self.findings)
        for node in train_nodes(cfg.DATASETS.TRAIN):
            with self.findings.collect(stage):
                self._records(readable_now(node), cfg, "train")
        sound = len(self.findings) == before
        titles: list[str] = []
        for node in cfg.DATASETS.TESTS if _is_evaluated(cfg) else ():
            with self.findings.collect(stage):
                self._try_target(node, cfg, titles)
        return sound

    def _try_target(self, node: Node, cfg: CfgNode, titles: list[str]) -> None:
        dataset = self._dataset(node, cfg)
        title = target_title(dataset, titles)
        titles.append(title)
        key = repr([node, cfg.DATASETS.ROOT, cfg.TEST])
        if key in self._checked:
            return
        check_target(cfg, node, dataset)
        self._checked.add(key)
        records = [*dataset.query, *dataset.gallery]
        protocol = dataset.protocol if cfg.TEST.PROTOCOL == "auto" else cfg.TEST.PROTOCOL
        named = protocol if isinstance(protocol, str) else protocol.__name__
        counts = [len(dataset.query), len(dataset.gallery), len({record.pid for record in records} - {-1, 0})]
        self._targets[title] = [title, named, *counts, len({record.camid for record in records})]

    def _dataset(self, node: Node, cfg: CfgNode) -> Dataset:
        """Build a dataset, once; what went wrong with it is raised again."""
        key = (repr(node), cfg.DATASETS.ROOT)
        if key not in self._datasets:
            try:
                self._datasets[key] = build_dataset(node, root=cfg.DATASETS.ROOT)
            except UserError as error:
                self._datasets[key] = error
        found = self._datasets[key]
        if isinstance(found, UserError):
            raise found
        return found

    def _records(self, node: Node, cfg: CfgNode, split: str) -> None:
        self._dataset(node, cfg).records(split)

    def _train_sets(self, cfg: CfgNode) -> dict[str, TrainSet]:
        return {
            name: TrainSet([self._dataset(node, cfg) for node in listed(nodes)])
            for name, nodes in cfg.DATASETS.TRAIN.items()
        }

    def _paths(self) -> Iterator[str]:
        """Yield the images of all datasets that could be read: those to train and to test on, and their styles."""
        for cfg in self.stages.values():
            wanted: list[tuple[Node, tuple[str, ...]]]
            wanted = [(readable_now(node), ("train",)) for node in train_nodes(cfg.DATASETS.TRAIN)]
            wanted += [(node, ("query", "gallery")) for node in (cfg.DATASETS.TESTS if _is_evaluated(cfg) else ())]
            for node, splits in wanted:
                with contextlib.suppress(UserError):
                    dataset = self._dataset(node, cfg)
                    yield from (record.path for split in splits for record in dataset.records(split))
                    yield from getattr(getattr(dataset, "styles", None), "paths", ()) if "train" in splits else ()

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _try_parts(self, stage: str) -> bool:
        """Build what can be built by itself; returns whether it all could."""
        cfg, before = self.stages[stage], len(self.findings)
        collect = self.findings.collect
        with collect(stage):
            _check_training(cfg)
        with collect(stage):
            check_trainer_class(cfg)
        for name, node in cfg.HOOKS.items():
            with collect(stage):
                build_hooks({name: node})
        for name, node in cfg.LOSSES.items():
            with collect(stage):
                LossSet({name: node}, given={"num_classes": 2, "dim": 2})
        for name, node in cfg.INPUT.TRANSFORMS.items():
            with collect(stage):
                Compose({name: node}, mean=cfg.INPUT.MEAN, std=cfg.INPUT.STD)
        if cfg.CLUSTERER:
            with collect(stage):
                CLUSTERER.build(cfg.CLUSTERER)
        self._try_weights(stage, cfg)
        sound = len(self.findings) == before
        if not sound:
            with collect(stage):
                _try_model(cfg)
        return sound

    def _try_weights(self, stage: str, cfg: CfgNode) -> None:
        for key, path in {"MODEL.WEIGHTS": cfg.MODEL.WEIGHTS, **cfg.WEIGHTS}.items():
            with self.findings.collect(stage):
                ours = any(folder.path in Path(path).parents for folder in self.folders.values())
                if path and not ours and not Path(path).exists() and not ("://" in path or path in list_models()):
                    raise WeightsError(f"{key}: there is no file, run or model called {path}")

    def _rehearse(self, stage: str, stand_ins: StandIns) -> None:
        given = self.stages[stage]
        cfg, lacking = stand_ins.fill(stage, lambda node: self._dataset(node, given))
        if lacking:
            self.notes[f"stage {stage} was not tried: nothing can stand in for {', '.join(lacking)}"] = None
            return
        for other, rehearsal in self._rehearsals.items():
            if _recipe(rehearsal.cfg) == _recipe(cfg) and stand_ins.is_awaited(stage) <= stand_ins.is_awaited(other):
                stand_ins.share(stage, other)
                self._rehearsals[stage] = rehearsal
                return
        model = repr([cfg.MODEL, cfg.BACKBONE, cfg.HEAD, cfg.INPUT.SIZE])
        folder, new = stand_ins.folder(stage) / "run", model not in self._models
        self._models.add(model)
        rehearsal = Rehearsal(cfg, lambda: self._train_sets(cfg), folder, self.device, load=new)
        try:
            rehearsal.run()
            self._rehearsals[stage] = rehearsal
            if rehearsal.same_epochs:
                self.notes[
                    f"stage {stage}: SAMPLER {cfg.SAMPLER['type']} gives every epoch the same batches; "
                    f"it is to draw them from the seed and the epoch that batches(seed, epoch, count) is given"
                ] = None
            if rehearsal.idle_losses:
                self.notes[f"stage {stage}: {without_gradient(rehearsal.idle_losses)}"] = None
            if rehearsal.clamped > CLAMPED:
                self.notes[f"stage {stage}: {_clamped(rehearsal.clamped)}"] = None
            if stand_ins.is_awaited(stage):
                rehearsal.save(stand_ins.checkpoint(stage))
        except UserError as error:
            raise type(error)(stand_ins.renamed(str(error))) from error
        finally:
            rehearsal.close()

    def _try_stages(self, sound: Collection[str], stand_ins: StandIns) -> None:
        silent = None if distributed.is_main() else True
        for name in tqdm(self.stages, desc="dry run", unit="stage", leave=False, disable=silent):
            if self._try_parts(name) and name in sound:
                with self.findings.collect(name):
                    self._rehearse(name, stand_ins)

    # ---- the machine ------------------------------------------------------------------------------------------------

    def _try_disk(self) -> None:
        """Check that the checkpoints of all stages can be written: each one's last and, for a moment, one more."""
        if not self._rehearsals or not distributed.is_main():
            return
        sizes = [rehearsal.size for rehearsal in self._rehearsals.values()]
        total = sum(sizes) + max(sizes)
        folder = next(iter(self.folders.values())).path.absolute()
        while not folder.exists():
            folder = folder.parent
        with self.findings.collect():
            if not os.access(folder, os.W_OK):
                raise UserError(f"OUTPUT_DIR: {folder} cannot be written to")
            there = sum(path.stat().st_size for each in self.folders.values() if (path := each.last).exists())
            free = shutil.disk_usage(folder).free + there
            if free < total:
                raise UserError(
                    f"OUTPUT_DIR: the checkpoints take about {_shown(total)}, and {_shown(free)} are free in {folder}; "
                    f"make room, or choose another --output-dir"
                )


def _is_evaluated(cfg: CfgNode) -> bool:
    return any(isinstance(node, Mapping) and node.get("type") == "EvaluateHook" for node in cfg.HOOKS.values())


def _check_training(cfg: CfgNode) -> None:
    """Check that a stage has something to train on, in batches that batch norm can take."""
    if not cfg.DATASETS.TRAIN:
        raise ConfigError(
            "DATASETS.TRAIN is empty, and there is nothing to train on; name a dataset, such as "
            "DATASETS.TRAIN.train Market1501"
        )
    check_chunks(cfg)
    images = len(cfg.DATASETS.TRAIN) * cfg.SOLVER.IMS_PER_BATCH // (distributed.world_size() * cfg.MODEL.BN_DOMAINS)
    if cfg.MODEL.BN_GROUP and images % cfg.MODEL.BN_GROUP:
        raise ConfigError(
            f"MODEL.BN_GROUP: a batch of {images} images cannot be shared by groups of {cfg.MODEL.BN_GROUP}, which are "
            f"of one process and of one of BN_DOMAINS; change it, or SOLVER.IMS_PER_BATCH"
        )


def _try_model(cfg: CfgNode) -> None:
    """Build the model without weights, where it is made as most are."""
    kind = cfg.MODEL.get("type")
    if isinstance(kind, str) and "backbone" in inspect.signature(MODEL.get(kind)).parameters:
        build_model(cfg, num_classes=2, initialise=False)


def _clamped(share: float) -> str:
    return (
        f"{share:.0%} of what GeM pools is negative, which it clamps to 0; set HEAD.pooling to avg or max, or take a "
        f"BACKBONE whose map ends in a ReLU"
    )


def _recipe(cfg: CfgNode) -> str:
    """Return all of a stage's configuration but its seeds and where it writes."""
    return repr(
        {key: value for key, value in cfg.items() if key not in ("SEED", "SEED_OFFSET", "STREAM", "OUTPUT_DIR")}
    )


def _shown(size: float) -> str:
    """Return a number of bytes in words."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
