"""Every YAML in the repository is built, and every phase of every stage takes a step on random data.

Three kinds of files are no configurations of their own: ``results*.yml`` are records, ``small*.yml`` and
``mobilenet*.yml`` are overlays, on which ``mini*.yml`` and the tables stand, and ``table*.yml`` and ``sweeps*.yml`` are
tables, each row of which is resolved.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

from reidzoo.config import dump, load_config, stage_configs
from reidzoo.engine.run_folder import RunFolder
from reidzoo.runs.dry_run import DryRun
from reidzoo.runs.pipeline import Pipeline
from reidzoo.tables import make_plan, read_table
from reidzoo.trainers import Trainer

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent
YAMLS = (path for folder in ("configs", "projects") for path in (REPOSITORY / folder).rglob("*.yml"))
NAMES = sorted(str(path.relative_to(REPOSITORY)) for path in YAMLS)
OTHERS = ("results", "small", "mobilenet", "table", "sweeps")
FILES = [name for name in NAMES if not Path(name).stem.startswith(OTHERS)]
TABLES = [name for name in NAMES if Path(name).stem.startswith(("table", "sweeps"))]


@pytest.fixture
def steps(monkeypatch):
    """The steps that are taken; each has to move something."""
    taken, step = [], Trainer.train_step

    def checked_step(trainer, batch):
        before = {key: value.detach().clone() for key, value in trainer.parts.named_parameters()}
        scalars = step(trainer, batch)
        assert any(not torch.equal(value, before[key]) for key, value in trainer.parts.named_parameters())
        taken.append(trainer.phase)
        return scalars

    monkeypatch.setattr(Trainer, "train_step", checked_step)
    return taken


SLIM = {
    "ResNet": {"width": 8},
    "DualBranchResNet": {"width": 8},
    "OSNet": {"width": 0.25},
    "VGG": {"width": 16},
    "StarGANGenerator": {"width": 16},
    "StarGANDiscriminator": {"width": 16},
}
"""What makes a network narrow: its modules and their names stay."""


def networks(file):
    """Return the nodes of a file's networks by their places, and what tells a folder's files with other ones apart."""
    cfg = load_config(REPOSITORY / file)
    nodes = {"BACKBONE": cfg.BACKBONE, "MODEL": cfg.MODEL}
    nodes |= {f"MODEL.{key}": node for key, node in cfg.MODEL.items() if isinstance(node, dict)}
    nodes |= {f"DISCRIMINATORS.{key}": node for key, node in cfg.DISCRIMINATORS.items()}
    return nodes, (Path(file).parent.parts[:2], str(cfg.BACKBONE), str(cfg.MODEL))


@functools.cache
def with_full_networks():
    """Return the last file of each folder and each network; its networks are those of the paper, others' are slim."""
    return set({networks(file)[1]: file for file in FILES}.values())


def small(file, tiny_root):
    """Return the overrides that let a file train in a second on the tiny datasets."""
    overrides = ["DATASETS.ROOT", str(tiny_root), "DEVICE", "cpu", "INPUT.SIZE", "[64, 32]", "DATALOADER.CACHE", "off"]
    overrides += ["SOLVER.IMS_PER_BATCH", "16", "SOLVER.ITERS_PER_EPOCH", "1"]
    nodes, _ = networks(file)
    for place, node in nodes.items():
        if node.get("pretrained"):
            overrides += [f"{place}.pretrained", ""]
        if node.get("name", "").startswith("vit_base"):  # whose twelve layers are alike
            overrides += [f"{place}.options.depth", "2"]
        for key, value in SLIM.get(node.get("type"), {}).items() if file not in with_full_networks() else ():
            overrides += [f"{place}.{key}", str(value)]
    if "MODEL.prompts" in nodes:
        overrides += ["MODEL.prompts.layers", "1"]
    plain = load_config(REPOSITORY / file)
    if plain.INPUT.TRANSFORMS.get("crop", {}).get("type") == "RandomCrop":  # of images that are larger than the pieces
        overrides += ["INPUT.SIZE", "[72, 72]", "INPUT.TRANSFORMS.crop.size", "[64, 64]"]
    if "type: Thinned" in (REPOSITORY / file).read_text():  # the tiny sets have three cameras
        overrides += ["DATASETS.TRAIN.train.dataset.shares", "[3, 2, 1]"]
    return overrides


@pytest.mark.parametrize("file", FILES)
def test_every_stage_takes_a_step(file, tiny_root, tmp_path, steps):
    pipeline = Pipeline(load_config(REPOSITORY / file, opts=[*small(file, tiny_root), "OUTPUT_DIR", str(tmp_path)]))
    stages = {name: cfg for name, cfg in pipeline.stages.items() if cfg.DATASETS.TRAIN}  # others name a fragment's data
    dry_run = DryRun(stages, pipeline.folder.stages, torch.device("cpu")).run()
    assert dry_run.findings.texts() == []
    assert not any("was not tried" in note for note in dry_run.notes)
    assert bool(steps) == bool(stages)


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
