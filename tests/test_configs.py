"""Every YAML in the repository is built, and every phase of every stage takes a step on random data.

Three kinds of files are no configurations of their own: ``results*.yml`` are records, ``small*.yml`` and
``mobilenet*.yml`` are overlays, on which ``mini*.yml`` and the tables stand, and ``table*.yml`` and ``sweeps*.yml`` are
tables, each row of which is resolved.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from yacs.config import CfgNode

from reidzoo.config import dump, load_config, stage_configs
from reidzoo.datasets import build_dataset, write_pseudo_labels
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.run_folder import RunFolder
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline
from reidzoo.tables import make_plan, read_table

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent
YAMLS = (path for folder in ("configs", "projects") for path in (REPOSITORY / folder).rglob("*.yml"))
NAMES = sorted(str(path.relative_to(REPOSITORY)) for path in YAMLS)
OTHERS = ("results", "small", "mobilenet", "table", "sweeps")
FILES = [name for name in NAMES if not Path(name).stem.startswith(OTHERS)]
TABLES = [name for name in NAMES if Path(name).stem.startswith(("table", "sweeps"))]


def innermost(cfg):
    """Return the stage's real-world dataset node inside its wrappers."""
    nodes = [node for given in cfg.DATASETS.TRAIN.values() for node in (given if isinstance(given, list) else [given])]
    return [node for node in nodes if isinstance(node, dict) and "labels" in node]


def write_random_labels(cfg):
    """Put a file where the stage that clusters would have left it: three images to a label."""
    for node in innermost(cfg):
        dataset = build_dataset(node["dataset"], root=cfg.DATASETS.ROOT)
        labels = np.arange(len(dataset.train)) // 3
        write_pseudo_labels(node["labels"], dataset.train, labels, dataset.folder)


