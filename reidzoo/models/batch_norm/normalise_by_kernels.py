"""Batch norm over all processes by torch's kernels for CUDA."""

from __future__ import annotations

import torch
from torch import distributed
from torch.autograd.function import once_differentiable

from reidzoo.distributed import world_size

__all__ = ["NormaliseByKernels"]


class NormaliseByKernels(torch.autograd.Function):
    """Computes what ``NormaliseTogether`` does, on a CUDA device, in one kernel and one collective each way.

    ``nn.SyncBatchNorm``'s own function leaves out processes without images by a boolean mask, for which the host waits
    in every layer; here every process has some. The running statistics move within.
    """

    @staticmethod
    def forward(ctx, maps, weight, bias, running_mean, running_var, momentum, eps):  # noqa: ANN001
        """Normalise this process's (B, C, ...) by all processes' statistics."""
        maps = _dense(maps)
        mean, scale = torch.batch_norm_stats(maps, eps)
        count = maps.numel() // maps.shape[1]
        mine = torch.cat([mean, scale, mean.new_full((1,), float(count))])
        everyone = [torch.empty_like(mine) for _ in range(world_size())]
        distributed.all_gather(everyone, mine)
        table = torch.stack(everyone)
        means, scales = table[:, :-1].chunk(2, dim=1)
        counts = table[:, -1].contiguous()
        mean, scale = torch.batch_norm_gather_stats_with_counts(
            maps, means, scales, running_mean, running_var, momentum, eps, counts
        )
        ctx.save_for_backward(maps, weight, mean, scale, counts.to(torch.int32))
        return torch.batch_norm_elemt(maps, weight, bias, mean, scale, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # noqa: ANN001
        """Return the gradients of the maps, and of weight and bias over this process's share."""
        maps, weight, mean, scale, counts = ctx.saved_tensors
        needs_maps, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        grad = _dense(grad)
        # A parameter's gradient is this process's share: `averaged_backward` averages them over the processes.
        sums, products, grad_weight, grad_bias = torch.batch_norm_backward_reduce(
            grad, maps, mean, scale, weight, needs_maps, needs_weight, needs_bias
        )
        grad_maps = None
        if needs_maps:
            both = torch.cat([sums, products])
            distributed.all_reduce(both)
            sums, products = both.chunk(2)
            grad_maps = torch.batch_norm_backward_elemt(
                grad, maps, mean, scale, weight.to(mean.dtype), sums, products, counts
            )
        return grad_maps, grad_weight if needs_weight else None, grad_bias if needs_bias else None, *(None,) * 4


def _dense(maps: torch.Tensor) -> torch.Tensor:
    """Return maps in a layout that the kernels read: channels-last or contiguous."""
    last = maps.dim() == 4 and maps.is_contiguous(memory_format=torch.channels_last)
    return maps if last else maps.contiguous()
