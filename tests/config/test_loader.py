from __future__ import annotations

from pathlib import Path

import pytest
from yacs.config import CfgNode

from reidzoo.config import dump, get_cfg, load_config, stage_configs
from reidzoo.config.sources import Source
from reidzoo.errors import ConfigError
from reidzoo.tables import is_table
from reidzoo.yaml_marks import parse_yaml

STAGES = """
    SOLVER: {MAX_EPOCHS: 30}
    LOSSES:
      id: {type: A, weight: 1}
      tri: {type: T, margin: 0.3}
    STAGES:
      label: {SOLVER: {MAX_EPOCHS: 5}, LOSSES: {tri: null}}
      train:
        LOSSES: {mix: {type: M}}
        HEAD: {type: Linear, dim: 8}
      test: {}
"""


def test_the_result_is_frozen(load):
    cfg = load("SEED: 1")
    assert isinstance(cfg, CfgNode)
    with pytest.raises(AttributeError):
        cfg.SOLVER.MAX_EPOCHS = 3
    with pytest.raises(AttributeError):
        cfg.HEAD.type = "B"
    with pytest.raises(AttributeError):
        stage_configs(cfg)["train"].HEAD.type = "B"


def test_folders_stay_relative_to_the_working_directory(write):
    cfg = load_config(write("p/a.yml", "OUTPUT_DIR: out\nDATASETS: {ROOT: data}"))
    assert (cfg.OUTPUT_DIR, cfg.DATASETS.ROOT) == ("out", "data")


def test_the_run_s_folder_is_named_by_the_file_that_is_loaded(write, tmp_path, monkeypatch):
    path = write("project/base.yml", "SEED: 1")
    assert load_config(path).OUTPUT_DIR == "output/project/base"
    assert load_config(write("project/mini.yml", "_BASE_: base.yml")).OUTPUT_DIR == "output/project/mini"
    staged = load_config(write("project/stages.yml", "STAGES: {a: {SEED: 1}, b: {}}"))
    assert [stage.OUTPUT_DIR for stage in stage_configs(staged).values()] == ["output/project/stages"] * 2
    monkeypatch.chdir(tmp_path / "project")
    assert load_config("base.yml").OUTPUT_DIR == load_config("../project/base.yml").OUTPUT_DIR == "output/project/base"


def test_what_is_said_of_the_run_s_folder_wins_over_its_default(write):
    path = write("project/a.yml", "")
    assert load_config(path, ["OUTPUT_DIR", "there"]).OUTPUT_DIR == "there"
    assert load_config(path, overlays=[write("over.yml", "OUTPUT_DIR: over")]).OUTPUT_DIR == "over"
    assert load_config(path, overlays=[write("small.yml", "SEED: 2")]).OUTPUT_DIR == "output/project/a"
    write("project/base.yml", "OUTPUT_DIR: base")
    assert load_config(write("project/b.yml", "_BASE_: base.yml")).OUTPUT_DIR == "base"


def test_a_saved_configuration_keeps_the_run_s_folder(write):
    saved = write("output/project/a/config.yml", dump(load_config(write("project/a.yml", "SEED: 1"))))
    assert "OUTPUT_DIR: output/project/a\n" in saved.read_text()
    assert load_config(saved).OUTPUT_DIR == "output/project/a"


# Stages


def test_without_stages_there_is_one_named_train(load):
    cfg = load("SEED: 3")
    stages = stage_configs(cfg)
    assert list(stages) == ["train"]
    assert stages["train"].SEED == 3
    assert "STAGES" not in stages["train"]
    assert cfg.STAGES == {}


def test_a_stage_is_the_file_with_its_overrides(load):
    cfg = load(STAGES)
    stages = stage_configs(cfg)
    assert list(stages) == list(cfg.STAGES) == ["label", "train", "test"]
    assert [stage.SOLVER.MAX_EPOCHS for stage in stages.values()] == [5, 30, 30]
    assert [list(stage.LOSSES) for stage in stages.values()] == [["id"], ["id", "tri", "mix"], ["id", "tri"]]
    assert stages["train"].HEAD == {"type": "Linear", "dim": 8}
    assert stages["test"].HEAD == {"type": "BNNeck"}
    assert cfg.STAGES.label == {"SOLVER": {"MAX_EPOCHS": 5}, "LOSSES": {"tri": None}}
    assert cfg.STAGES.test == {}


