from __future__ import annotations

import pytest

from reidzoo.config import load_config, stage_configs
from reidzoo.errors import ConfigError

TOP = "METRICS: [mAP]\nTARGET: Market1501\n"


def test_a_stage_that_rows_share_is_one_unit_per_seed(plan):
    made = plan()
    stages = [(unit.stage, unit.seed) for unit in made.units.values()]
    once = ["first", "second", "second", "third"]
    assert stages == [(stage, seed) for seed in (0, 1) for stage in once]
    assert made.results["", "two", 0] != made.results["", "other", 0]
    last = made.units[made.results["", "last", 1]]
    assert (last.stage, last.needs) == ("third", (made.results["", "two", 1],))
    assert ("", "gap", 0) not in made.results


def test_needed_units_come_after_what_they_need(plan):
    made = plan(seeds=(3,))
    needed = made.needed([""], ["last"])
    assert [unit.stage for unit in needed.values()] == ["first", "second", "third"]
    assert [unit.seed for unit in needed.values()] == [3, 3, 3]
    assert not made.needed(["no such variant"], ["last"])


def test_units_are_run_seed_by_seed_in_the_order_of_the_rows(plan):
    made = plan()
    given = [(unit.seed, unit.stage) for unit in made.needed([""], ["two", "one", "last"]).values()]
    assert given == [(seed, stage) for seed in (0, 1) for stage in ("first", "second", "third")]
    backwards = list(made.needed([""], ["other", "two"]).values())
    assert [unit.key for unit in backwards[1:3]] == [made.results["", row, 0] for row in ("other", "two")]


def test_a_unit_is_a_plain_configuration_of_its_own(plan):
    made = plan()
    unit = made.units[made.results["", "two", 1]]
    cfg = load_config(unit.write())
    assert cfg.STAGES == {} and list(stage_configs(cfg)) == ["train"]
    assert cfg.SEED == 1 and str(unit.folder) == cfg.OUTPUT_DIR
    assert unit.name == f"second-{unit.key[:8]}-s1" and unit.folder.parent.name == "stages"
    first = made.units[unit.needs[0]].folder
    assert cfg.WEIGHTS.model == str(first / "model_final.pth")
    assert cfg.DATASETS.TRAIN.train[1].labels == str(first / "a.csv")
    assert cfg.DATASETS.ROOT == "data"


def test_a_row_may_refer_to_a_file_of_a_row_above(plan, table):
    text = (
        TOP
        + "ROWS:\n  a: {CONFIG: stages.yml, STAGE: second}\n  b: {CONFIG: stages.yml, STAGE: first, OVERRIDES: %s}\n"
    )
    train = "{type: PseudoLabeled, dataset: MSMT17, labels: 'row:%s/x.csv'}"
    other = "{STAGES: {first: {DATASETS: {TRAIN: {train: " + train + "}}}}}"
    made = plan(table(text % (other % "a")))
    above, row = (made.units[made.results["", name, 1]] for name in "ab")
    assert row.needs == (above.key,) and row.config.DATASETS.TRAIN.train.labels == str(above.folder / "x.csv")
    assert list(made.needed([""], ["b"]).values())[2:3] == [made.units[made.results["", "b", 0]]]
    again = plan(table(text % (other % "a")), opts=["STAGES.second.SOLVER.GRAD_CLIP", "2"])
    assert again.results["", "b", 1] != row.key  # another row above, another key
    with pytest.raises(ConfigError, match=r"ROWS\.b.*row:c: the row that is meant has to stand above this one"):
        plan(table(text % (other % "c")))


@pytest.mark.slow
def test_what_changes_the_key(plan):
    def key(**options):
        made = plan(**options)
        return made.results["", "last", 0]

    plain = key()
    assert key() == plain
    assert key(opts=["OUTPUT_DIR", "elsewhere", "DATALOADER.NUM_WORKERS", "2", "LOG.PERIOD", "7"]) == plain
    assert key(opts=["SOLVER.GRAD_CLIP", "0"]) == plain  # its default
    changed = [["STAGES.first.SOLVER.MAX_EPOCHS", "9"], ["DATASETS.TESTS", "[MSMT17]"], ["LOSSES.id.smoothing", "0.2"]]
    assert len({key(opts=opts) for opts in changed} | {plain}) == 4
    assert plan().results["", "last", 1] != plain


def test_what_wins_over_what(plan, table, write):
    text = (
        TOP + "OVERLAY: small.yml\nVARIANTS: {A: {SOLVER: {ITERS_PER_EPOCH: 9, CHECKPOINT_ITERS: 9}}}\n"
        "ROWS: {r: {CONFIG: stages.yml, STAGE: second, OVERRIDES: {SOLVER: {CHECKPOINT_ITERS: 4}}}}"
    )
    path = write("over.yml", "SOLVER: {MAX_EPOCHS: 7}")
    made = plan(table(text), mini=True, overlays=[path], opts=["SOLVER.GRAD_CLIP", "2"])
    solver = made.units[made.results["A", "r", 0]].config.SOLVER
    assert (solver.MAX_EPOCHS, solver.ITERS_PER_EPOCH, solver.CHECKPOINT_ITERS, solver.GRAD_CLIP) == (7, 9, 4, 2.0)


