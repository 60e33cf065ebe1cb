"""Finds losses of cosines that are given the logits of a linear classifier."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from reidzoo.errors import ConfigError
from reidzoo.heads.cosine_classifier import CosineClassifier
from reidzoo.losses import LossSet
from reidzoo.losses.margin_softmax import MarginSoftmaxLoss

__all__ = ["check_cosine_logits"]


def check_cosine_logits(model: Any, phases: Mapping[str, LossSet]) -> None:
    """Check that margin softmax is over a head's cosines.

    The logits of a linear classifier begin within [-1, 1] and leave it in training, which no loss looks at on an
    accelerator. A classifier of another kind may give cosines, and is not complained of.

    Args:
        model: the part that is trained, with a ``head``.
        phases: phase -> its losses.

    Raises:
        ConfigError: a loss takes the logits of a linear classifier; with the name of the loss, and what to set.
    """
    head = getattr(model, "head", None)
    classifier = getattr(head, "classifier", None)
    kinds = {type(module) for module in classifier.modules()} if isinstance(classifier, nn.Module) else set()
    if nn.Linear not in kinds or CosineClassifier in kinds:
        return
    for losses in phases.values():
        for name, loss in losses.losses.items():
            taken = losses.inputs_of(name).get("logits", "").partition(".")[0]
            if isinstance(loss, MarginSoftmaxLoss) and taken == "logits":
                has_cosine = "classifier" in inspect.signature(type(head)).parameters
                advice = (
                    "set HEAD.classifier to cosine" if has_cosine else "take a HEAD with classifier: cosine, BNNeck"
                )
                raise ConfigError(
                    f"loss {name!r}: {type(loss).__name__} takes cosines, and the head's classifier is linear; {advice}"
                )
