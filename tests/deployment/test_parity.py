"""The comparison sees what it is there to see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from reidzoo.deployment.crops import Crops
from reidzoo.deployment.parity import MARGIN, compare, mean_ap, share_of_changed_neighbours, time_session


def labelled(pids, camids, queries):
    names = [str(number) for number in range(len(pids))]
    return Crops("rows", names[:queries], names[queries:], pids, camids)


def plainly_changed(model, file, queries):
    """Row by row, in double precision."""
    model, file = (functional.normalize(each.double(), dim=1) for each in (model, file))
    changed, first = 0, queries or len(model)
    for row in range(first):
        others = [n for n in range(queries, len(model)) if n != row or queries]
        picked = max(others, key=lambda n: float(file[row] @ file[n]))
        best = max(float(model[row] @ model[n]) for n in others)
        changed += best - float(model[row] @ model[picked]) > MARGIN
    return changed / first


@pytest.mark.parametrize("queries", [0, 4])
def test_changed_neighbours_as_counted_plainly(queries):
    model = torch.randn(12, 5)
    file = model + 0.4 * torch.randn(12, 5)
    found = share_of_changed_neighbours(model, file, queries)
    assert found == plainly_changed(model, file, queries) > 0
    assert share_of_changed_neighbours(model, model, queries) == 0


def test_a_tie_is_no_change():
    model = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.9, 0.1]])
    file = model.clone()
    file[2] += 1e-5
    assert share_of_changed_neighbours(model, file) == 0


def test_the_figures_of_two_tables():
    crops = labelled([0, 1, 0, 1], [0, 0, 1, 1], 2)
    model = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.1, 0.9]])
    swapped = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.1, 0.9], [0.9, 0.1]])
    parity = compare(model, swapped, crops)
    assert (parity.mAP_model, parity.mAP_file) == (1.0, 0.5)
    assert parity.largest_difference == pytest.approx(0.8) and parity.changed_neighbours == 1
    assert parity.smallest_cosine == pytest.approx(0.18 / 0.82)
    assert "mAP is 50.00 %" in parity.differs(0.001)
    assert not compare(model, model, crops).differs(0)


def test_without_labels_the_nearest_crops_decide():
    crops = Crops("rows", ["0", "1", "2"], [])
    model = torch.eye(3) + 0.1
    other = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    parity = compare(torch.tensor([[1.0, 0.1, 0.5], [0.1, 1.0, 0.3], [0.5, 0.3, 1.0]]), other, crops)
    assert parity.mAP_model is None and "another nearest crop" in parity.differs(0.001)
    assert not compare(model, model, crops).differs(0.001)


def test_what_is_not_finite_differs():
    crops = labelled([0, 0], [0, 1], 1)
    parity = compare(torch.eye(2), torch.tensor([[1.0, 0.0], [float("nan"), 1.0]]), crops)
    assert "NaN" in parity.differs(1.0)


def test_labels_under_one_camera_have_no_map():
    assert mean_ap(torch.eye(2), labelled([0, 0], [0, 0], 1)) is None


@pytest.mark.parametrize("images", [np.zeros((3, 3, 2, 2), np.float32), torch.zeros(3, 3, 2, 2)])
def test_times_are_of_one_image_and_of_batches(images):
    seen = []
    found = time_session(lambda batch: seen.append(len(batch)), images, rounds=4)
    assert set(seen) == {1, 32} and found["latency_ms"] >= 0 and found["images_per_second"] > 0
