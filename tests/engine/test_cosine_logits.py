"""Margin softmax over a linear classifier is refused, over cosines it is not."""

from __future__ import annotations

import pytest

from reidzoo.engine.cosine_logits import check_cosine_logits
from reidzoo.errors import ConfigError
from reidzoo.heads import LinearHead
from reidzoo.losses import LossSet
from reidzoo.registry import HEAD, MODEL

BACKBONE = {"type": "ResNet", "depth": 18, "width": 4}
LOSSES = {"model": LossSet({"id": {"type": "ArcFaceLoss"}, "plain": {"type": "CrossEntropyLoss"}})}


def model(head, classes=3):
    backbone = {**BACKBONE, "type": "DualBranchResNet"} if head["type"] == "DualBranchHead" else BACKBONE
    return MODEL.build({"type": "Embedder"}, backbone=backbone, head=head, num_classes=classes)


@pytest.mark.parametrize("head", ["BNNeck", "LinearHead", "PCBHead", "MLPHead", "DualBranchHead"])
def test_the_loss_and_what_to_set_are_named(head):
    with pytest.raises(ConfigError, match=r"loss 'id': ArcFaceLoss takes cosines.*HEAD.classifier to cosine"):
        check_cosine_logits(model({"type": head}), LOSSES)
    check_cosine_logits(model({"type": head, "classifier": "cosine"}), LOSSES)


class Fixed(LinearHead):
    """A head without a choice of classifiers."""

    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)


def test_a_head_that_has_no_cosines_is_not_told_to_set_them(monkeypatch):
    monkeypatch.setitem(HEAD.module_dict, "Fixed", Fixed)
    with pytest.raises(ConfigError, match="take a HEAD with classifier: cosine, BNNeck"):
        check_cosine_logits(model({"type": "Fixed"}), LOSSES)


def test_other_losses_other_tensors_and_no_classifier_are_let_be():
    linear = model({"type": "BNNeck"})
    check_cosine_logits(linear, {"model": LossSet({"id": {"type": "CrossEntropyLoss"}})})
    check_cosine_logits(linear, {"model": LossSet({"id": {"type": "CosFaceLoss", "inputs": {"logits": "cosines"}}})})
    check_cosine_logits(model({"type": "BNNeck"}, classes=0), LOSSES)
    with pytest.raises(ConfigError, match="CosFaceLoss"):
        check_cosine_logits(
            linear, {"model": LossSet({"id": {"type": "CosFaceLoss", "inputs": {"logits": "logits.0"}}})}
        )
