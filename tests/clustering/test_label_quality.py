"""The scores of pseudo labels against a count over all pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from reidzoo.clustering import label_quality
from reidzoo.errors import ClusteringError


class OnAnotherDevice(torch.Tensor):
    """Stands in for a tensor of a GPU, which NumPy cannot read."""

    def __array__(self, *arguments):
        raise TypeError("can't convert a tensor of another device to numpy")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def counted(labels, pids, camids):
    """Every pair of images with a label and an identity, one by one."""
    kept = [n for n in range(len(labels)) if labels[n] >= 0 and pids[n] >= 0]
    pairs = list(combinations(kept, 2))
    together = [p for p in pairs if labels[p[0]] == labels[p[1]]]
    same = [p for p in pairs if pids[p[0]] == pids[p[1]]]
    across = [p for p in same if camids[p[0]] != camids[p[1]]]
    right = set(together) & set(same)
    most = sum(
        max([sum(labels[n] == c and pids[n] == q for n in kept) for q in set(pids)]) for c in set(labels) if c >= 0
    )
    return {
        "purity": most / max(len(kept), 1), "pair_precision": len(right) / max(len(together), 1),
        "pair_recall": len(right) / max(len(same), 1),
        "cross_camera_recall": len(set(together) & set(across)) / max(len(across), 1),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_those_of_all_pairs(seed):
    rng = np.random.default_rng(seed)
    labels, pids, camids = rng.integers(-1, 6, 60), rng.integers(-1, 8, 60), rng.integers(0, 3, 60)
    found = label_quality(labels, pids, camids)
    for name, value in counted(labels.tolist(), pids.tolist(), camids.tolist()).items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    assert found["outliers"] == (labels < 0).sum() and found["clusters"] == len(set(labels.tolist()) - {-1})


def test_a_person_in_two_pure_clusters_is_seen_by_recall_alone():
    found = label_quality(np.array([0, 0, 1, 1]), np.array([7, 7, 7, 7]), np.array([0, 0, 1, 1]))
    assert (found["purity"], found["pair_precision"], found["cross_camera_recall"]) == (1, 1, 0)
    assert found["pair_recall"] == pytest.approx(2 / 6)
    assert (found["size_min"], found["size_50"], found["size_max"]) == (2, 2, 2)


def test_the_sizes_are_quartiles():
    labels = np.repeat(np.arange(5), [50, 10, 40, 20, 30])
    found = label_quality(labels, labels, labels)
    assert [found[f"size_{name}"] for name in ("min", "25", "50", "75", "max")] == [10, 20, 30, 40, 50]


@pytest.mark.parametrize("labels, pids", [([], []), ([-1, -1], [0, 0]), ([0, 0], [-1, -1]), ([0], [3])])
def test_nothing_to_compare_is_no_error(labels, pids):
    found = label_quality(np.array(labels, int), np.array(pids, int), np.zeros(len(labels), int))
    assert found["pair_precision"] == found["cross_camera_recall"] == 0
    assert found["purity"] == (1 if pids == [3] else 0)


def test_lengths_that_differ():
    with pytest.raises(ClusteringError, match="2 labels, 1 identities and 2 cameras"):
        label_quality(np.zeros(2, int), np.zeros(1, int), np.zeros(2, int))


def test_cameras_are_taken_as_labels_are():
    with pytest.raises(ClusteringError, match="expected integers"):
        label_quality(np.zeros(2, int), np.zeros(2, int), np.array([0.2, 0.7]))
    cpu = torch.zeros(2, dtype=torch.int64)
    assert label_quality(cpu, cpu, cpu.as_subclass(OnAnotherDevice))["purity"] == 1
