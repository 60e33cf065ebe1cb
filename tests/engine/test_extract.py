from __future__ import annotations

import pytest
from torch import nn

from reidzoo.engine.extract import evaluation_mode


def test_each_module_returns_to_its_own_mode():
    first, second = nn.Sequential(nn.BatchNorm1d(2)), nn.Dropout().eval()
    with evaluation_mode(first, second):
        assert not (first.training or first[0].training or second.training)
    assert first.training and first[0].training and not second.training


def test_also_after_an_error():
    module = nn.Dropout()
    with pytest.raises(InterruptedError), evaluation_mode(module):
        raise InterruptedError
    assert module.training