def test_variants_have_their_own_settings_and_a_row_runs_in_all_of_them_before_the_next(plan, table):
    rows = "ROWS: {r: {CONFIG: stages.yml, STAGE: first}, s: {CONFIG: stages.yml, STAGE: second}}"
    text = TOP + "VARIANTS: {A: {}, B: {SOLVER: {GRAD_CLIP: 1}}}\n" + rows
    made = plan(table(text))
    clips = {variant: made.units[made.results[variant, "r", 0]].config.SOLVER.GRAD_CLIP for variant in "AB"}
    assert clips == {"A": 0.0, "B": 1.0}
    units = list(made.needed(["A", "B"], ["r", "s"]).values())[:4]
    found = [(unit.seed, unit.stage, unit.config.SOLVER.GRAD_CLIP) for unit in units]
    assert found == [(0, "first", 0.0), (0, "first", 1.0), (0, "second", 0.0), (0, "second", 1.0)]


def test_a_profile_leaves_out_the_variants_it_does_not_name(plan, table, write):
    text = (
        TOP
        + "VARIANTS: {A: {}, B: {}}\nPROFILES: {part: {B: small.yml}}\nROWS: {r: {CONFIG: stages.yml, STAGE: second}}"
    )
    made = plan(table(text), profile="part")
    assert made.variants == ["B"] and made.units[made.results["B", "r", 0]].config.SOLVER.MAX_EPOCHS == 1
    assert plan(table(text)).variants == ["A", "B"]


def test_equal_stages_of_two_names_are_two_runs(plan, table, write):
    """A stage's name is in its random numbers, so that the same training under another name is another result."""
    write("twice.yml", "DATASETS: {TRAIN: {train: RandPerson}}\nSTAGES: {one: {}, two: {}}")
    made = plan(table(TOP + "ROWS: {a: {CONFIG: twice.yml, STAGE: one}, b: {CONFIG: twice.yml}}"), seeds=(0,))
    assert [unit.config.STREAM for unit in made.units.values()] == ["one", "two"]


def test_without_stages_and_with_an_overlay_that_speaks_of_some(plan, table, write):
    write("plain.yml", "DATASETS: {TRAIN: {train: RandPerson}}")
    made = plan(table(TOP + "OVERLAY: small.yml\nROWS: {a: {CONFIG: plain.yml}}"), mini=True)
    assert [unit.stage for unit in made.units.values()] == ["train", "train"]
    assert made.units[made.results["", "a", 0]].config.SOLVER.MAX_EPOCHS == 1


def test_sweeps_share_what_they_do_not_touch(plan, table):
    sweep = "{CONFIG: stages.yml, STAGE: second, KEY: STAGES.second.LOSSES.id.weight, VALUES: [0.5, 2]}"
    made = plan(table(TOP + f"SWEEPS: {{w: {sweep}}}"), seeds=(0,))
    assert [unit.stage for unit in made.units.values()] == ["first", "second", "second"]
    weights = [made.units[made.results["", f"w={value}", 0]].config.LOSSES.id.weight for value in ("0.5", "2")]
    assert weights == [0.5, 2]


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("{CONFIG: stages.yml, STAGE: secnd}", ["ROWS.a", "no stage secnd", "second?"]),
        ("{CONFIG: stages.yml, OVERRIDES: {SOLVER: {MAXX: 3}}}", ["ROWS.a", "table1.yml:3: unknown key SOLVER.MAXX"]),
        ('{CONFIG: stages.yml, OVERRIDES: {WEIGHTS: {x: "stage:gone"}}}', ["ROWS.a", "no stage gone"]),
        ('{CONFIG: stages.yml, OVERRIDES: {STAGES: {first: {WEIGHTS: {x: "stage:third"}}}}}', ["third -> second"]),
        ("{CONFIG: stages.yml, OVERRIDES: {_BASE_: b.yml}}", ["table1.yml:3", "_BASE_"]),
    ],
)
def test_mistakes_in_rows(plan, table, row, parts):
    with pytest.raises(ConfigError) as caught:
        plan(table(TOP + f"ROWS: {{a: {row}}}"))
    for part in parts:
        assert part in str(caught.value)


def test_done_and_time(plan):
    unit = next(iter(plan().units.values()))
    unit.folder.mkdir(parents=True)
    assert (unit.done, unit.seconds, unit.environment("commit")) == (False, 0.0, "unknown")
    unit.note(12.5, ["x"])
    (unit.folder / "results.json").write_text('{"A": {"mAP": 0.5}}')
    assert not unit.done
    (unit.folder / "model_final.pth").write_text("")
    (unit.folder / "environment.json").write_text('{"commit": "abc"}')
    assert (unit.done, unit.seconds, unit.environment("commit")) == (True, 12.5, "abc")
    assert unit.results() == {"A": {"mAP": 0.5}}


def test_a_stage_that_is_not_evaluated_is_done_without_results(plan, table):
    row = "{CONFIG: stages.yml, STAGE: first, OVERRIDES: {HOOKS: {evaluate: null}}}"
    unit = next(iter(plan(table(TOP + f"ROWS: {{a: {row}}}")).units.values()))
    unit.folder.mkdir(parents=True)
    assert not unit.done
    (unit.folder / "model_final.pth").write_text("")
    assert unit.done and unit.results() == {}


def test_each_unit_has_its_runs_seed_where_it_is_asked_for(table, plan):
    split = "    OVERRIDES: {DATASETS: {TESTS: [{type: VIPeR, split: 'run:seed'}]}}\n"
    made = plan(table(TOP + "ROWS:\n  a:\n    CONFIG: stages.yml\n    STAGE: first\n" + split), seeds=(0, 4))
    assert [unit.config.DATASETS.TESTS[0]["split"] for unit in made.units.values()] == [0, 4]
