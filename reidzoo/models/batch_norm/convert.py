"""Changing every batch norm of a model, also those within IBN; the parameters are kept."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from reidzoo.models.batch_norm.domain_batch_norm import DomainBatchNorm
from reidzoo.models.batch_norm.global_batch_norm import GlobalBatchNorm
from reidzoo.models.batch_norm.group_batch_norm import GroupBatchNorm

__all__ = ["convert_batch_norm", "split_batch_norm"]

KNOWN = ("torch", "reidzoo", "timm")
"""Packages whose batch norms are converted."""


def convert_batch_norm(model: nn.Module, group: int = 0) -> nn.Module:
    """Make every batch norm of a model a ``GroupBatchNorm``, or for ``group`` 0 a ``GlobalBatchNorm``, in place.

    Parameters and buffers stay the same objects, so optimizers built before stay valid, and ``state_dict`` keys stay
    the same, so weights can be loaded before or after. Norms within ``DomainBatchNorm`` are converted too.

    Subclasses of other packages with a ``forward`` or ``train`` of their own stay as they are: what they compute would
    be lost. timm's, which only have an activation behind the norm, are converted.

    Args:
        model: any module.
        group: images per group; 0 is the whole batch, of all processes.

    Returns:
        ``model``; only where it is a batch norm itself, the converted one.
    """
    if group < 0:
        raise ValueError(f"convert_batch_norm: group must be 0 (the whole batch) or more, got {group}")

    def convert(norm: nn.Module) -> nn.Module | None:
        if not isinstance(norm, _BatchNorm) or _has_own_ways(norm):
            return None
        return GroupBatchNorm.adopt(norm, group=group) if group else GlobalBatchNorm.adopt(norm)

    return _replace(model, convert, {})


def split_batch_norm(model: nn.Module, num_domains: int = 2, eval_domain: int = -1) -> nn.Module:
    """Make every batch norm of a model a ``DomainBatchNorm`` that starts from its state, in place.

    New parameters are made for every domain but the first: build optimizers afterwards.

    Args:
        model: any module; norms that are already per domain raise ValueError.
        num_domains: number of domains.
        eval_domain: the domain used in evaluation; -1 is the last, the target.

    Returns:
        ``model``; only where it is a batch norm itself, the split one.
    """

    def split(norm: nn.Module) -> nn.Module | None:
        if isinstance(norm, DomainBatchNorm):
            raise ValueError("split_batch_norm: the model's batch norms are already per domain")
        return DomainBatchNorm(norm, num_domains, eval_domain) if isinstance(norm, _BatchNorm) else None

    return _replace(model, split, {})


def _has_own_ways(norm: _BatchNorm) -> bool:
    """Return whether a package that is not known here says how a batch norm works, or what its training mode is."""
    places = [next(cls for cls in type(norm).__mro__ if name in vars(cls)).__module__ for name in ("forward", "train")]
    return any(place.partition(".")[0] not in KNOWN for place in places)


def _replace(module: nn.Module, convert: Any, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """Replace modules for which ``convert`` returns one; a module used in two places stays one module."""
    if module not in done:
        done[module] = module
        new = convert(module)
        if new is not None:
            done[module] = new
            return new
        # Not named_children(), which names a module that stands in two places only once.
        for name, child in list(module._modules.items()):
            if child is not None:
                setattr(module, name, _replace(child, convert, done))
    return done[module]
