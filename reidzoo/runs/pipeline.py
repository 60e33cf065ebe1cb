"""Runs a configuration: its stages in order, each with its own trainer and folder, resumable anywhere."""

from __future__ import annotations

import difflib
import functools
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tabulate import tabulate
from yacs.config import CfgNode

from reidzoo import distributed
from reidzoo.config import dump, stage_configs
from reidzoo.config.references import fill_seed, map_references, map_texts, weight_words
from reidzoo.engine.build import build_train_sets, device_kind, final_interpolation, load_embedder, pick_device
from reidzoo.engine.checkpoint import resume, save
from reidzoo.engine.evaluate import FIGURES, check_evaluation, evaluate_targets
from reidzoo.engine.freed_memory import keep_freed_memory
from reidzoo.engine.image_cache import keep_images
from reidzoo.engine.run_folder import RunFolder
from reidzoo.engine.seed import seed_everything, seed_of
from reidzoo.engine.stop_signal import stop_signal
from reidzoo.errors import ConfigError, Paused, UserError, WeightsError
from reidzoo.files import write_text
from reidzoo.registry import TRAINER
from reidzoo.runs.dry_run import SECONDS, DryRun
from reidzoo.runs.environment import environment_changes, note_environment
from reidzoo.runs.findings import Findings
from reidzoo.runs.run_lock import run_lock
from reidzoo.runs.run_log import RunLog
from reidzoo.weights.cache import sha256_of
from reidzoo.weights.loading import local_file
from reidzoo.weights.model_file import PREPROCESSING, header_if_any
from reidzoo.zoo.index import list_models, register_indexes

__all__ = ["Pipeline", "results_table"]

logger = logging.getLogger("reidzoo")


