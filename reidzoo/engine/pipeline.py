"""Runs a configuration: its stages in order, each with its own trainer and folder, resumable anywhere."""

from __future__ import annotations

import difflib
import json
import logging
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from tabulate import tabulate
from tqdm import tqdm
from yacs.config import CfgNode

import reidzoo
from reidzoo.config import dump, stage_configs
from reidzoo.config.references import ZOO, fill_seed, map_models, map_references, referenced_models
from reidzoo.datasets import build_dataset
from reidzoo.engine import distributed
from reidzoo.engine.build import build_train_sets, load_embedder, pick_device, register_indexes
from reidzoo.engine.checkpoint import FINAL, LAST, resume
from reidzoo.engine.evaluate import FIGURES, check_evaluation, evaluate_targets
from reidzoo.engine.files import write_text
from reidzoo.engine.seed import seed_everything, seed_of
from reidzoo.errors import ConfigError, UserError, WeightsError
from reidzoo.hooks.hook import build_hooks
from reidzoo.models.loading import local_file
from reidzoo.registry import TRAINER
from reidzoo.zoo.hub import sha256_of
from reidzoo.zoo.model_file import PREPROCESSING, header_if_any

__all__ = ["ENVIRONMENT", "RESULTS", "Pipeline", "check_data", "command_line", "environment", "results_table"]

logger = logging.getLogger("reidzoo")

ENVIRONMENT, RESULTS, MODELS = "environment.json", "results.json", "models.json"
_RECORDS = ("results.yml", "index.yml")
"""Names of files that say what runs gave; no run depends on them."""


