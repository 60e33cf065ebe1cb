"""The precision of matrix products is held for all threads that need it, and put back once."""

from __future__ import annotations

import threading

import pytest
import torch

from reidzoo.neighbours.distances import exact_matmul


def precisions():
    owners = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
    switches = [owner.fp32_precision for owner in owners if hasattr(owner, "fp32_precision")]
    return switches or [torch.get_float32_matmul_precision()]


@pytest.fixture
def coarse():
    """What a training that allows TF32 leaves behind."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield precisions()
    torch.set_float32_matmul_precision(before)


def test_the_first_to_leave_takes_no_precision_from_the_others(coarse):
    """One thread enters, then a second; the first leaves before the second does."""
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    seen = []

    def first():
        with exact_matmul(torch.device("cpu")):
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second():
        first_in.wait(10)
        with exact_matmul(torch.device("cpu")):
            second_in.set()
            first_out.wait(10)
            seen.append(precisions())

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    with exact_matmul(torch.device("cpu")):
        exact = precisions()
    assert exact != coarse and seen == [exact] and precisions() == coarse


def test_within_one_another_and_after_an_error(coarse):
    with exact_matmul(torch.device("cpu")):
        exact = precisions()
        with pytest.raises(RuntimeError), exact_matmul(torch.device("cpu")):
            raise RuntimeError
        assert precisions() == exact != coarse
    assert precisions() == coarse