class Pipeline:
    """Runs the stages of one configuration, and tests its checkpoints.

    Args:
        cfg: a frozen configuration, as ``load_config`` gives it.

    The folder ``OUTPUT_DIR`` receives the resolved configuration, the environment and the log; each stage's own folder
    in it receives its checkpoints, ``metrics.jsonl``, ``results.json`` and pseudo labels. A configuration without
    stages has one, and its folder is ``OUTPUT_DIR`` itself. Of each ``zoo://NAME`` that the configuration names,
    ``models.json`` says which file it was, with its SHA-256.
    """

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg
        self.folder = RunFolder.of_config(cfg)
        stages = stage_configs(cfg)
        self.stages = {name: map_references(fill_seed(stage), self._path) for name, stage in stages.items()}
        register_indexes(cfg)
        distributed.start(device_kind(cfg.DEVICE))
        self.device = pick_device(cfg.DEVICE)
        self.log = RunLog()
        self.models: dict[str, dict[str, str]] = {}  # the content of models.json

    # ---- training and testing --------------------------------------------------------------------------------------

    def train(self, go_on: bool = False) -> dict[str, dict[str, dict[str, float]]]:
        """Run the stages that are not done; returns stage -> target -> metrics.

        Args:
            go_on: resume the run that ``OUTPUT_DIR`` holds.

        SIGTERM, SIGUSR1 and the first Ctrl-C pause the run at its next step or between two stages; the handlers that
        were there before are back when this returns.

        Raises:
            UserError: the dry run has found something wrong; or the folder holds a run already, is in use by another
                one, or holds checkpoints of something else.
            Paused: the run was asked to stop, and has saved itself.
        """
        with stop_signal.listening():
            dry_run = self.dry_run()
            dry_run.findings.raise_if_any()
            keep_freed_memory()
            with run_lock(self.folder.path), keep_images(), self.log:
                record = self._open_folder(go_on, self.models)
                logger.info(dry_run.summary())
                for note in dry_run.notes:
                    logger.warning(note)
                self._train_stages(record)
        return self.results()

    def evaluate(self, weights: str, stage: str = "") -> dict[str, dict[str, dict[str, float]]]:
        """Test a checkpoint on ``DATASETS.TESTS`` with the model of ``stage`` (default: the last)."""
        cfg, path = self.check_evaluation(weights, stage)
        keep_freed_memory()
        _compare_preprocessing(cfg, path)
        model = load_embedder(cfg, path, tuple(cfg.WEIGHTS_IGNORE))
        return {Path(weights).stem: evaluate_targets(cfg, model.to(self.device), self.device)}

    def check_evaluation(self, weights: str, stage: str = "") -> tuple[CfgNode, Path]:
        """Check that a checkpoint can be tested; returns the configuration of its stage and its file.

        Raises:
            UserError: there is no such stage or checkpoint, or the test sets cannot be tested on.
        """
        name = stage or list(self.stages)[-1]
        if name not in self.stages:
            raise ConfigError(f"there is no stage {name!r}; the stages are {', '.join(self.stages)}")
        if not weights:
            raise WeightsError(
                "--eval-only needs a checkpoint: add MODEL.WEIGHTS path/to/model_final.pth, or zoo://NAME"
            )
        cfg = self.stages[name]
        check_evaluation(cfg)
        return cfg, local_file(weights)

    def results(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the results of the finished stages, from their files."""
        return {name: stage.read_results() for name, stage in self.folder.stages.items() if stage.results.exists()}

    def dry_run(self, deep: bool = False, seconds: float | None = SECONDS) -> DryRun:
        """Try what the stages that are not done will need, see ``DryRun``; what is wrong is in its ``findings``."""
        findings = Findings(list(self.stages))
        self._fetch_models(findings)
        stages = {name: cfg for name, cfg in self.stages.items() if not self.folder.stage(name).finished}
        return DryRun(stages, self.folder.stages, self.device, findings, deep=deep, seconds=seconds).run()

    # ---- steps -----------------------------------------------------------------------------------------------------

    def _train_stages(self, record: Callable[[], None]) -> None:
        """Run the stages that are not done; ``record`` is called before the first step."""
        for name, cfg in self.stages.items():
            if self.folder.stage(name).finished:
                continue
            if stop_signal.agreed():
                raise Paused(f"stopped before stage {name}; go on with the same command and --resume")
            if not self._train_stage(name, cfg, record):
                raise Paused(f"stopped in stage {name}; go on with the same command and --resume")

    def _train_stage(self, name: str, cfg: CfgNode, record: Callable[[], None]) -> bool:
        folder = self.folder.stage(name)
        folder.path.mkdir(parents=True, exist_ok=True)
        seed_everything(seed_of(cfg))  # for each stage, so that it does not depend on what ran before it
        sets = build_train_sets(cfg)
        sizes = ", ".join(f"{key}: {len(data):,} images, {data.num_classes:,} identities" for key, data in sets.items())
        logger.info("stage %s (%s)", name, sizes)
        trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=folder.path, device=self.device)
        if cfg.SOLVER.PRECISION == "fp16" and self.device.type == "cpu":
            logger.warning("SOLVER.PRECISION fp16 has no fast kernels on a CPU: bf16 and fp32 are faster by far")
        if folder.last.exists():
            resume(trainer, folder.last)
            logger.info("resumed at epoch %d, step %d", trainer.epoch + 1, trainer.step)
        record()
        trainer.train()
        if not trainer.stop and not distributed.broadcast_object(folder.finished):
            save(trainer, folder.checkpoint)  # HOOKS.checkpoint is null; what was trained is kept all the same
        return folder.finished

    def _fetch_models(self, findings: Findings) -> None:
        """Replace names of models and runs' folders by files, and note down which files these are."""
        words = dict.fromkeys(word for cfg in self.stages.values() for word in weight_words(cfg))
        model_names = list_models()
        names = [word for word in words if "://" in word or word in model_names or os.path.isdir(word)]
        files = {}
        for name in names:
            with findings.collect():
                files[name] = str(local_file(name))
        self.stages = {key: map_texts(cfg, files) for key, cfg in self.stages.items()}
        self.models |= {name: {"file": file, "sha256": sha256_of(file)} for name, file in files.items()}

    def _open_folder(self, go_on: bool, models: Mapping[str, Mapping[str, str]]) -> Callable[[], None]:
        """Return what writes down the run's configuration, environment and models.

        A run that goes on keeps those that it has until its checkpoint is known to fit.
        """
        started, problem = False, ""
        if distributed.is_main():
            try:
                started = self._find_run(go_on, models)
            except UserError as error:
                problem = str(error)
            except OSError as error:
                problem = (
                    f"{self.folder.path}: cannot be written: {error.strerror or error}; choose another --output-dir"
                )
        problem = distributed.broadcast_object(problem)
        if problem:
            raise UserError(problem)
        record = functools.cache(lambda: self._record(started, models) if distributed.is_main() else None)
        if not started:
            record()
        return record

    def _find_run(self, go_on: bool, models: Mapping[str, Mapping[str, str]]) -> bool:
        """Return whether the folder's run goes on; raise UserError if it cannot."""
        run = self.folder
        saved = any(stage.started for stage in run.stages.values())
        if saved and not run.config.exists():
            raise UserError(
                f"{run.path} holds checkpoints and no {run.config.name}, so they are not of a run that could be "
                f"continued; choose another --output-dir, or move them away"
            )
        if saved and not go_on:
            raise UserError(
                f"{run.path} holds a run already; continue it with --resume, or choose another --output-dir"
            )
        run.path.mkdir(parents=True, exist_ok=True)
        self.log.start(run.log)
        if saved:
            finished = all(stage.finished for stage in run.stages.values())
            _compare_models(run.models, models)
            _compare_configs(run.config, dump(self.cfg), finished)
            _remove_leftovers(run)
            for change in [] if finished else environment_changes(run.environment):
                logger.warning("resuming elsewhere than before, so that last bits may differ: %s", change)
        return saved

    def _record(self, started: bool, models: Mapping[str, Mapping[str, str]]) -> None:
        run = self.folder
        write_text(run.config, dump(self.cfg))
        note_environment(run.environment, started)
        if models:
            write_text(run.models, json.dumps(models, indent=1) + "\n")

    def _path(self, stage: str, file: str) -> str:
        """Return the path of a stage's file, "" for its final checkpoint."""
        if stage not in self.folder.stages:
            raise ConfigError(f"'stage:{stage}' names no stage; the stages are {', '.join(self.folder.stages)}")
        folder = self.folder.stage(stage)
        return str(folder.path / file if file else folder.checkpoint)


def _remove_leftovers(run: RunFolder) -> None:
    """Remove the unfinished files of saves that were killed."""
    for stage in run.stages.values():
        for file in (stage.last, stage.checkpoint):
            for part in stage.path.glob(f".{file.name}.*.tmp"):
                part.unlink(missing_ok=True)


def results_table(results: Mapping[str, Mapping[str, Mapping[str, float]]], title: str = "stage") -> str:
    """Return the results as a table in percent, a row per stage and target; "" where nothing was tested.

    The columns are ``FIGURES`` and any others, such as ``TPR@FPR=0.01``; "-" where a result, an older one for example,
    does not have a figure. Whole numbers, such as the epoch that was kept, are no shares, and stand as they are.
    """
    tested = [
        (stage, target, figures)
        for stage, targets in results.items()
        for target, figures in targets.items()
        if "mAP" in figures  # a probe's accuracy stands among the targets
    ]
    if not tested:
        return ""
    columns = list(dict.fromkeys([*FIGURES, *(key for *_, figures in tested for key in figures)]))
    rows = [
        [stage, target, *(_percent(figures[key]) if key in figures else "-" for key in columns)]
        for stage, target, figures in tested
    ]
    return tabulate(rows, headers=[title, "tested on", *columns], disable_numparse=True)


def _percent(figure: float) -> str:
    return str(figure) if isinstance(figure, int) else f"{100 * figure:.1f}"


def _changes(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "the run's", "now", lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith("@@"))


def _compare_configs(file: Path, now: str, finished: bool) -> None:
    """Warn if the configuration is not the run's; raise if its seed is not."""
    changed = _changes(file.read_text(encoding="utf-8"), now)
    if "-SEED:" in changed:
        raise UserError(f"{file.parent} holds a run with another seed; resume it with the seed it has")
    if changed and finished:
        logger.warning("the run is finished, and these changes are without effect:\n%s", changed)
    elif changed:
        logger.warning("resuming with a changed configuration:\n%s", changed)


def _compare_models(file: Path, models: Mapping[str, Mapping[str, str]]) -> None:
    """Raise if a ``zoo://NAME`` is no longer the file that the run started from."""
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name, current in models.items():
        earlier = before.get(name, current)
        if earlier["sha256"] != current["sha256"]:
            raise UserError(
                f"{file}: the run started from {name} with SHA-256 {earlier['sha256']}, and now it is another file, "
                f"{current['file']} with {current['sha256']}; give the old one by its path ({earlier['file']}), or "
                f"start again"
            )


def _compare_preprocessing(cfg: CfgNode, weights: Path) -> None:
    """Warn if a model file says that its images are prepared in another way than the configuration's."""
    header = header_if_any(weights)
    if header is None:
        return
    for key in PREPROCESSING:
        theirs, ours = header.config["INPUT"][key], cfg.INPUT[key]
        if key == "INTERPOLATION":
            ours = final_interpolation(cfg)
        if theirs != (list(ours) if isinstance(ours, tuple) else ours):
            logger.warning("%s was trained with INPUT.%s %s, and is tested with %s", weights, key, theirs, ours)
