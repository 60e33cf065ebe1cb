from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.datasets import (
    MSMT17,
    Market1501,
    TrainSet,
    nuisance_classes,
    nuisance_frequencies,
    nuisance_labels,
)
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.render import render_twins


def test_joint_index_is_camera_times_3_plus_time():
    camids, timeids = np.array([0, 0, 0, 1, 14, 14]), np.array([0, 1, 2, 0, 0, 2])
    assert nuisance_labels("joint", camids, timeids).tolist() == [0, 1, 2, 3, 42, 44]
    tensors = nuisance_labels("joint", torch.from_numpy(camids), torch.from_numpy(timeids))
    assert tensors.tolist() == [0, 1, 2, 3, 42, 44]
    assert nuisance_labels("camera", camids, timeids) is camids and nuisance_labels("time", camids, timeids) is timeids


def test_labels_and_frequencies_of_msmt17_come_from_the_file_names(tmp_path, msmt17):
    """Camera 1 morning, camera 15 noon, camera 2 afternoon: cameras count from 0, mornings are 0."""
    msmt17(tmp_path / "MSMT17_V1")
    data = TrainSet([MSMT17(tmp_path)])
    assert nuisance_labels("joint", data.camids, data.timeids).tolist() == [0, 14 * 3 + 1, 1 * 3 + 2]
    assert [nuisance_classes(name, data) for name in ("camera", "time", "joint")] == [15, 3, 45]
    np.testing.assert_allclose(nuisance_frequencies("time", data), [1 / 3, 1 / 3, 1 / 3])
    shares = nuisance_frequencies("camera", data)
    assert shares.shape == (15,) and shares[[0, 1, 14]] == pytest.approx([1 / 3] * 3) and shares.sum() == 1


def test_frequencies_are_those_of_the_training_list(tmp_path, market):
    names = [f"{pid:04d}_c{cam}s1_000001_00.jpg" for pid, cam in ((1, 1), (2, 1), (3, 1), (4, 3))]
    market(tmp_path / "market1501", {"bounding_box_train": names, "query": ["0009_c1s1_000001_00.jpg"],
                                     "bounding_box_test": ["0009_c2s1_000001_00.jpg"]})  # fmt: skip
    data = TrainSet([Market1501(tmp_path)])
    np.testing.assert_allclose(nuisance_frequencies("camera", data), [0.75, 0, 0.25])
    with pytest.raises(DatasetError, match=r"Market1501.*time of day"):
        nuisance_frequencies("joint", data)
    with pytest.raises(ConfigError, match="one of"):
        nuisance_labels("weather", data.camids, data.timeids)


def test_one_camera_is_no_nuisance(tmp_path, market):
    names = [f"{pid:04d}_c1s1_000001_00.jpg" for pid in (1, 2, 3)]
    market(tmp_path / "market1501", {"bounding_box_train": names, "query": ["0009_c1s1_000001_00.jpg"],
                                     "bounding_box_test": ["0009_c2s1_000001_00.jpg"]})  # fmt: skip
    with pytest.raises(DatasetError, match="all training images have one camera"):
        nuisance_classes("camera", TrainSet([Market1501(tmp_path)]))


@pytest.mark.slow
def test_file_names_of_the_rendered_twin_tell_camera_and_time(tmp_path):
    render_twins(tmp_path, ["MSMT17"], scale=0.02, jobs=1)
    dataset = MSMT17(tmp_path)
    data = TrainSet([dataset])
    times = [("morning", "noon", "afternoon").index(word[4:]) for word in (p.split("_")[-3] for p in data.paths)]
    cameras = [int(path.split("_")[-4]) - 1 for path in data.paths]
    assert dataset.is_twin and data.timeids.tolist() == times and len(set(times)) == 3
    joint = [camera * 3 + time for camera, time in zip(cameras, times)]
    assert nuisance_labels("joint", data.camids, data.timeids).tolist() == joint
    assert nuisance_frequencies("joint", data).sum() == pytest.approx(1)
