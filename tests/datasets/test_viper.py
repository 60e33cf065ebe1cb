from __future__ import annotations

import pytest

from reidzoo.datasets import VIPeR, build_dataset
from reidzoo.errors import ConfigError, DatasetError

PIDS = (0, 1, 5, 17, 100, 873)


@pytest.fixture
def viper(touch):
    def make(folder, pids=PIDS):
        touch(folder, [f"cam_a/{pid:03d}_{45 * (pid % 3)}.bmp" for pid in pids] + ["cam_a/Thumbs.db"])
        return touch(folder, [f"cam_b/{pid:03d}_{45 * (pid % 3) + 90}.bmp" for pid in pids])

    return make


@pytest.mark.parametrize("folder", VIPeR.folders)
def test_halves_of_the_identities(tmp_path, viper, folder):
    viper(tmp_path / folder)
    dataset = VIPeR(tmp_path)
    train, query, gallery = (
        [record[1:3] for record in part] for part in (dataset.train, dataset.query, dataset.gallery)
    )
    pids = {pid for pid, _ in train}
    assert len(pids) == 3 and sorted(train) == sorted((pid, cam) for pid in pids for cam in (0, 1))
    tested = sorted(set(PIDS) - pids)
    assert query == [(pid, 0) for pid in tested] and gallery == [(pid, 1) for pid in tested]
    assert all("cam_a" in record.path for record in dataset.query)


def test_splits_differ_and_are_repeatable(tmp_path, viper):
    viper(tmp_path / "VIPeR")
    trained = [{r.pid for r in build_dataset({"type": "VIPeR", "split": k}, tmp_path).train} for k in range(10)]
    assert trained[0] == {r.pid for r in VIPeR(tmp_path).train}
    assert len({frozenset(pids) for pids in trained}) > 3


@pytest.mark.slow
def test_published_counts_and_protocol(tmp_path, viper, caplog):
    viper(tmp_path / "VIPeR", range(632))
    dataset = VIPeR(tmp_path)
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == (632, 316, 316) and not caplog.records
    assert (dataset.protocol, dataset.repeats) == ("cuhk03", 1)


def test_mistakes_are_named(tmp_path, viper, touch):
    viper(tmp_path / "VIPeR")
    for split in (-1, "run:seed", True):
        with pytest.raises(ConfigError, match="VIPeR: split must be"):
            VIPeR(tmp_path, split=split)
    touch(tmp_path / "VIPeR", ["cam_a/009_0.bmp"])
    with pytest.raises(DatasetError, match=r"1 identities are in one of .* only: 9"):
        _ = VIPeR(tmp_path).train
    touch(tmp_path / "VIPeR", ["cam_b/009_0.bmp", "cam_b/009_90.bmp"])
    with pytest.raises(DatasetError, match="more than one image"):
        _ = VIPeR(tmp_path).train
    with pytest.raises(DatasetError, match="ucsc"):
        VIPeR(tmp_path / "elsewhere")
