"""Batch norm over all processes by tensors' own operations, on any device."""

from __future__ import annotations

import torch
from torch import distributed
from torch.autograd.function import once_differentiable

from reidzoo.distributed import world_size
from reidzoo.half_precision import widen

__all__ = ["NormaliseTogether"]


class NormaliseTogether(torch.autograd.Function):
    """y = weight * (x - mean) / sqrt(var + eps) + bias with mean and var over the batches of all processes.

    Returns y, the mean and the unbiased variance; the latter two carry no gradient.
    """

    @staticmethod
    def forward(ctx, maps, weight, bias, eps):  # noqa: ANN001
        """Normalise this process's (B, C, ...) by all processes' statistics, and return those."""
        ctx.shape = (1, -1) + (1,) * (maps.dim() - 2)
        ctx.dims = [dim for dim in range(maps.dim()) if dim != 1]
        wide = widen(maps)
        count = wide.numel() // wide.shape[1]
        mean = wide.mean(ctx.dims)
        squares = (wide - mean.view(ctx.shape)).square_().sum(ctx.dims)
        mean, variance, total = _pool_statistics(mean, squares, count)
        scale = (variance + eps).rsqrt()
        output = (wide - mean.view(ctx.shape)).mul_(scale.view(ctx.shape))
        if weight is not None:
            output = output.mul_(weight.view(ctx.shape))
        if bias is not None:
            output = output.add_(bias.view(ctx.shape))
        ctx.save_for_backward(maps, weight, mean, scale, total)
        unbiased = variance * (total / (total - 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return output.to(maps.dtype), mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(ctx, grad, _mean, _variance):  # noqa: ANN001
        """Return the gradients of the maps, and of weight and bias over this process's share."""
        maps, weight, mean, scale, total = ctx.saved_tensors
        grad = widen(grad)
        centred = (widen(maps) - mean.view(ctx.shape)).mul_(scale.view(ctx.shape))
        sums = torch.cat([grad.sum(ctx.dims), (grad * centred).sum(ctx.dims)])
        # A parameter's gradient is this process's share: `averaged_backward` averages them over the processes.
        grad_bias, grad_weight = sums.clone().chunk(2)
        distributed.all_reduce(sums)
        mean_grad, mean_product = (sums / total).chunk(2)
        # dx = weight / sigma * (dy - mean(dy) - xhat * mean(dy * xhat)), means over the batch of all processes.
        inner = (grad - mean_grad.view(ctx.shape)).addcmul_(centred, mean_product.view(ctx.shape), value=-1)
        factor = scale if weight is None else scale * weight
        grad_maps = inner.mul_(factor.view(ctx.shape)).to(maps.dtype)
        _, needs_weight, needs_bias, _ = ctx.needs_input_grad
        return grad_maps, grad_weight if needs_weight else None, grad_bias if needs_bias else None, None


def _pool_statistics(
    mean: torch.Tensor, squares: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Join every process's count, mean and sum of squared deviations (Chan et al. 1983).

    Returns:
        mean (C,), biased variance (C,) and number of elements () over all processes.
    """
    mine = torch.cat([mean, squares, mean.new_full((1,), float(count))])
    everyone = [torch.empty_like(mine) for _ in range(world_size())]
    distributed.all_gather(everyone, mine)
    table = torch.stack(everyone)
    means, deviations = table[:, :-1].chunk(2, dim=1)
    counts = table[:, -1:]
    total = counts.sum()
    joint = (counts * means).sum(0) / total
    variance = (deviations + counts * (means - joint).square()).sum(0) / total
    return joint, variance, total
