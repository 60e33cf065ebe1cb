"""Every YAML in the repository is built, and every phase of every stage takes a step on random data.

Three kinds of files are no configurations of their own: ``results*.yml`` are records, ``small*.yml`` and
``mobilenet*.yml`` are overlays, on which ``mini*.yml`` and the tables stand, and ``table*.yml`` and ``sweeps*.yml`` are
tables, each row of which is resolved.
"""

from __future__ import annotations

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


@pytest.mark.parametrize("file", FILES)
def test_every_stage_takes_a_step(file, tiny_root, tmp_path, steps):
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
    for key in ("gallery_backbone", "prompts"):  # of a model with more than one
        if plain.MODEL.get(key, {}).get("pretrained"):
            overrides += [f"MODEL.{key}.pretrained", ""]
    if plain.BACKBONE.get("name", "").startswith("vit_base"):  # whose twelve layers are alike
        overrides += ["BACKBONE.options.depth", "2"]
    if "prompts" in plain.MODEL:
        overrides += ["MODEL.prompts.layers", "1"]
    if plain.INPUT.TRANSFORMS.get("crop", {}).get("type") == "RandomCrop":  # of images that are larger than the pieces
        overrides += ["INPUT.SIZE", "[72, 72]", "INPUT.TRANSFORMS.crop.size", "[64, 64]"]
    if "type: Thinned" in (REPOSITORY / file).read_text():  # the tiny sets have three cameras
        overrides += ["DATASETS.TRAIN.train.dataset.shares", "[3, 2, 1]"]
    pipeline = Pipeline(load_config(REPOSITORY / file, opts=overrides))
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
