from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from reidzoo.engine.backends import backends


def cfg(**keys):
    return SimpleNamespace(SOLVER=SimpleNamespace(**{"DETERMINISTIC": False, "CUDNN_BENCHMARK": False, **keys}))


def switches():
    cudnn = torch.backends.cudnn
    return cudnn.benchmark, cudnn.deterministic, torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    "keys, expected",
    [
        ({}, (False, False, False)),
        ({"CUDNN_BENCHMARK": True}, (True, False, False)),
        ({"DETERMINISTIC": True}, (False, True, True)),
        ({"DETERMINISTIC": True, "CUDNN_BENCHMARK": True}, (False, True, True)),
    ],
)
def test_switches_are_set_and_put_back(monkeypatch, keys, expected):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = switches()
    with backends(cfg(**keys)):
        assert switches() == expected
    assert switches() == before


def test_they_are_put_back_after_an_error():
    before = switches()
    with pytest.raises(ZeroDivisionError), backends(cfg(DETERMINISTIC=True)):
        raise ZeroDivisionError
    assert switches() == before
