"""New tensors on the CPU, whatever a program says of them."""

from __future__ import annotations

import torch

from reidzoo.engine.on_cpu import on_cpu


@on_cpu()
def made():
    return torch.ones(2)


def test_new_tensors_are_on_the_cpu_and_the_programs_device_comes_back():
    for _ in range(2):
        assert made().device.type == "cpu"
        with torch.device("meta"):
            assert made().device.type == "cpu" and torch.ones(2).device.type == "meta"
            with on_cpu():
                assert torch.ones(2).device.type == "cpu"
    assert torch.ones(2).device.type == "cpu"
