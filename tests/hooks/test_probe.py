from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.engine.build import build_train_sets
from reidzoo.errors import ConfigError
from reidzoo.hooks import ProbeHook
from reidzoo.runs.pipeline import Pipeline, results_table

NAMED = "{type: ProbeHook, datasets: [RandPerson, Market1501], images: 10, period: 1}"


def run(write_config, tmp_path, name, *opts):
    path = write_config(OUTPUT_DIR=str(tmp_path / name))
    results = Pipeline(load_config(path, opts=opts)).train()
    rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
    return results["train"], rows, torch.load(tmp_path / name / "model_final.pth", weights_only=True)


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_it_is_logged_beside_the_targets_and_changes_nothing(write_config, tmp_path):
    results, rows, state = run(write_config, tmp_path, "with", "HOOKS.probe", NAMED)
    plain, plain_rows, plain_state = run(write_config, tmp_path, "without")
    found = results.pop("probe")
    assert found["domain_chance"] == 0.5 and 0 < found["domain_accuracy"] <= 1
    assert results == plain
    assert [row["evaluation"]["probe"].keys() for row in rows if "evaluation" in row] == [found.keys()] * 2
    assert [row for row in rows if "evaluation" not in row] == [row for row in plain_rows if "evaluation" not in row]
    for key in ("parts", "optims", "random"):
        assert same(state[key], plain_state[key]), key
    assert json.loads((tmp_path / "with/results.json").read_text())["probe"] == found


def test_the_printed_table_holds_targets_only(write_config, tmp_path):
    results, _, _ = run(write_config, tmp_path, "run", "HOOKS.probe", NAMED)
    table = results_table({"train": results})
    assert "Market1501 twin" in table and "probe" not in table


def test_cameras_of_the_training_set(write_config, tmp_path):
    results, _, _ = run(write_config, tmp_path, "run", "HOOKS.probe", "{type: ProbeHook, label: camid}")
    assert results["probe"].keys() == {"camid_accuracy", "camid_chance"}
    assert results["probe"]["camid_chance"] == pytest.approx(1 / 3)


def test_features_that_are_the_camera_tell_every_images_camera(write_config, monkeypatch):
    cfg = load_config(write_config())
    runner = SimpleNamespace(cfg=cfg, sets=build_train_sets(cfg), model=None, device=None)
    cameras = {record.path: record.camid for record in runner.sets["train"].records}
    monkeypatch.setattr("reidzoo.hooks.probe.build_test_table", lambda cfg, paths: paths)
    monkeypatch.setattr(
        "reidzoo.hooks.probe.extract_table", lambda cfg, model, paths, *_: torch.eye(3)[[cameras[p] for p in paths]]
    )
    assert ProbeHook("camid")._probe(runner) == (1.0, pytest.approx(1 / 3))
    chosen = [ProbeHook("camid", **options)._choose(runner)[2:] for options in ({}, {"seed": 1}, {"images": 3})]
    learns = [set(map(int, learns)) for learns, _ in chosen]
    assert learns[1] != learns[0] and len(learns[2]) == 9 < len(learns[0])
    runner.max_epochs, runner.metrics, probed = 4, {}, []
    for period in (0, 2, 3):
        for runner.epoch in range(4):
            runner.metrics = {}
            ProbeHook("camid", period=period).after_train_epoch(runner)
            probed += [(period, runner.epoch + 1)] if "probe" in runner.metrics else []
    assert probed == [(0, 4), (2, 2), (2, 4), (3, 3), (3, 4)]

    def noisy(cfg, model, paths, *_):
        noise = torch.randn(len(paths), 20, generator=torch.Generator().manual_seed(0))
        return noise + torch.eye(3, 20)[[cameras[path] for path in paths]]

    monkeypatch.setattr("reidzoo.hooks.probe.extract_table", noisy)
    assert len({ProbeHook("camid", l2=l2)._probe(runner)[0] for l2 in (0.0, 0.1, 10.0)}) > 1


class TwoNetworks(torch.nn.Module):
    """Two mappings of an image's mean colour; what ``gallery`` adds to it tells the views apart."""

    def __init__(self, gallery=0.0):
        super().__init__()
        self.added = gallery

    def embed(self, images):
        return images.mean((2, 3))

    embed_query = embed

    def embed_gallery(self, images):
        return images.mean((2, 3)) + self.added


def view_runner(write_config, model, **held):
    node = {"type": "HoldOutIdentities", "part": "train", "dataset": "Market1501", "held_out": 6, **held}
    cfg = load_config(write_config(DATASETS={"TRAIN": {"train": {"type": "TwoViews", "dataset": node}}}))
    return SimpleNamespace(cfg=cfg, sets=build_train_sets(cfg), model=model, device=torch.device("cpu"))


def test_each_view_is_embedded_by_its_own_network(write_config):
    """One image's colours say little of its view; the network that embeds it says all."""
    for part in ("train", "val"):
        accuracy, chance = ProbeHook("view", part=part)._probe(view_runner(write_config, TwoNetworks(gallery=50.0)))
        assert (accuracy, chance) == (1.0, 0.5)
        accuracy, _ = ProbeHook("view", part=part)._probe(view_runner(write_config, TwoNetworks()))
        assert accuracy < 0.9


def test_views_of_held_out_identities_are_probed_in_both_directions(write_config):
    runner = view_runner(write_config, TwoNetworks())
    paths, labels, learns, tests = ProbeHook("view", part="val")._choose(runner)
    trained = {record.path for record in runner.sets["train"].records}
    assert not trained & set(paths) and set(labels.tolist()) == {0, 1}
    assert sorted([*learns, *tests]) == list(range(len(paths)))


def test_an_image_without_a_view_is_not_probed(write_config):
    runner = view_runner(write_config, TwoNetworks())
    expected = ProbeHook("view")._choose(runner)[0]
    node = {**runner.cfg.DATASETS.TRAIN["train"], "unpaired": True}
    kept = TrainSet([build_dataset(node, root=runner.cfg.DATASETS.ROOT)])
    assert len(kept) > len(expected)
    runner.sets = {"train": kept}
    assert ProbeHook("view")._choose(runner)[0] == expected


def test_without_identities_held_out_there_is_no_part_val(write_config, tmp_path):
    with pytest.raises(ConfigError, match="ProbeHook finds no validation part"):
        run(write_config, tmp_path, "run", "HOOKS.probe", "{type: ProbeHook, label: view, part: val}")


def test_domains_of_two_unlabelled_training_sets(write_config, tmp_path):
    train = {"source": "RandPerson", "target": {"type": "Unlabeled", "dataset": {"type": "MSMT17"}}}
    cfg = load_config(write_config(DATASETS={"TRAIN": train}))
    runner = SimpleNamespace(sets=build_train_sets(cfg), cfg=cfg)
    paths, labels, learns, tests = ProbeHook(images=20)._choose(runner)
    assert len(paths) == 144 and labels.tolist() == [0] * 72 + [1] * 72
    assert len(learns) == len(tests) == 40 and not set(learns) & set(tests)


def test_mistakes_are_named_before_training(write_config, tmp_path):
    with pytest.raises(ConfigError, match="domain, camid"):
        run(write_config, tmp_path, "one", "HOOKS.probe", "{type: ProbeHook, label: time}")
    with pytest.raises(ConfigError, match=r"Market1501.*datasets"):
        run(write_config, tmp_path, "two", "HOOKS.probe", "{type: ProbeHook}")