def test_stages_may_be_a_list(load):
    text = "STAGES:\n- {NAME: b, SEED: 1}\n- NAME: a\n  SEED: 2"
    assert [(name, stage.SEED) for name, stage in stage_configs(load(text)).items()] == [("b", 1), ("a", 2)]


def test_a_base_files_stages_merge_by_name(write):
    write("base.yml", "STAGES: {label: {SEED: 1, LOG: {PERIOD: 1}}, train: {SEED: 2}}")
    cfg = load_config(write("a.yml", "_BASE_: base.yml\nSEED: 9\nSTAGES: {label: {SEED: 3}}"))
    assert list(cfg.STAGES) == ["label", "train"]
    stages = stage_configs(cfg)
    assert (stages["label"].SEED, stages["label"].LOG.PERIOD, stages["train"].SEED) == (3, 1, 2)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("{c: {}}", ["a", "b", "c"]),
        ("{b: {}}", ["a", "b"]),
        ("{b: {}, a: {}}", ["b", "a"]),
        ("{c: {}, b: {}, a: {}}", ["c", "b", "a"]),
        ("{c: {}, a: {}}", ["a", "b", "c"]),
        ("{a: null}", ["b"]),
        ("{b: {}, c: {}, a: null}", ["b", "c"]),
        ("null", ["train"]),
    ],
)
def test_the_order_of_stages(write, text, order):
    write("base.yml", "STAGES: {a: {SEED: 1}, b: {SEED: 2}}")
    assert list(stage_configs(load_config(write("a.yml", f"_BASE_: base.yml\nSTAGES: {text}")))) == order


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STAGES:\n  a:\n    SOLVER:\n      MAXX: 1", "a.yml:4: unknown key STAGES.a.SOLVER.MAXX; did you mean "
         "STAGES.a.SOLVER.MAX_EPOCHS?"),
        ("STAGES:\n  a:\n    SEED: x", "a.yml:3: STAGES.a.SEED: expected an integer, got the string 'x'"),
        ("STAGES:\n  a: {LOSSES: {id: null}}", "a.yml:2: STAGES.a.LOSSES.id: null deletes an entry, and there is none "
         "of this name"),
        ("STAGES:\n  a: {LOSSES: {id: {w: 1}}}", "a.yml:2: STAGES.a.LOSSES.id has no type, so STAGES.a.LOSSES.id.w "
         "must be a mapping with one; got 1"),
        ("STAGES:\n  a: 5", "a.yml:2: STAGES.a: expected a mapping of what differs in the stage"),
        ("STAGES:\n  a:", "a.yml:2: STAGES.a: null deletes a stage, {} is one without overrides; there is no stage a; "
         "stages: none"),
        ("STAGES: 5", "a.yml:1: STAGES: expected a mapping of stage names to what differs in them"),
        ("STAGES: [{SEED: 1}]", "a.yml:1: STAGES: expected a stage with a NAME"),
        ("STAGES:\n- {NAME: a}\n- {NAME: a}", "a.yml:3: duplicate stage a"),
        ("STAGES: {a/b: {}}", "a.yml:1: STAGES.a/b: a stage's name is made of letters, digits, _ and -"),
        ("STAGES: {a: {PLUGINS: []}}", "a.yml:1: STAGES.a.PLUGINS: PLUGINS stands at the top of a file only"),
        ("STAGES: {a: {STAGES: {}}}", "a.yml:1: STAGES.a.STAGES: STAGES stands at the top of a file only"),
        ("STAGES: {a: {_BASE_: x}}", "a.yml:1: STAGES.a._BASE_: _BASE_ stands at the top of a file only"),
    ],
)  # fmt: skip
def test_a_wrong_stage(fails, text, message):
    assert fails(text) == message


def test_an_override_means_every_stage(load):
    cfg = load(STAGES, "SOLVER.MAX_EPOCHS", "1")
    assert cfg.SOLVER.MAX_EPOCHS == 1
    assert [stage.SOLVER.MAX_EPOCHS for stage in stage_configs(cfg).values()] == [1, 1, 1]


def test_an_override_of_one_stage_wins_over_one_of_all(load):
    cfg = load(STAGES, "STAGES.train.SOLVER.MAX_EPOCHS", "2", "SOLVER.MAX_EPOCHS", "1")
    assert [stage.SOLVER.MAX_EPOCHS for stage in stage_configs(cfg).values()] == [1, 2, 1]


