from __future__ import annotations

import json
import shutil

import pytest

from reidzoo.errors import UserError
from reidzoo.tables import Record, collect, render
from reidzoo.tables.statistics import interval, seeds_needed


def finish(unit, dataset="Market1501 twin", probe=None, **figures):
    """Write what a finished run leaves."""
    unit.folder.mkdir(parents=True, exist_ok=True)
    results = {dataset: figures, **({"probe": {"accuracy": probe}} if probe else {})}
    (unit.folder / "results.json").write_text(json.dumps(results))
    (unit.folder / "model_final.pth").write_text("")
    (unit.folder / "environment.json").write_text('{"commit": "abcdef1234"}')
    unit.note(30.0, [])


def finish_row(plan, row, values, **options):
    for seed, value in values.items():
        finish(plan.units[plan.results["", row, seed]], **{"mAP": value, "rank-1": value + 0.1, **options})


def found(results, row):
    return next(entry for entry in results["rows"] if entry["name"] == row)["variants"][""]


def test_figures_and_claims_follow_from_the_seeds(table, plan):
    read, made = table(), plan(seeds=range(4))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44, 3: 0.41})
    finish_row(made, "two", {0: 0.43, 1: 0.43, 2: 0.46})
    results = collect(read, made, range(4), "the command")
    one = found(results, "one")
    assert one["metrics"]["mAP"]["values"] == pytest.approx({"0": 40.0, "1": 42.0, "2": 44.0, "3": 41.0})
    assert one["metrics"]["mAP"]["mean"] == pytest.approx(41.75)
    assert one["metrics"]["mAP"]["interval"] == list(interval([40.0, 42.0, 44.0, 41.0]))
    assert one["paper"] == {"mAP": 40.0} and one["done"] == 4
    (claim,) = results["claims"]
    assert claim["values"] == pytest.approx({"0": 3.0, "1": 1.0, "2": 2.0})  # paired: seed 3 has no partner yet
    assert claim["mean"] == pytest.approx(2.0) and claim["paper"] == 2.5 and claim["verdict"] == "holds"
    assert claim["needed"] == seeds_needed([3.0, 1.0, 2.0], 2.5) != seeds_needed([3.0, 1.0, 2.0], 0.0)
    assert results["twins"] and results["environment"]["command"] == "the command"
    assert results["environment"]["commits"] == ["abcdef1234"]
    assert (results["environment"]["units"], results["environment"]["seconds"]) == (7, 210)
    assert json.loads(json.dumps(results)) == results


def test_epochs_kept_by_early_stopping_and_threads_are_told(table, plan):
    read, made = table(), plan(seeds=range(3))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44})
    for seed, kept in enumerate((7, 3, 9)):
        folder = made.units[made.results["", "one", seed]].folder
        results = json.loads((folder / "results.json").read_text())
        results["validation"] = {"loss": 1.0, "kept_epoch": kept, "untrained": int(seed == 1)}
        (folder / "results.json").write_text(json.dumps(results))
        (folder / "environment.json").write_text(json.dumps({"commit": "a", "torch": "2.0", "threads": "3"}))
    results = collect(read, made, range(3), "")
    assert results["environment"]["run_threads"] == ["3"] and results["environment"]["torch"] == "2.0"
    (stage,) = found(results, "one")["stops"]
    text = f"{stage} 7, 3, 9 (its model is that of the stage before at seed 1)"
    assert f"Epochs that early stopping kept, seed by seed: {text}." in render(results)


def test_a_row_that_was_stopped_is_named_where_others_were_not(table, plan):
    read, made = table(), plan(seeds=range(1))
    finish_row(made, "one", {0: 0.40})
    finish_row(made, "two", {0: 0.42})
    folder = made.units[made.results["", "two", 0]].folder
    kept = {**json.loads((folder / "results.json").read_text()), "validation": {"kept_epoch": 3, "untrained": 0}}
    (folder / "results.json").write_text(json.dumps(kept))
    assert "Epochs that early stopping kept, seed by seed: second 3 in The second." in render(
        collect(read, made, range(1), "")
    )


