from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.mark.slow
def test_measures_time_and_the_peak(load):
    common = load("common")
    measurement = common.measured(lambda: len(np.ones(40_000_000, dtype=np.uint8).tobytes()))
    assert measurement.answer == 40_000_000
    assert 0 < measurement.seconds < 60 and measurement.cpu >= 0
    if Path("/proc/self/statm").exists():
        assert 20e6 < measurement.peak < 400e6


@pytest.mark.slow
def test_an_error_ends_the_measurement(load):
    with pytest.raises(ZeroDivisionError):
        load("common").measured(lambda: 1 / 0)


def test_the_machine_is_described(load):
    described = load("common").machine()
    assert described.keys() == {"CPU", "software", "threads"}
    assert "cores" in described["CPU"] and "torch" in described["software"]


def test_features_are_the_same_each_time(load):
    common = load("common")
    for make in (lambda: common.camera_features(50, 8, 5, 3, seed=1)[0], lambda: common.identity_features(50, 8, 5, 0)):
        one, again = np.asarray(make()), np.asarray(make())
        assert one.shape == (50, 8) and np.array_equal(one, again)