def test_an_override_reaches_the_stages_that_have_the_entry(load):
    cfg = load(STAGES, "LOSSES.tri.margin", "1", "LOSSES.mix.weight", "3", "HEAD.dim", "4")
    stages = stage_configs(cfg)
    assert "tri" not in stages["label"].LOSSES
    assert stages["train"].LOSSES.tri.margin == stages["test"].LOSSES.tri.margin == 1
    assert stages["train"].LOSSES.mix == {"type": "M", "weight": 3}
    assert "mix" not in stages["test"].LOSSES
    assert [stage.HEAD.dim for stage in stages.values()] == [4, 4, 4]


def test_an_override_may_delete_and_replace_in_stages(load):
    stages = stage_configs(load(STAGES, "LOSSES.tri", "null", "STAGES.train.LOSSES.mix", "null", "HEAD.type", "Other"))
    assert [list(stage.LOSSES) for stage in stages.values()] == [["id"]] * 3
    assert [stage.HEAD for stage in stages.values()] == [{"type": "Other"}] * 3


def test_an_override_may_add_or_delete_stages(load):
    assert list(load(STAGES, "STAGES.extra", "{SEED: 1}").STAGES) == ["label", "train", "test", "extra"]
    assert list(load(STAGES, "STAGES.label", "null").STAGES) == ["train", "test"]
    assert load(STAGES, "STAGES", "null").STAGES == {}


def test_wrong_overrides_of_stages(fails):
    assert fails(STAGES, "STAGES.lable.SEED", "1") == (
        "override STAGES.lable.SEED: STAGES.lable: there is no stage lable; did you mean label?"
    )
    assert fails(STAGES, "STAGES.label.LOSSES.tri.margin", "1") == (
        "override STAGES.label.LOSSES.tri.margin: STAGES.label.LOSSES.tri: the stage deletes this entry"
    )
    assert fails(STAGES, "STAGES.train.LOSSES.mixx.weight", "1") == (
        "override STAGES.train.LOSSES.mixx.weight: STAGES.train.LOSSES.mixx: no such entry, and a new one needs a "
        "type; did you mean STAGES.train.LOSSES.mix?"
    )
    assert fails(STAGES, "STAGES.train.SEED", "x") == (
        "override STAGES.train.SEED: expected an integer, got the string 'x'"
    )
    assert fails(STAGES, "LOSSES.trii.margin", "1") == (
        "override LOSSES.trii.margin: LOSSES.trii: no such entry, and a new one needs a type; did you mean LOSSES.tri?"
    )


def test_an_override_that_no_stage_can_take_is_an_error(fails):
    text = "LOSSES: {tri: {type: T}}\nSTAGES: {a: {LOSSES: {tri: null}}}"
    assert fails(text, "LOSSES.tri.margin", "1") == (
        "override LOSSES.tri.margin: STAGES.a.LOSSES.tri: the stage deletes this entry"
    )


# Overlays


def test_an_overlay_wins_over_the_file_in_every_stage_and_loses_to_overrides(write, load):
    write("mini/base.yml", "LOG: {PERIOD: 1}")
    write("mini/mini.yml", "_BASE_: base.yml\nSOLVER: {MAX_EPOCHS: 1}\nSTAGES: {train: {SOLVER: {MAX_EPOCHS: 2}}}")
    cfg = load(STAGES, overlays=["mini/mini.yml"])
    assert [stage.SOLVER.MAX_EPOCHS for stage in stage_configs(cfg).values()] == [1, 2, 1]
    assert cfg.LOG.PERIOD == 1
    cfg = load(STAGES, "SOLVER.MAX_EPOCHS", "7", overlays=["mini/mini.yml"])
    assert [stage.SOLVER.MAX_EPOCHS for stage in stage_configs(cfg).values()] == [7, 7, 7]


def test_later_overlays_win(write, load):
    write("b.yml", "SEED: 2")
    write("c.yml", "SEED: 3")
    assert load("SEED: 1", overlays=["b.yml", "c.yml"]).SEED == 3


def test_an_overlay_does_not_bring_back_what_a_stage_deleted(write, load):
    write("mini.yml", "LOSSES: {tri: {type: Other}}\nDATASETS: {TRAIN: {target: [Small]}}")
    text = """
        DATASETS: {TRAIN: {source: [S], target: [T]}}
        LOSSES: {tri: {type: T}}
        STAGES:
          a: {LOSSES: {tri: null}, DATASETS: {TRAIN: {target: null}}}
          b: {}
    """
    stages = stage_configs(load(text, overlays=["mini.yml"]))
    assert (stages["a"].LOSSES, stages["a"].DATASETS.TRAIN) == ({}, {"source": ["S"]})
    assert stages["b"].LOSSES.tri.type == "Other"
    assert stages["b"].DATASETS.TRAIN.target == ["Small"]