def test_figures_on_record_stay_where_the_unit_is_the_same(table, plan, tmp_path):
    read, made = table(), plan(seeds=range(3))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44})
    folder = made.units[made.results["", "one", 1]].folder
    kept = {**json.loads((folder / "results.json").read_text()), "validation": {"kept_epoch": 3, "untrained": 0}}
    (folder / "results.json").write_text(json.dumps(kept))
    once = json.loads(json.dumps(collect(read, made, range(3), "")))
    assert once == collect(read, made, range(3), "", record=Record(once))
    shutil.rmtree(tmp_path / "out")  # another machine, on which the second row and a seed of the first have run
    finish_row(made, "one", {2: 0.50})
    finish_row(made, "two", {0: 0.43, 1: 0.43, 2: 0.46})
    both = collect(read, made, range(3), "", record=Record(once))
    assert found(both, "one")["metrics"]["mAP"]["values"] == pytest.approx({"0": 40.0, "1": 42.0, "2": 50.0})
    assert found(both, "one")["stops"] == found(once, "one")["stops"]
    assert found(both, "two")["done"] == 3 and both["claims"][0]["values"] == pytest.approx(
        {"0": 3.0, "1": 1.0, "2": -4.0}
    )
    assert both["environment"]["units"] == 6 and both["environment"]["seconds"] == 180
    once["environment"]["before"] = {"commits": ["a"], "torch": "2.0", "run_threads": ["1"], "units": 4, "seconds": 50}
    both = collect(read, made, range(3), "", record=Record(once))["environment"]
    assert (both["units"], both["seconds"], both["commits"]) == (10, 230, ["a", "abcdef1234"])
    assert both["torch"].startswith("2.0") and both["before"] == once["environment"]["before"]
    assert found(collect(read, made, range(3), ""), "one")["done"] == 1


def test_a_row_with_another_name_keeps_its_figures(table, plan, tmp_path):
    read, made = table(), plan(seeds=range(2))
    finish_row(made, "one", {0: 0.40, 1: 0.42})
    once = json.loads(json.dumps(collect(read, made, range(2), "")))
    shutil.rmtree(tmp_path / "out")
    renamed = {**once, "rows": [{**row, "name": f"former_{row['name']}"} for row in once["rows"]]}
    again = collect(read, made, range(2), "", record=Record(renamed))
    assert found(again, "one")["metrics"] == found(once, "one")["metrics"] and found(again, "two")["done"] == 0
    other = {**renamed, "environment": {"runs": once["environment"]["runs"]}}
    (tmp_path / "table2.json").write_text(json.dumps(other))  # of another table of the project
    (tmp_path / "transfer.json").write_text('{"rows": [{}]}')  # and what is no table
    beside = collect(read, made, range(2), "", record=Record.read(tmp_path / "table1.json"))
    assert found(beside, "one")["metrics"] == found(once, "one")["metrics"] and beside["environment"]["units"] == 2
    elsewhere = {**renamed, "rows": [{**row, "tested_on": "DukeMTMC twin"} for row in renamed["rows"]]}
    assert found(collect(read, made, range(2), "", record=Record(elsewhere)), "one")["done"] == 0


def test_figures_of_another_configuration_are_not_kept(table, plan):
    read, made = table(), plan(seeds=range(2))
    finish_row(made, "one", {0: 0.40, 1: 0.42})
    once = collect(read, made, range(2), "")
    changed = plan(seeds=range(2), opts=["SOLVER.GRAD_CLIP", "3"])
    again = collect(read, changed, range(2), "", record=Record(once))
    assert found(again, "one")["done"] == 0 and again["environment"]["units"] == 0
    older = {**once, "rows": [{**row, "variants": {"": {}}} for row in once["rows"]], "environment": {}}
    assert found(collect(read, changed, range(2), "", record=Record(older)), "one")["done"] == 0


def test_the_printed_table(table, plan):
    read, made = table(), plan(seeds=range(3))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44})
    finish_row(made, "two", {0: 0.43})
    text = render(collect(read, made, range(3), ""))
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[0] == "A table" and lines[1].split() == ["mAP", "paper", "rank-1", "paper", "seeds"]
    rows = [" ".join(line.split()) for line in lines[3:8]]
    assert rows == [
        "The first 42.0 [40.0, 44.0] 40.0 52.0 [50.0, 54.0] - 3",
        "The gap (not run: no data) - 41.0 - -",
        "The second 43.0 42.5 53.0 70.0 1 of 3",
        "other - - - - 0 of 3",
        "last - - - - 0 of 3",
    ]
    claim = next(line for line in lines if "<" in line)
    assert " ".join(claim.split()) == "The first < The second mAP +3.0 +2.5 undecided"
    assert "on rendered twins" in lines[-1] and "mean over 1 to 3 seeds" in lines[-1] and "75 %" in lines[-1]


