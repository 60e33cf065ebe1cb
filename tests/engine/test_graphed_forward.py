"""What is recorded, and when it is replayed; the recording itself needs CUDA, and is the module itself here without."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reidzoo.engine import graphed_forward
from reidzoo.engine.graphed_forward import MOST, GraphedForward
from reidzoo.models import convert_batch_norm


class Recorder:
    """Stands in for CUDA graphs: warms up thrice as they do, and says which calls were replays."""

    def __init__(self):
        self.recorded, self.replayed = 0, 0

    def __call__(self, holder, sample):
        self.recorded += 1
        for _ in range(3):
            holder(sample)

        def replay(images):
            self.replayed += 1
            return holder(images)

        return replay


@pytest.fixture
def recorder(monkeypatch):
    stand_in = Recorder()
    monkeypatch.setattr(graphed_forward, "_can_record", lambda images: True)
    monkeypatch.setattr(graphed_forward, "_make_graphed", stand_in)
    return stand_in


def network(group=0):
    torch.manual_seed(0)
    plain = convert_batch_norm(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)), group)
    graphed = copy.deepcopy(plain)
    graphed.forward = GraphedForward(graphed)
    return plain, graphed


@pytest.mark.parametrize("group", [0, 2])
def test_recording_leaves_no_trace(recorder, group):
    plain, graphed = network(group)
    results = []
    for net in (plain, graphed):
        torch.manual_seed(1)
        results.append(net(torch.randn(4, 3, 8, 8)))
    assert torch.equal(*results) and recorder.recorded == recorder.replayed == 1
    for one, two in zip(plain.buffers(), graphed.buffers(), strict=True):
        assert torch.equal(one, two)
    assert list(plain.state_dict()) == list(graphed.state_dict())


def test_only_the_first_forward_pass_of_a_step_is_a_replay(recorder):
    _, graphed = network()
    images = torch.randn(4, 3, 8, 8)
    for _ in range(2):
        graphed.forward.begin_step()
        graphed(images), graphed(images)
    assert (recorder.recorded, recorder.replayed) == (1, 2)


def test_evaluation_and_passes_without_gradient_are_not(recorder):
    _, graphed = network()
    with torch.no_grad():
        graphed(torch.randn(4, 3, 8, 8))
    graphed.eval()(torch.randn(4, 3, 8, 8))
    assert recorder.replayed == 0


def test_other_sizes_and_frozen_layers_are_recorded_anew_and_not_for_ever(recorder):
    _, graphed = network()
    changes = [lambda: None, lambda: graphed[0].requires_grad_(False), lambda: graphed[1].eval()]
    for number, change in enumerate(changes, 1):
        change()
        graphed.forward.begin_step()
        graphed(torch.randn(4, 3, 8, 8))
        assert recorder.recorded == number
    for size in range(5, 9):
        graphed.forward.begin_step()
        graphed(torch.randn(size, 3, 8, 8))
    assert recorder.recorded == recorder.replayed == MOST


def test_a_copy_has_its_own_weights_and_recordings(recorder):
    _, graphed = network()
    graphed(torch.randn(4, 3, 8, 8))
    other = copy.deepcopy(graphed)
    assert other.forward.module is other and not other.forward.recordings
    with torch.no_grad():
        other[0].weight.zero_()
        other[0].bias.zero_()
    assert not other(torch.randn(4, 3, 8, 8)).any() and graphed[0].weight.any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("group", [0, 2])
def test_on_cuda_a_replay_learns_what_the_module_does(group):
    plain, graphed = (net.cuda() for net in network(group))
    for net in (plain, graphed):
        net[2].p = 0.0
    for step in range(3):
        images = torch.randn(4, 3, 8, 8, generator=torch.manual_seed(step)).cuda()
        graphed.forward.begin_step()
        grads = [torch.autograd.grad(net(images).square().sum(), list(net.parameters())) for net in (plain, graphed)]
        for one, two in zip(*grads, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)
    assert len(graphed.forward.recordings) == 1
    for one, two in zip(plain.buffers(), graphed.buffers(), strict=True):
        torch.testing.assert_close(one, two)
