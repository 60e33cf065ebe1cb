"""The contrastive loss of images and texts against its formula, written out plainly."""

from __future__ import annotations

import math

import pytest
import torch
from clip_reid import ImageTextLoss

from reidzoo.testing import check_loss

PID = torch.tensor([3, 0, 3, 1, 0, 3])


def draw(rows):
    return torch.randn(2, rows, 4, generator=torch.manual_seed(0), dtype=torch.float64)


def transcription(anchors, others, pid):
    """Return the mean over the anchors of -1 / |P(i)| sum_p log(exp(s_ip) / sum_a exp(s_ia))."""
    costs = []
    for anchor, own in zip(anchors.tolist(), pid):
        similar = [sum(a * b for a, b in zip(anchor, other)) for other in others.tolist()]
        total = sum(math.exp(s) for s in similar)
        positives = [s for s, theirs in zip(similar, pid) if theirs == own]
        costs.append(-sum(math.log(math.exp(s) / total) for s in positives) / len(positives))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("pid", [PID, torch.arange(6), torch.zeros(6, dtype=torch.int64)], ids=str)
def test_both_directions(pid):
    image, text = draw(6)
    expected = transcription(image, text, pid.tolist()) + transcription(text, image, pid.tolist())
    assert ImageTextLoss()(image, text, pid).item() == pytest.approx(expected, rel=1e-10)


def test_gradient():
    image, text = draw(6).requires_grad_()
    assert torch.autograd.gradcheck(lambda *each: ImageTextLoss()(*each, PID), (image, text))


def test_the_contract_of_a_loss_is_kept():
    image, text = draw(8).float()
    check_loss({"type": "ImageTextLoss"}, gradient=["text"], image=image, text=text)