def test_the_markdown_table(table, plan):
    read, made = table("METRICS: [mAP]\nTARGET: Market1501\nROWS: {a: {LABEL: x|y, CONFIG: stages.yml}}"), None
    made = plan(read, seeds=(0,))
    finish_row(made, "a", {0: 0.4}, dataset="Market1501")
    text = render(collect(read, made, [0], ""), "pipe")
    assert text.startswith("**table1**") and "| x\\|y | 40.0" in text
    assert "rendered twins" not in text and "one seed: no interval" in text


def test_in_markdown_rows_that_have_not_run_are_one_line(table, plan):
    read, made = table(), plan(seeds=range(3))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44})
    results = collect(read, made, range(3), "")
    text = render(results, "pipe")
    assert "\nNot run: The second; other; last.\n" in text and "The gap (not run: no data)" in text
    assert "| The second" not in text and "| claim" not in text
    assert "The second" in render(results) and "Not run:" not in render(results)


def test_the_caption_says_of_which_seeds_a_difference_is(table, plan):
    read, made = table(), plan(seeds=range(3))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44})
    finish_row(made, "two", {0: 0.43, 1: 0.43, 2: 0.46})
    assert "A < B is B - A, paired by seed; a claim" in render(collect(read, made, range(3), ""))
    finish_row(made, "last", {0: 0.4})
    assert "paired by seed, over the seeds that both rows have" in render(collect(read, made, range(3), ""))


def test_a_caption_may_name_the_page_that_explains(table, plan):
    read, made = table(), plan(seeds=range(3))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44})
    finish_row(made, "two", {0: 0.43, 1: 0.43, 2: 0.46})
    told = "Ours: on rendered twins, not on the paper's data, in percent, mean over {} seeds "
    told += "[95 % percentile bootstrap interval over seeds]"
    text = render(collect(read, made, range(3), ""), "pipe", explained_in="See there.")
    assert text.endswith(f"\n\n{told.format(3)}. See there.")
    finish_row(made, "last", {0: 0.4})
    text = render(collect(read, made, range(3), ""), "pipe", explained_in="See there.")
    assert text.endswith(f"{told.format('1 to 3')}; a difference is that of the seeds which both rows have. See there.")


def test_variants_without_values_appear_only_if_asked_for(table, plan):
    read = table(
        "METRICS: [mAP]\nTARGET: X\nVARIANTS: {A: {}, B: {SOLVER: {GRAD_CLIP: 1}}}\nROWS: {a: {CONFIG: stages.yml}}"
    )
    results = collect(read, plan(read), [0, 1], "")
    assert "\nA\n" in render(results) and "\nB\n" in render(results)  # nothing has values yet
    assert "\nA\n" not in render(results, variants=["B"]) and "\nB\n" in render(results, variants=["B"])


def test_a_figure_beside_the_target_need_not_be_there(table, plan):
    read = table(
        "METRICS: [mAP, probe/accuracy]\nTARGET: X\n"
        "ROWS: {a: {CONFIG: stages.yml}, b: {CONFIG: stages.yml, STAGE: first, PAPER: {mAP: 3}}}"
    )
    made = plan(read, seeds=(0,))
    finish_row(made, "a", {0: 0.4}, dataset="X", probe=0.75)
    finish_row(made, "b", {0: 0.4}, dataset="X")
    results = collect(read, made, [0], "")
    assert found(results, "a")["metrics"]["probe/accuracy"]["mean"] == 75.0
    assert found(results, "b")["metrics"]["probe/accuracy"]["mean"] is None and found(results, "b")["done"] == 1
    head = next(line for line in render(results).splitlines() if "mAP" in line)
    assert head.split() == ["mAP", "paper", "probe/accuracy", "seeds"]


VARIANTS = (
    "METRICS: [mAP]\nTARGET: X\nVARIANTS: {A: {}, B: {SOLVER: {GRAD_CLIP: 1}}}\nPROFILES: {part: {B: small.yml}}\n"
    "ROWS:\n  a: {CONFIG: stages.yml, STAGE: first, PAPER: {A: {mAP: 3}, B: {mAP: 5}}}\n"
    "  b: {CONFIG: stages.yml, PAPER: {A: {mAP: 4}, B: {mAP: 9}}}\nCLAIMS: [{WORSE: a, BETTER: b, METRIC: mAP}]\n"
)


