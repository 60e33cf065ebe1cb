"""Batch norm per domain."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from reidzoo.errors import ConfigError

__all__ = ["DomainBatchNorm"]


class DomainBatchNorm(nn.Module):
    """One batch norm per domain (Chang et al., CVPR 2019; SpCL, Ge et al., NeurIPS 2020).

    In training the batch is ``num_domains`` consecutive parts of equal size, source first, and each part is normalised
    by its own batch norm. In evaluation all images go through that of ``eval_domain``. All start as copies of ``norm``,
    also of its kind: inner norms may be ``GroupBatchNorm`` or ``GlobalBatchNorm``. Keys: ``domains.<d>.weight`` ...

    Args:
        norm: the batch norm to copy.
        num_domains: number of domains.
        eval_domain: the domain whose statistics are used in evaluation; -1 is the last, the target.

    Raises:
        ConfigError: in training, the batch is not ``num_domains`` equal parts.
    """

    def __init__(self, norm: _BatchNorm, num_domains: int = 2, eval_domain: int = -1) -> None:
        super().__init__()
        if num_domains < 1 or not -num_domains <= eval_domain < num_domains:
            raise ValueError(f"DomainBatchNorm: no domain {eval_domain} among {num_domains}")
        self.domains = nn.ModuleList([norm, *(copy.deepcopy(norm) for _ in range(num_domains - 1))])
        self.num_domains = num_domains
        self.eval_domain = eval_domain
        self.train(norm.training)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, ...); B must be a multiple of the number of domains in training."""
        if not self.training:
            return self.domains[self.eval_domain](maps)
        if len(maps) % self.num_domains or not len(maps):
            raise ConfigError(
                f"batch norm per domain got a batch of {len(maps)} (in this process), which is not {self.num_domains} "
                f"equal parts, one per domain; change SOLVER.IMS_PER_BATCH or MODEL.BN_DOMAINS"
            )
        return torch.cat([norm(part) for norm, part in zip(self.domains, maps.chunk(self.num_domains))])
