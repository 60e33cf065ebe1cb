from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo import distributed
from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_loader, build_train_sets
from reidzoo.errors import ConfigError
from reidzoo.samplers import IdentitySampler
from reidzoo.transforms import RandomHorizontalFlip


@pytest.fixture
def batches(write_config):
    """Return a function that gives the batches of epoch 3 under changes of the configuration."""
    counter = iter(range(100))

    def batches(start=0, **changes):
        (cfg,) = stage_configs(load_config(write_config(f"{next(counter)}.yml", **changes))).values()
        return list(build_loader(cfg, build_train_sets(cfg), torch.device("cpu")).epoch(3, start))

    return batches


def views(number, **changes):
    return {"INPUT": {"SIZE": [32, 16], "VIEWS": number, "TRANSFORMS": {"crop": {"pad": 2}}}, **changes}


def equal(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_the_first_view_is_what_one_view_gives(batches):
    for one, three in zip(batches(), batches(**views(3)), strict=True):
        assert three.keys() - one.keys() == {"img2", "img3"}
        assert equal({key: three[key] for key in one}, one)


def test_views_are_of_the_same_images_and_differ(batches):
    plain = {"flip": None, "crop": None, "erase": None}
    (batch, *_) = batches(**views(2, INPUT={"SIZE": [32, 16], "VIEWS": 2, "TRANSFORMS": plain}))
    assert torch.equal(batch["img"], batch["img2"])
    (batch, *_) = batches(**views(2))
    alike = (batch["img"] == batch["img2"]).flatten(1).all(1)
    assert not alike.all() and batch["img"].shape == batch["img2"].shape


def test_views_depend_neither_on_workers_nor_on_where_an_epoch_is_taken_up(batches):
    whole = batches(**views(2))
    for found, expected in (
        (batches(**views(2, DATALOADER={"NUM_WORKERS": 2})), whole),
        (batches(start=2, **views(2)), whole[2:]),
    ):
        assert expected and all(equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize(("workers", "cache", "threads"), [(0, "off", 2), (1, "off", 1), (1, "on", 1)])
def test_augmentation_has_one_thread_while_workers_decode(batches, monkeypatch, workers, cache, threads):
    seen, augment = set(), RandomHorizontalFlip.__call__

    def watched(self, images, draw):
        seen.add(torch.get_num_threads())
        return augment(self, images, draw)

    monkeypatch.setattr(RandomHorizontalFlip, "__call__", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        batches(DATALOADER={"NUM_WORKERS": workers, "CACHE": cache})
        assert seen == {threads} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_processes_have_their_share_of_the_same_views(batches, monkeypatch):
    whole = batches(**views(2))
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    shares = []
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(batches(**views(2)))
    for one, two, both in zip(*shares, whole, strict=True):
        assert equal({key: torch.cat([one[key], two[key]]) for key in both}, both)


def test_two_sets_have_views_of_their_own(batches):
    data = {"DATASETS": {"TRAIN": {"source": "RandPerson", "target": "Market1501"}}}
    two, one = batches(**views(2, **data)), batches(**data)
    assert all(torch.equal(b[name]["img"], a[name]["img"]) for b, a in zip(two, one) for name in ("source", "target"))
    assert two[0]["source"]["img2"].shape == two[0]["target"]["img2"].shape


def test_no_view_is_a_mistake(batches):
    with pytest.raises(ConfigError, match=r"INPUT\.VIEWS"):
        batches(**views(0))


@pytest.mark.parametrize("sets", [{"train": "Market1501"}, {"source": "RandPerson", "target": "MSMT17"}])
def test_labels_are_those_of_the_rows(batches, write_config, sets):
    (cfg,) = stage_configs(load_config(write_config("labels.yml", DATASETS={"TRAIN": sets}))).values()
    data = build_train_sets(cfg)
    for batch in batches(DATASETS={"TRAIN": sets}):
        for name, own in batch.items() if len(sets) > 1 else [("train", batch)]:
            assert own.keys() == {"img", "pid", "camid", "domain", "timeid", "viewid", "index"}
            for key in ("pid", "camid", "domain", "timeid", "viewid"):
                assert own[key].dtype == torch.int64
                assert own[key].tolist() == getattr(data[name], f"{key}s")[own["index"].numpy()].tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("cache", ["device", "on"])
@pytest.mark.parametrize("crop", [{"pad": 2}, {"type": "RandomSizedRectCrop"}])
def test_nothing_in_the_loader_waits_for_a_gpu_and_the_pixels_are_a_cpus(write_config, cache, crop):
    changes = {"INPUT": {"SIZE": [32, 16], "TRANSFORMS": {"crop": crop}}, "DATALOADER": {"CACHE": cache}}
    (cfg,) = stage_configs(load_config(write_config(DEVICE="cuda", **changes))).values()
    loaders = [build_loader(cfg, build_train_sets(cfg), torch.device(kind)) for kind in ("cuda", "cpu")]
    plain, first = list(loaders[1].epoch(1)), list(loaders[0].epoch(0))  # which fills the cache
    assert first[0]["img"].device.type == "cuda"
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = list(loaders[0].epoch(1))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    tolerance = 1e-6 if "pad" in crop else 1 / 255 / 0.2  # a scaled byte may be rounded otherwise
    for ours, theirs in zip(found, plain, strict=True):
        for key, value in theirs.items():
            torch.testing.assert_close(ours[key].cpu(), value, rtol=0, atol=tolerance if key == "img" else 0)


def test_a_draw_is_the_begin_of_an_epoch_and_leaves_the_length_of_the_present_one(write_config, monkeypatch):
    passes = IdentitySampler.batches
    monkeypatch.setattr(IdentitySampler, "batches", lambda self, seed, epoch, _: passes(self, seed, epoch, 4 + epoch))
    solver = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 0, "MAX_EPOCHS": 1}
    (cfg,) = stage_configs(load_config(write_config(SOLVER=solver))).values()
    loader = build_loader(cfg, build_train_sets(cfg), torch.device("cpu"))
    whole, present = list(loader.epoch(3)), loader.epoch(0)
    next(present)
    for count, expected in ((2, 2), (99, 7)):
        assert all(equal(ours, theirs) for ours, theirs in zip(loader.draw(3, count), whole[:expected], strict=True))
    assert loader.length == 4 and len(list(present)) == 3


def test_a_sampler_without_batches_is_an_error(batches, monkeypatch):
    monkeypatch.setattr(IdentitySampler, "batches", lambda *_: [])
    with pytest.raises(ConfigError, match=r"SAMPLER: IdentitySampler, of 'train' in epoch 4, returned no batch"):
        batches()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found[:1], "returned 1 batches where 2 were asked for"),
        (
            lambda found: [rows[:-1] for rows in found],
            r"returned a batch, number 1, of int64 \(15,\); it is to be 16 whole",
        ),
        (lambda found: [found[0], np.tile(found[1], 2)], r"batch, number 2, of int64 \(32,\)"),
        (lambda found: [found[0], found[1] * 1.0], r"batch, number 2, of float64 \(16,\)"),
        (lambda found: [found[0], found[1] - 100], r"returned rows from -\d+ to \d+, and the images are 0 to 71"),
        (lambda found: [found[0], found[1] + 71], r"returned rows from .* and the images are 0 to 71"),
        (lambda found: iter(found), "returned list_iterator and not a list of arrays"),
        (lambda found: None, "returned NoneType and not a list"),
    ],
)
def test_a_sampler_that_breaks_its_contract_is_named_before_a_batch_is_read(batches, monkeypatch, change, message):
    usual = IdentitySampler.batches
    monkeypatch.setattr(IdentitySampler, "batches", lambda *asked: change(usual(*asked)))
    with pytest.raises(ConfigError, match=f"SAMPLER: IdentitySampler, of 'train' in epoch 4, .*{message}"):
        batches(SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 4})