class Pipeline:
    """The stages of one configuration.

    Args:
        cfg: a frozen configuration, as ``load_config`` gives it.

    The folder ``OUTPUT_DIR`` receives the resolved configuration, the environment and the log; each stage's own folder
    in it receives its checkpoints, ``metrics.jsonl``, ``results.json`` and pseudo labels. A configuration without
    stages has one, and its folder is ``OUTPUT_DIR`` itself. Of each ``zoo://NAME`` that the configuration names,
    ``models.json`` says which file it was, with its SHA-256.
    """

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg
        self.output_dir = Path(cfg.OUTPUT_DIR)
        self.folders = {name: self.output_dir / name if cfg.STAGES else self.output_dir for name in stage_configs(cfg)}
        stages = stage_configs(cfg)
        self.stages = {name: map_references(fill_seed(stage), self._path) for name, stage in stages.items()}
        register_indexes(cfg)
        distributed.start(cfg.DEVICE if cfg.DEVICE != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
        self.device = pick_device(cfg.DEVICE)

    # ---- the two things one does with it ---------------------------------------------------------------------------

    def train(self, go_on: bool = False) -> dict[str, dict[str, dict[str, float]]]:
        """Run the stages that are not done; returns stage -> target -> metrics.

        Args:
            go_on: resume the run that ``OUTPUT_DIR`` holds.

        Raises:
            UserError: data or weights are missing (found out before any training), or the folder holds a run already.
        """
        self._check()
        models = self._fetch_models()
        self._open_folder(go_on, models)
        for name, cfg in self.stages.items():
            if not (self.folders[name] / FINAL).exists() and not self._train_stage(name, cfg):
                raise UserError(f"stopped in stage {name}; go on with the same command and --resume")
        return self.results()

    def evaluate(self, weights: str, stage: str = "") -> dict[str, dict[str, dict[str, float]]]:
        """Test a checkpoint on ``DATASETS.TESTS`` with the model of ``stage`` (default: the last)."""
        name = stage or list(self.stages)[-1]
        if name not in self.stages:
            raise ConfigError(f"there is no stage {name!r}; the stages are {', '.join(self.stages)}")
        if not weights:
            raise WeightsError(
                "--eval-only needs a checkpoint: add MODEL.WEIGHTS path/to/model_final.pth, or zoo://NAME"
            )
        cfg = self.stages[name]
        self._check(only=name)
        path = local_file(weights)
        _compare_preprocessing(cfg, path)
        model = load_embedder(cfg, path, tuple(cfg.WEIGHTS_IGNORE))
        return {Path(weights).stem: evaluate_targets(cfg, model.to(self.device), self.device)}

    def results(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return what the finished stages gave, from their files."""
        files = {name: folder / RESULTS for name, folder in self.folders.items()}
        return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}

    # ---- steps -----------------------------------------------------------------------------------------------------

    def _train_stage(self, name: str, cfg: CfgNode) -> bool:
        folder = self.folders[name]
        folder.mkdir(parents=True, exist_ok=True)
        seed_everything(seed_of(cfg))  # each stage anew, so that it does not depend on what ran before it
        sets = build_train_sets(cfg)
        sizes = ", ".join(f"{key}: {len(data):,} images, {data.num_classes:,} identities" for key, data in sets.items())
        logger.info("stage %s (%s)", name, sizes)
        trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=folder, device=self.device)
        if (folder / LAST).exists():
            resume(trainer, folder / LAST)
            logger.info("resumed at epoch %d, step %d", trainer.epoch + 1, trainer.step)
        trainer.train()
        return (folder / FINAL).exists()

    def _fetch_models(self) -> dict[str, dict[str, str]]:
        """Put files in place of each ``zoo://NAME``; returns what ``models.json`` says of them."""
        names = dict.fromkeys(name for cfg in self.stages.values() for name in referenced_models(cfg))
        files = {name: local_file(name) for name in names}
        self.stages = {key: map_models(cfg, lambda name: str(files[name])) for key, cfg in self.stages.items()}
        return {name: {"file": str(file), "sha256": sha256_of(file)} for name, file in files.items()}

    def _open_folder(self, go_on: bool, models: Mapping[str, Mapping[str, str]]) -> None:
        file = self.output_dir / "config.yml"
        text = dump(self.cfg)
        saved = [folder / name for folder in self.folders.values() for name in (LAST, FINAL)]
        started = distributed.broadcast_object(file.exists() and any(path.exists() for path in saved))
        if started and not go_on:
            raise UserError(
                f"{self.output_dir} holds a run already; continue it with --resume, or choose another --output-dir"
            )
        if not distributed.is_main():
            return
        self.output_dir.mkdir(parents=True, exist_ok=True)
        _log_to(self.output_dir / "log.txt")
        if started:
            finished = all((folder / FINAL).exists() for folder in self.folders.values())
            _compare_models(self.output_dir / MODELS, models)
            _compare_configs(file, text, finished)
            if finished:
                return  # its folder says how it came about
        write_text(file, text)
        _note_environment(self.output_dir / ENVIRONMENT, started)
        if models:
            write_text(self.output_dir / MODELS, json.dumps(models, indent=1) + "\n")

    def _check(self, only: str = "") -> None:
        """Find out now what would stop the run later: missing data or weights, what cannot be tested, wrong hooks."""
        seen: set[tuple[str, ...]] = set()
        for name, cfg in self.stages.items():
            if only and name != only:
                continue
            check_data(cfg, ("test",) if only else ("test", "train"), seen)
            if only:
                continue
            if "evaluate" in cfg.HOOKS:
                check_evaluation(cfg)
            build_hooks(cfg.HOOKS)  # a mistake in a late stage's hooks would come up when those before it are done
            for key, path in {"MODEL.WEIGHTS": cfg.MODEL.WEIGHTS, **cfg.WEIGHTS}.items():
                if path and not path.startswith(ZOO) and not self._is_ours(path) and not Path(path).exists():
                    raise WeightsError(f"{key}: there is no file {path} (stage {name})")

    def _is_ours(self, path: str) -> bool:
        return any(folder in Path(path).parents for folder in self.folders.values())

    def _path(self, stage: str, file: str) -> str:
        """Return the path of a stage's file, "" for its final checkpoint."""
        if stage not in self.folders:
            raise ConfigError(f"'stage:{stage}' names no stage; the stages are {', '.join(self.folders)}")
        return str(self.folders[stage] / (file or FINAL))


def check_data(cfg: CfgNode, uses: Sequence[str] = ("test", "train"), seen: set[tuple[str, ...]] | None = None) -> None:
    """Read the records of a stage's datasets, without their pseudo labels.

    Args:
        cfg: the stage's configuration.
        uses: ``"test"`` for DATASETS.TESTS, ``"train"`` for DATASETS.TRAIN.
        seen: what earlier calls have read, and this one will not read again.

    Raises:
        DatasetError: one is missing or incomplete.
    """
    seen = set() if seen is None else seen
    listed = {
        "test": [(node, "query") for node in cfg.DATASETS.TESTS],
        "train": [(node, "train") for given in cfg.DATASETS.TRAIN.values() for node in _listed(given)],
    }
    for node, split in (pair for use in uses for pair in listed[use]):
        node = _before_labels(node)
        known = (repr(node), split, cfg.DATASETS.ROOT)
        if known not in seen:
            build_dataset(node, root=cfg.DATASETS.ROOT).records(split)
            seen.add(known)


def results_table(results: Mapping[str, Mapping[str, Mapping[str, float]]], title: str = "stage") -> str:
    """Return the results as a table in percent: a row per stage and unseen target.

    The columns are ``FIGURES`` and what else there is, such as ``TPR@FPR=0.01``; "-" where a result, an older one for
    example, does not have a figure.
    """
    found = [
        (stage, target, figures)
        for stage, targets in results.items()
        for target, figures in targets.items()
        if "mAP" in figures  # a probe's accuracy stands among the targets
    ]
    columns = list(dict.fromkeys([*FIGURES, *(key for *_, figures in found for key in figures)]))
    rows = [
        [stage, target, *(f"{100 * figures[key]:.1f}" if key in figures else "-" for key in columns)]
        for stage, target, figures in found
    ]
    return tabulate(rows, headers=[title, "tested on", *columns], disable_numparse=True)


def _listed(given: Any) -> list:
    return list(given) if isinstance(given, list | tuple) else [given]


def _before_labels(node: Any) -> Any:
    """Return what can be read before training: the dataset within those that wait for an earlier stage's labels."""
    while _awaits_labels(node):
        node = node["dataset"]
    return node


def _awaits_labels(node: Any) -> bool:
    return isinstance(node, Mapping) and "dataset" in node and ("labels" in node or _awaits_labels(node["dataset"]))


def _changes(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "the run's", "now", lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith("@@"))


def _compare_configs(file: Path, now: str, finished: bool) -> None:
    """Warn if the configuration is not the run's; raise if its seed is not."""
    changed = _changes(file.read_text(), now)
    if "-SEED:" in changed:
        raise UserError(f"{file.parent} holds a run with another seed; resume it with the seed it has")
    if changed and finished:
        logger.warning("the run is finished, and these changes are without effect:\n%s", changed)
    elif changed:
        logger.warning("resuming with a changed configuration:\n%s", changed)


def _compare_models(file: Path, models: Mapping[str, Mapping[str, str]]) -> None:
    """Raise if a ``zoo://NAME`` is no longer the file that the run started from."""
    before = json.loads(file.read_text()) if file.exists() else {}
    for name, found in models.items():
        old = before.get(name, found)
        if old["sha256"] != found["sha256"]:
            raise UserError(
                f"{file}: the run started from {name} with SHA-256 {old['sha256']}, and now it is another file, "
                f"{found['file']} with {found['sha256']}; give the old one by its path ({old['file']}), or start anew"
            )


def _compare_preprocessing(cfg: CfgNode, weights: Path) -> None:
    """Warn if a model file says that its images are prepared in another way than the configuration's."""
    header = header_if_any(weights)
    for key in PREPROCESSING if header else ():
        theirs, ours = header.config["INPUT"][key], cfg.INPUT[key]
        if theirs != (list(ours) if isinstance(ours, tuple) else ours):
            logger.warning("%s was trained with INPUT.%s %s, and is tested with %s", weights, key, theirs, ours)


class _TqdmHandler(logging.Handler):
    """Prints above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def _log_to(path: Path) -> None:
    logger.setLevel(logging.INFO)
    for old in list(logger.handlers):
        logger.removeHandler(old)
    file = logging.FileHandler(path)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    screen = _TqdmHandler()
    screen.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    logger.addHandler(file)
    logger.addHandler(screen)


def environment() -> dict[str, str]:
    """Return what a run's figures depend on beside its configuration: the command, the code, the libraries."""
    commit = _git("rev-parse", "HEAD")
    return {
        "command": " ".join(sys.argv),
        "reidzoo": reidzoo.__version__,
        "commit": commit or "unknown",
        "uncommitted": ", ".join(_uncommitted()) or "none" if commit else "unknown",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "processes": str(distributed.world_size()),
        "threads": str(torch.get_num_threads()),  # sums on a CPU depend on it, in their last bits
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
    }


def command_line(made: Mapping[str, str]) -> str:
    """Return the command of an ``environment``, behind the number of threads where that is noted."""
    threads = f"OMP_NUM_THREADS={made['threads']} " if "threads" in made else ""
    return threads + made["command"]


def _note_environment(path: Path, started: bool) -> None:
    """Write down what a run goes on with; what was not committed in an earlier part of it stays noted."""
    now = environment()
    before = json.loads(path.read_text()).get("uncommitted", "unknown") if started and path.exists() else "none"
    files = dict.fromkeys(f"{before}, {now['uncommitted']}".split(", "))
    files.pop("none", None)
    now["uncommitted"] = ", ".join(files) or "none"
    write_text(path, json.dumps(now, indent=1) + "\n")


def _git(*words: str) -> str:
    here = Path(reidzoo.__file__).parent
    return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False).stdout.rstrip()


def _uncommitted() -> list[str]:
    """Return the files of code and configuration that differ from the commit; records of results are neither."""
    folders = [f":(top){name}" for name in ("reidzoo", "projects", "configs", "tools")]
    lines = _git("status", "--porcelain", "--untracked-files=all", "--", *folders).splitlines()
    files = [line[3:].rpartition(" -> ")[2].strip('"') for line in lines]
    return [file for file in files if file.endswith((".py", ".yml")) and Path(file).name not in _RECORDS]