def test_each_variant_has_its_own_figures_paper_and_claims(table, plan):
    read = table(VARIANTS)
    made = plan(read, seeds=range(3))
    for variant, share in {"A": 0.25, "B": 0.5}.items():
        for row, seeds in {"a": (0, 1), "b": (1, 2)}.items():
            for seed in seeds:
                finish(
                    made.units[made.results[variant, row, seed]], dataset="X", mAP=share / 2 if row == "a" else share
                )
    results = collect(read, made, range(3), "")
    (a, b), claims = (row["variants"] for row in results["rows"]), results["claims"]
    assert [a[name]["metrics"]["mAP"]["values"] for name in "AB"] == [{"0": 12.5, "1": 12.5}, {"0": 25.0, "1": 25.0}]
    assert [b[name]["metrics"]["mAP"]["mean"] for name in "AB"] == [25.0, 50.0]
    assert [(claim["variant"], claim["paper"], claim["values"]) for claim in claims] == [
        ("A", 1.0, {"1": 12.5}), ("B", 4.0, {"1": 25.0}),
    ]  # fmt: skip
    assert "a < b" in render(results) and render(results).count("a < b") == 2


def test_of_a_profile_the_title_says_so_and_claims_are_of_its_variants(table, plan):
    read = table(VARIANTS)
    results = collect(read, plan(read, profile="part"), [0], "", profile="part")
    assert results["title"] == "table1 (profile part)" and [claim["variant"] for claim in results["claims"]] == ["B"]
    assert collect(read, plan(read), [0], "")["title"] == "table1"


def test_claims_are_shown_with_the_variants_that_are(table, plan):
    read = table(VARIANTS)
    made = plan(read, seeds=(0,))
    finish(made.units[made.results["B", "a", 0]], dataset="X", mAP=0.5)
    (line,) = [line.split() for line in render(collect(read, made, [0], "")).splitlines() if "a < b" in line]
    assert line == ["a", "<", "b", "mAP,", "B", "-", "+4.0", "-"]


def test_a_figure_of_zero_is_one(table, plan):
    read, made = table(), plan(seeds=(0,))
    finish_row(made, "one", {0: 0.0})
    one = found(collect(read, made, [0], ""), "one")
    assert one["metrics"]["mAP"]["values"] == {"0": 0.0} and one["metrics"]["mAP"]["mean"] == 0.0


def test_a_datasets_name_is_not_the_beginning_of_anothers(table, plan):
    read, made = table(), plan(seeds=(0,))
    unit = made.units[made.results["", "one", 0]]
    finish(unit, dataset="Market1501Renamed twin", mAP=0.1)
    with pytest.raises(UserError, match="tested on Market1501Renamed twin only"):
        collect(read, made, [0], "")
    results = json.loads((unit.folder / "results.json").read_text())
    (unit.folder / "results.json").write_text(json.dumps({**results, "Market1501": {"mAP": 0.5}}))
    assert found(collect(read, made, [0], ""), "one")["metrics"]["mAP"]["values"] == {"0": 50.0}


def test_epochs_kept_in_the_stages_before_are_told_too(table, plan):
    read, made = table(), plan(seeds=(0,))
    finish_row(made, "two", {0: 0.4})
    finish_row(made, "one", {0: 0.4})
    first = made.units[made.results["", "one", 0]]
    results = json.loads((first.folder / "results.json").read_text())
    results["validation"] = {"kept_epoch": 7, "untrained": 0}
    (first.folder / "results.json").write_text(json.dumps(results))
    rows = collect(read, made, [0], "")
    assert found(rows, "two")["stops"] == {"first": {"kept_epoch": {"0": 7}, "untrained": {"0": 0}}}
    finish_row(made, "other", {0: 0.4})
    second = made.units[made.results["", "other", 0]]
    results = json.loads((second.folder / "results.json").read_text())
    results["validation"] = {"kept_epoch": 2, "untrained": 0}
    (second.folder / "results.json").write_text(json.dumps(results))
    text = render(collect(read, made, [0], ""))
    assert "seed by seed: first 7; second 2 in other." in text  # all have the first stage, so that it needs no names


