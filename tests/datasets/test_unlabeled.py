from __future__ import annotations

from yacs.config import CfgNode

from reidzoo.datasets import MSMT17, Unlabeled, build_dataset


def test_training_pids_are_hidden_and_the_rest_stays(tmp_path, msmt17, caplog):
    (msmt17(tmp_path / "MSMT17_V1") / "twin.json").touch()
    plain = MSMT17(tmp_path)
    dataset = build_dataset(CfgNode({"type": "Unlabeled", "dataset": {"type": "MSMT17"}}), tmp_path)
    assert isinstance(dataset, Unlabeled)
    assert [r.pid for r in dataset.train] == [-1, -1, -1]
    assert [r._replace(pid=0) for r in dataset.train] == [r._replace(pid=0) for r in plain.train]
    assert (dataset.query, dataset.gallery) == (plain.query, plain.gallery)
    assert [r.pid for r in dataset.dataset.train] == [0, 1, 1]
    for name in ("name", "protocol", "homepage", "folder", "root", "is_twin"):
        assert getattr(dataset, name) == getattr(plain, name)
    assert dataset.is_twin and not caplog.records


def test_counts_are_checked_once(tmp_path, msmt17, caplog):
    msmt17(tmp_path / "MSMT17_V1")
    assert Unlabeled("MSMT17", root=tmp_path).train
    assert len(caplog.records) == 1