def test_an_overlay_may_be_a_mapping(load, fails):
    overlay = {"SOLVER": {"MAX_EPOCHS": 3}, "STAGES": {"label": {"SEED": 5}, "new": {"LOSSES": {"id": {"weight": 2}}}}}
    stages = stage_configs(load(STAGES, overlays=[overlay]))
    assert [stage.SOLVER.MAX_EPOCHS for stage in stages.values()] == [3, 3, 3, 3]
    assert stages["label"].SEED == 5 and stages["new"].LOSSES.id == {"type": "A", "weight": 2}
    assert fails(overlays=[{"SOLVER": {"MAXX": 1}}]).startswith("overlay: unknown key SOLVER.MAXX")
    assert "_BASE_" in fails(overlays=[{"_BASE_": "b.yml"}])


def test_an_overlay_may_have_a_place_of_its_own(fails):
    tree = parse_yaml("ROWS:\n  SOLVER: {MAXX: 2}", lambda line: f"table.yml:{line}").value["ROWS"]
    assert fails(overlays=[Source(tree, Path.cwd())]).startswith("table.yml:2: unknown key SOLVER.MAXX")


# One stage of several

CHAIN = """
    STAGES:
      a: {SEED: 1}
      b: {WEIGHTS: {model: "stage:a"}, DATASETS: {TRAIN: {t: [{type: P, labels: "stage:a/l.csv"}]}}}
      c: {WEIGHTS: {model: "stage:b"}}
      d: {}
"""


@pytest.mark.parametrize(("stage", "kept"), [("a", "a"), ("b", "ab"), ("c", "abc"), ("d", "d"), (None, "abcd")])
def test_a_stage_is_kept_with_those_it_refers_to(write, stage, kept):
    assert list(load_config(write("a.yml", CHAIN), stage=stage).STAGES) == list(kept)


def test_an_overlay_may_speak_of_stages_that_are_not_needed(write):
    overlay = {"STAGES": {"d": {"SEED": 4}, "gone": {"CLUSTERER": {"k1": 3}}}}  # no type: it could not be built
    cfg = load_config(write("a.yml", CHAIN), overlays=[overlay], stage="d")
    assert {name: stage.SEED for name, stage in stage_configs(cfg).items()} == {"d": 4}
    with pytest.raises(ConfigError, match="CLUSTERER has no type"):
        load_config(write("a.yml", CHAIN), overlays=[overlay])
    plain = load_config(write("b.yml", "SEED: 7"), overlays=[overlay], stage="train")
    assert plain.STAGES == {} and stage_configs(plain)["train"].SEED == 7


def test_a_stage_that_is_not_there(write):
    with pytest.raises(ConfigError, match="there is no stage e; stages: a, b, c, d"):
        load_config(write("a.yml", CHAIN), stage="e")
    with pytest.raises(ConfigError, match=r"STAGES\.a: there is no stage labl"):
        load_config(write("a.yml", "STAGES: {a: {WEIGHTS: {model: 'stage:labl'}}}"), stage="a")
    with pytest.raises(ConfigError, match="there is no stage train"):
        load_config(write("a.yml", CHAIN), stage="train")


def test_errors_of_an_overlay_have_its_file(write, fails):
    write("mini.yml", "\nSOLVER: {MAXX: 1}")
    assert fails(overlays=["mini.yml"]).startswith("mini.yml:2: unknown key SOLVER.MAXX")


# Dump