def test_what_ran_here_is_told_of_and_not_what_is_on_record(table, plan, tmp_path):
    read, made = table(), plan(seeds=(0,))
    finish_row(made, "one", {0: 0.4})
    once = json.loads(json.dumps(collect(read, made, [0], "")))
    unit = made.units[made.results["", "one", 0]]
    (unit.folder / "environment.json").write_text('{"commit": "later", "threads": "2", "torch": "9"}')
    once["environment"]["before"] = {"commits": ["a"], "torch": "2.0", "run_threads": ["7"], "units": 4, "seconds": 50}
    both = collect(read, made, [0], "", record=Record(once))["environment"]
    assert both["commits"] == ["a", "later"] and both["run_threads"] == ["2", "7"] and both["torch"] == "2.0, 9"
    shutil.rmtree(tmp_path / "out")
    other = {"rows": [], "environment": {"runs": {unit.key: {**once["environment"]["runs"][unit.key], "commit": "x"}}}}
    again = collect(read, made, [0], "", record=Record(once, [other]))["environment"]
    assert again["runs"][unit.key]["commit"] == "abcdef1234"  # the table's own record before another's


def test_of_records_that_have_a_unit_that_with_most_of_the_metrics_counts(table, plan, tmp_path):
    read, made = table(), plan(seeds=(0,))
    finish_row(made, "one", {0: 0.4})
    once = json.loads(json.dumps(collect(read, made, [0], "")))
    shutil.rmtree(tmp_path / "out")
    fewer = json.loads(json.dumps(once))
    for row in fewer["rows"]:
        del row["variants"][""]["metrics"]["rank-1"]
    for own, beside in ((once, fewer), (fewer, once)):
        results = collect(read, made, [0], "", record=Record(own, [beside]))
        assert found(results, "one")["metrics"]["rank-1"]["mean"] == pytest.approx(50.0)


def test_a_share_that_training_logs_is_the_last_of_its_means(table, plan):
    read = table("METRICS: [mAP, training/neighbours/precision]\nTARGET: X\nROWS: {a: {CONFIG: stages.yml}}")
    made = plan(read, seeds=(0, 1))
    finish_row(made, "a", {0: 0.4, 1: 0.5}, dataset="X")
    rows = [
        {"epoch": 0, "step": 30, "neighbours/precision": 0.2},
        {"epoch": 1, "step": 30, "neighbours/precision": 0.8},
    ]
    rows += [{"epoch": 2, "evaluation": {"X": {"mAP": 0.4}}}]
    log = made.units[made.results["", "a", 0]].folder / "metrics.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shares = found(collect(read, made, [0, 1], ""), "a")["metrics"]["training/neighbours/precision"]
    assert shares["values"] == {"0": 80.0}  # seed 1 has no log


def test_a_target_that_was_not_tested_on(table, plan):
    read, made = table(), plan()
    finish_row(made, "one", {0: 0.4}, dataset="MSMT17")
    with pytest.raises(UserError, match=r"ROWS\.one.*Market1501.*MSMT17"):
        collect(read, made, [0], "")


def test_results_that_are_older_than_a_metric_show_a_dash(table, plan):
    read = table("METRICS: [mAP, rank-20]\nTARGET: X\nROWS: {a: {CONFIG: stages.yml, PAPER: {rank-20: 80}}}\n")
    made = plan(read, seeds=(0, 1))
    finish_row(made, "a", {0: 0.4}, dataset="X")
    finish_row(made, "a", {1: 0.5}, dataset="X", **{"rank-20": 0.75})
    results = collect(read, made, [0, 1], "")
    assert found(results, "a")["metrics"]["rank-20"]["values"] == {"1": 75.0} and found(results, "a")["done"] == 2
    row = next(line for line in render(collect(read, made, [0], "")).splitlines() if line.startswith("a "))
    assert row.split() == ["a", "40.0", "-", "80.0", "1"]


def test_the_caption_counts_the_seeds_that_have_run(table, plan):
    read, made = table(), plan(seeds=range(5))
    finish_row(made, "one", {0: 0.40, 1: 0.42, 2: 0.44})
    finish_row(made, "two", {0: 0.43, 1: 0.43, 2: 0.46})
    text = render(collect(read, made, range(5), ""))
    assert "mean over 3 seeds" in text and "about 75 % of cases" in text and "about 12 % of claims" in text
    finish_row(made, "last", dict.fromkeys(range(5), 0.4))
    text = render(collect(read, made, range(5), ""))
    assert "mean over 3 to 5 seeds" in text and "about 75 to 83 % of cases" in text and "about 12 % of claims" in text