def prepare(trainer):
    """Give a trainer with a memory random features and labels, as its hooks would."""
    if "memory" in trainer.parts:
        memory = trainer.parts["memory"]
        rows, dim = memory.features.shape
        features = torch.randn(rows, dim)
        memory.initialise(features[: memory.num_source], features[memory.num_source :])
        trainer.relabel("target", torch.arange(memory.num_target) // 3)
    elif trainer.clusterer is not None and trainer.num_classes == 0:  # no image has a label before the first clustering
        for name, data in trainer.sets.items():
            trainer.relabel(name, torch.arange(len(data)) // 3)
    for hook in trainer.hooks.values():
        if getattr(hook, "domain", None) is not None:  # a dataset of a joined set, clustered as training goes on
            trainer.clusterer.fit_predict = lambda features: np.arange(len(features)) // 6
            hook.before_train_epoch(trainer)


def phases(trainer):
    return {phase for hook in trainer.hooks.values() if hasattr(hook, "phases") for phase in hook.phases()} or {"model"}


@pytest.mark.parametrize("file", FILES)
def test_every_stage_takes_a_step(file, tiny_root, tmp_path):
    overrides = [
        "DATASETS.ROOT",
        str(tiny_root),
        "OUTPUT_DIR",
        str(tmp_path),
        "DEVICE",
        "cpu",
        "INPUT.SIZE",
        "[64, 32]",
    ]
    overrides += ["SOLVER.IMS_PER_BATCH", "16", "SOLVER.ITERS_PER_EPOCH", "1", "DATALOADER.CACHE", "off"]
    plain = load_config(REPOSITORY / file)
    if plain.BACKBONE.get("pretrained"):
        overrides += ["BACKBONE.pretrained", ""]
    for key in ("gallery_backbone",):  # of a model with more than one
        if plain.MODEL.get(key, {}).get("pretrained"):
            overrides += [f"MODEL.{key}.pretrained", ""]
    if plain.INPUT.TRANSFORMS.get("crop", {}).get("type") == "RandomCrop":  # of images that are larger than the pieces
        overrides += ["INPUT.SIZE", "[72, 72]", "INPUT.TRANSFORMS.crop.size", "[64, 64]"]
    pipeline = Pipeline(load_config(REPOSITORY / file, opts=overrides))
    for name, cfg in pipeline.stages.items():
        if not cfg.DATASETS.TRAIN:
            continue  # a fragment: others name the data
        cfg = cfg.clone()
        cfg.defrost()
        cfg.WEIGHTS = CfgNode()  # of stages that did not run
        write_random_labels(cfg)
        trainer = TRAINER.build(
            cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=tmp_path / name, device=torch.device("cpu")
        )
        prepare(trainer)
        trainer.parts.train()
        for phase in sorted(phases(trainer)):
            before = {key: value.detach().clone() for key, value in trainer.parts.named_parameters()}
            trainer.phase = phase
            (batch,) = trainer.loader.epoch(0)
            scalars = trainer.train_step(batch)
            assert scalars and all(torch.isfinite(value) for value in scalars.values()), (name, phase, scalars)
            assert any(not torch.equal(value, before[key]) for key, value in trainer.parts.named_parameters())


def ordered(value):
    """Return a configuration as nested lists, which are equal if the order of the keys is too."""
    if isinstance(value, dict):
        return [[key, ordered(item)] for key, item in value.items()]
    return [type(value).__name__, *map(ordered, value)] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("file", FILES)
def test_a_dump_loads_as_the_same_configuration_in_the_same_order(file, tmp_path):
    saved = tmp_path / "config.yml"
    cfg = load_config(REPOSITORY / file)
    saved.write_text(dump(cfg))
    again = load_config(saved)
    assert ordered(again) == ordered(cfg)
    assert ordered(stage_configs(again)) == ordered(stage_configs(cfg))
    for stage in stage_configs(cfg).values():  # as run_table saves it
        saved.write_text(dump(stage))
        assert ordered(stage_configs(load_config(saved))) == ordered({"train": stage})


CUT = {"DEVICE": "cpu", "SOLVER": {"MAX_EPOCHS": 1, "ITERS_PER_EPOCH": 2, "IMS_PER_BATCH": 16}}
CUT_FURTHER = {"MMT": {"CLUSTERER": {"num_clusters": 12}}}  # than there are images


@pytest.mark.slow
@pytest.mark.parametrize("project", sorted({Path(name).parts[1] for name in FILES if name.startswith("projects")}))
def test_the_config_of_a_run_repeats_the_run(project, tiny_root, tmp_path):
    data = {"DATASETS": {"ROOT": str(tiny_root)}}
    first, second = (RunFolder(tmp_path / name) for name in ("first", "second"))
    cuts = [CUT, CUT_FURTHER.get(project, {}), data, {"OUTPUT_DIR": str(first.path)}]
    Pipeline(load_config(REPOSITORY / "projects" / project / "mini.yml", overlays=cuts)).train()
    Pipeline(load_config(first.config, ["OUTPUT_DIR", str(second.path)])).train()
    assert list(first.stages) == list(second.stages)
    for one, other in zip(first.stages.values(), second.stages.values()):
        assert one.metrics.read_bytes() == other.metrics.read_bytes(), one.name
        assert one.metrics.read_bytes().strip(), one.name


@pytest.mark.parametrize("file", TABLES)
def test_every_row_of_every_table_resolves_with_every_profile(file, tmp_path):
    table = read_table(REPOSITORY / file)
    for profile, variants in table.profiles.items():
        plan = make_plan(table, tmp_path, [0], profile=profile)
        assert plan.variants == list(variants)
        rows = {row for _, row, _ in plan.results}
        assert rows == {name for name, row in table.rows.items() if not row.gap}
        for unit in plan.units.values():
            assert unit.config.DATASETS.ROOT.endswith("-mini"), unit.name


def test_there_are_files():
    assert len(FILES) > 10


@pytest.mark.parametrize("mini", [False, True], ids=["full", "mini"])
@pytest.mark.parametrize("file", TABLES)
def test_every_row_of_every_table_resolves(file, mini, tmp_path):
    table = read_table(REPOSITORY / file)
    rows = [row for row in table.rows.values() if not row.gap]
    if mini and not all(row.overlay or set(table.overlays) == set(table.variants) for row in rows):
        pytest.skip("a table that is run at full size only")
    plan = make_plan(table, tmp_path, [0], mini=mini)
    for variant in table.variants:
        for name, row in table.rows.items():
            assert row.gap or (variant, name, 0) in plan.results
    for unit in plan.units.values():
        assert unit.config.DATASETS.TRAIN and unit.config.LOSSES, unit.name  # no stage that only an overlay speaks of
        assert unit.config.DATASETS.ROOT.endswith("-mini") == mini, unit.name