def same(one, other):
    assert one == other
    assert dump(one) == dump(other)
    assert {name: dump(stage) for name, stage in stage_configs(one).items()} == {
        name: dump(stage) for name, stage in stage_configs(other).items()
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        STAGES,
        "INPUT: {TRANSFORMS: {erase: null, gray: {type: Gray}}}",
        "INPUT: {TRANSFORMS: {normalize: {}, flip: {}, erase: null, crop: {}}}",
        "STAGES: {a: {OPTIMIZERS: {model: {type: SGD, lr: 1.0, momentum: 0.9}}}}",
        "INPUT: {TRANSFORMS: null}\nHEAD: null\nHOOKS: null",
        "INPUT: {TRANSFORMS: {normalize: {}, flip: {}, erase: {}, crop: {}}}",
        "BACKBONE: {_REPLACE_: true, type: ResNet, pretrained: null}",
        "MODEL: {type: Other, x: {y: [1, {z: '010'}]}, BN_GROUP: 16}",
        "STAGES: {a: {INPUT: {TRANSFORMS: {normalize: {}, flip: {}, erase: {}, crop: {}}}}, b: {CLUSTERER: {type: D}}}",
        "CLUSTERER: {type: D, eps: 1}\nSTAGES: {a: {CLUSTERER: null, HEAD: null}, b: "
        "{CLUSTERER: {_REPLACE_: true, type: D}}}",
        "STAGES: {a: {MODEL: {_REPLACE_: true, type: Embedder, x: null, WEIGHTS: w}}, b: "
        "{BACKBONE: {pretrained: null}}}",
        "WEIGHTS: {model: x}\nSTAGES: {a: {WEIGHTS: {model: null}}, b: {WEIGHTS: {model: 'stage:a', head: b}}}",
        "DATASETS: {TESTS: [A, {type: B, x: 1e-5}], TRAIN: {t: [{type: C}]}}\nSTAGES: {a: {DATASETS: {TESTS: []}}}",
        "OUTPUT_DIR: 'no'\nWEIGHTS_IGNORE: ['on', '1', '~', 'a.*', 'null']",
    ],
)
def test_a_dump_loads_as_the_same_configuration(write, load, text):
    cfg = load(text)
    again = load_config(write("elsewhere/config.yml", dump(cfg)))
    same(cfg, again)
    for name, stage in stage_configs(cfg).items():
        again = load_config(write("stage.yml", dump(stage)))
        assert dump(stage_configs(again)["train"]) == dump(stage), name


def test_a_dump_with_overrides_of_stages_loads_as_the_same(write, load):
    cfg = load(STAGES, "SOLVER.MAX_EPOCHS", "1", "STAGES.train.HEAD", "{type: X}", "LOSSES.tri.margin", "2")
    same(cfg, load_config(write("b.yml", dump(cfg))))


def test_a_dump_starts_with_replace_and_keeps_the_order_of_the_defaults(load):
    lines = dump(load("SEED: 1")).splitlines()
    assert lines[:3] == ["_REPLACE_: true", "PLUGINS: []", "SEED: 1"]
    keys = [line.partition(":")[0] for line in lines if line[0] not in " _"]
    assert keys == list(get_cfg())


def test_a_dump_has_absolute_plugin_paths(write, tmp_path, monkeypatch):
    write("p/zplug.py", "def add_config(cfg): cfg.MINE = 1")
    cfg = load_config(write("p/a.yml", "PLUGINS: [./zplug]\nMINE: 2"))
    path = write("q/config.yml", dump(cfg))
    assert str(tmp_path / "p" / "zplug") in path.read_text()
    monkeypatch.chdir(tmp_path / "q")
    same(cfg, load_config("config.yml"))


def test_a_dump_over_another_file_replaces_its_stages(write, load):
    write("dump.yml", dump(load("STAGES: {x: {SEED: 1}}")))
    write("other.yml", "STAGES: {y: {}, z: {}}\nLOSSES: {id: {type: A}}")
    cfg = load_config(write("c.yml", "_BASE_: [other.yml, dump.yml]"))
    assert list(cfg.STAGES) == ["x"]
    assert cfg.LOSSES == {}


def test_registry_builds_from_a_node(load):
    from reidzoo.registry import Registry

    registry = Registry("PART", "reidzoo.config")

    class Part:
        def __init__(self, size: int, inputs: dict) -> None:
            self.size, self.inputs = size, inputs

    registry.register_module(module=Part)
    part = registry.build(load("HEAD: {type: Part, size: 2, inputs: {x: feat}}").HEAD)
    assert (part.size, dict(part.inputs)) == (2, {"x": "feat"})


@pytest.mark.slow
def test_every_configuration_of_this_repository_loads():
    root = Path(__file__).parents[2]
    files = [path for top in ("configs", "projects") for path in sorted((root / top).rglob("*.yml"))]
    # Not what single runs gave, nor overlays and papers' tables, which are no configurations by themselves.
    files = [
        path for path in files if not path.name.startswith(("results", "small", "mobilenet")) and not is_table(path)
    ]
    for path in files:
        load_config(path)
    assert files
