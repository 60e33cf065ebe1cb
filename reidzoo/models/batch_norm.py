"""Batch norm over groups of a batch, over the batch of all processes, and per domain.

Which images share batch statistics is part of a method: codes that ran ``DataParallel`` on four GPUs had statistics
over a quarter of the batch, and their numbers depend on it. Here it is explicit. ``convert_batch_norm`` and
``split_batch_norm`` change every ``nn.BatchNorm`` of a model, also those within IBN; both keep the parameters.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from reidzoo.distributed import world_size
from reidzoo.errors import ConfigError

__all__ = [
    "DomainBatchNorm", "GlobalBatchNorm", "GroupBatchNorm", "convert_batch_norm", "deferred_statistics",
    "immediate_statistics", "joint_statistics", "kept_statistics", "split_batch_norm",
]  # fmt: skip


FEW = 8
"""Groups up to which a GPU takes one after the other."""


class _Moves:
    """What becomes of the running statistics of batches: moved at once, later in one go, or not at all.

    Attributes:
        kept: they stay as they are.
        waiting: what is to be moved later, in the order of the forward passes; None where nothing waits.
    """

    def __init__(self) -> None:
        self.kept = False
        self.waiting: list[tuple[GroupBatchNorm, torch.Tensor]] | None = None


_moves = _Moves()


@contextlib.contextmanager
def kept_statistics() -> Iterator[None]:
    """Leave all running statistics alone: batches that are forwarded a second time have moved them already."""
    before, _moves.kept = _moves.kept, True
    try:
        yield
    finally:
        _moves.kept = before


@contextlib.contextmanager
def _collecting(waiting: list[tuple[GroupBatchNorm, torch.Tensor]] | None) -> Iterator[Any]:
    """Collect what is to be moved inside in ``waiting``; yield what it was collected in before."""
    outer, _moves.waiting = _moves.waiting, waiting
    try:
        yield outer
    finally:
        _moves.waiting = outer


@contextlib.contextmanager
def joint_statistics() -> Iterator[None]:
    """Take what is forwarded inside as one batch: its groups move the running statistics of group norms once.

    Norms over whole batches take each forward pass for a batch of its own.
    """
    with _collecting([]) as outer:
        yield
        joint: dict[GroupBatchNorm, torch.Tensor] = {}
        for norm, sums in _moves.waiting or ():
            joint[norm] = joint[norm] + sums if norm in joint else sums
        if outer is None:
            _move(list(joint.items()))
        else:
            outer += joint.items()


@contextlib.contextmanager
def deferred_statistics() -> Iterator[None]:
    """Move the running statistics of group norms at the end, over all processes in one transfer.

    A norm whose running statistics are used inside, in evaluation mode, moves all that wait first.
    """
    with _collecting([]):
        yield
        _move_waiting()


@contextlib.contextmanager
def immediate_statistics() -> Iterator[None]:
    """Move running statistics within each forward pass, as kernels that are recorded have to."""
    with _collecting(None):
        yield


def _move_waiting() -> None:
    if _moves.waiting:
        waiting, _moves.waiting = _moves.waiting, []
        _move(waiting)


@torch.no_grad()
def _move(waiting: list[tuple[GroupBatchNorm, torch.Tensor]]) -> None:
    """Move each norm's running statistics towards its sums, those of all processes."""
    if world_size() > 1 and waiting:
        flat = torch.cat([sums for _, sums in waiting])
        distributed.all_reduce(flat)
        waiting = list(zip((norm for norm, _ in waiting), flat.split([len(sums) for _, sums in waiting])))
    for norm, sums in waiting:
        norm._update(*(sums[:-1] / sums[-1]).chunk(2))


class _ConvertedBatchNorm(_BatchNorm):
    """A batch norm for (B, C) and (B, C, ...) made from another one, with the same ``state_dict`` keys."""

    def _check_input_dim(self, maps: torch.Tensor) -> None:
        if maps.dim() < 2:
            raise ValueError(f"{type(self).__name__}: expected (B, C) or (B, C, ...), got {tuple(maps.shape)}")

    @classmethod
    def adopt(cls, norm: _BatchNorm, **arguments: Any) -> _ConvertedBatchNorm:
        """Return a module of this class that shares the parameters and buffers of ``norm``."""
        # 0 features: the tensors are replaced at once, whatever their device and dtype.
        new = cls(0, norm.eps, norm.momentum, norm.affine, norm.track_running_stats, **arguments)
        new.num_features = norm.num_features
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(new, name, getattr(norm, name))
        return new.train(norm.training)

    def _count_batch(self) -> float:
        """Count one more batch and return its weight in the running statistics; momentum None is their plain mean."""
        if self.num_batches_tracked is None:  # as nn.BatchNorm without a count
            return self.momentum or 0.0
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def _update(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running statistics towards ``mean`` and the unbiased ``variance``, both (C,)."""
        if not (self.training and self.track_running_stats) or self.running_mean is None or self.running_var is None:
            return
        momentum = self._count_batch()
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)

    def _by_running_statistics(self, maps: torch.Tensor) -> torch.Tensor:
        _move_waiting()
        return functional.batch_norm(
            maps, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )


class GroupBatchNorm(_ConvertedBatchNorm):
    """Batch norm with statistics over groups of ``group`` consecutive images ("ghost batch norm").

    Each group is normalised by its own mean and variance (Hoffer et al., NeurIPS 2017). The running statistics move
    once per batch, towards the mean over the groups of their means and unbiased variances; with several processes the
    mean is over the groups of all of them, so that one process and N agree. (``DataParallel`` keeps those of the first
    replica only.) Statistics are in float32 also for half-precision maps.

    Args:
        num_features, eps, momentum, affine, track_running_stats: as for ``nn.BatchNorm2d``.
        group: images per group. The batch of a process must be a multiple of it.

    Raises:
        ConfigError: in training, the batch is not a multiple of ``group``.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        group: int,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)
        if group < 1:
            raise ValueError(f"GroupBatchNorm: group must be at least 1, got {group}")
        self.group = group

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, ...); B must be a multiple of ``group`` in training."""
        self._check_input_dim(maps)
        if not self.training and self.running_mean is not None:
            return self._by_running_statistics(maps)
        batch, channels = maps.shape[:2]
        if batch % self.group or not batch:
            raise ConfigError(
                f"batch norm over groups of {self.group} images got a batch of {batch} (in this process), which is not "
                f"a multiple; change the batch size or MODEL.BN_GROUP"
            )
        count = batch // self.group
        dtype = torch.float32 if maps.dtype in (torch.float16, torch.bfloat16) else maps.dtype
        # Momentum 1 makes batch_norm hand out the statistics of this batch themselves.
        mean = torch.zeros(count, channels, dtype=dtype, device=maps.device)
        variance = torch.ones_like(mean)
        normalise = self._group_by_group if maps.is_cuda and count <= FEW else self._side_by_side
        output = normalise(maps, mean, variance)
        if self.training and self.track_running_stats:
            self._note(mean, variance)
        return output

    def _side_by_side(self, maps: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Normalise all groups in one call, as channels of their own: two copies each way, whatever their number."""
        columns = _groups_to_channels(maps, self.group)
        weight, bias = (None if affine is None else affine.repeat(len(mean)) for affine in (self.weight, self.bias))
        columns = functional.batch_norm(columns, mean.view(-1), variance.view(-1), weight, bias, True, 1.0, self.eps)
        return _channels_to_groups(columns, maps)

    def _group_by_group(self, maps: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Normalise each group where it lies: one copy each way, and a call for each."""
        parts = zip(maps.split(self.group), mean, variance)
        return torch.cat(
            [functional.batch_norm(part, m, v, self.weight, self.bias, True, 1.0, self.eps) for part, m, v in parts]
        )

    @torch.no_grad()
    def _note(self, means: torch.Tensor, variances: torch.Tensor) -> None:
        """Take the statistics (groups, C) of a batch into account."""
        if _moves.kept:
            return
        sums = torch.cat([means.sum(0), variances.sum(0), means.new_full((1,), float(len(means)))])
        if _moves.waiting is None or torch.compiler.is_compiling():
            _move([(self, sums)])
        else:
            _moves.waiting.append((self, sums))

    def extra_repr(self) -> str:
        """Return the arguments for ``print(model)``."""
        return f"{super().extra_repr()}, group={self.group}"


def _is_channels_last(maps: torch.Tensor) -> bool:
    return maps.dim() == 4 and maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()


def _groups_to_channels(maps: torch.Tensor, group: int) -> torch.Tensor:
    """Lay the n groups side by side as channels: (n g, C, ...) -> (g, n C, ...), channels_last -> (g h w, n C).

    Then one call of batch_norm normalises each (group, channel) pair on its own, without a loop.
    """
    count, channels = maps.shape[0] // group, maps.shape[1]
    if _is_channels_last(maps):
        rows = maps.permute(0, 2, 3, 1).reshape(count, -1, channels).transpose(0, 1)
        return rows.reshape(-1, count * channels)
    spread = maps.reshape(count, group, *maps.shape[1:]).transpose(0, 1)
    return spread.reshape(group, count * channels, *maps.shape[2:])


def _channels_to_groups(columns: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Undo ``_groups_to_channels``; the result has the shape and memory format of ``like``."""
    batch, channels = like.shape[:2]
    if _is_channels_last(like):
        height, width = like.shape[2:]
        rows = columns.view(columns.shape[0], -1, channels).transpose(0, 1)
        return rows.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    group = columns.shape[0]
    spread = columns.view(group, batch // group, channels, *like.shape[2:])
    return spread.transpose(0, 1).reshape(like.shape)


class GlobalBatchNorm(_ConvertedBatchNorm):
    """Batch norm with statistics over the whole batch, also when several processes share it.

    In one process it is ``nn.BatchNorm``. In N, the processes exchange count, mean and sum of squares of each channel
    (one collective forward, one backward), and the shares may differ in size. Unlike ``nn.SyncBatchNorm`` it works with
    gloo on CPU, and on CUDA no layer makes the host wait. Statistics are in float32 also for half-precision maps. The
    arguments are ``nn.BatchNorm2d``'s.
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, ...); in training each process gives its share and every process has to call."""
        self._check_input_dim(maps)
        if not self.training and self.running_mean is not None:
            return self._by_running_statistics(maps)
        if world_size() > 1 and self.training:
            if maps.is_cuda and self.weight is not None and self.bias is not None:
                return self._by_kernels(maps)
            output, mean, variance = _NormaliseTogether.apply(maps, self.weight, self.bias, self.eps)
            if not _moves.kept:
                self._update(mean, variance)
            return output
        if not (self.training and self.track_running_stats):
            return functional.batch_norm(maps, None, None, self.weight, self.bias, True, 0.0, self.eps)
        mean, variance = self.running_mean, self.running_var
        if _moves.kept:  # copies, which move in their place: a pass done again has to keep what the first one kept
            mean, variance, momentum = _copy(mean), _copy(variance), self.momentum or 0.0
        else:
            momentum = self._count_batch()
        return functional.batch_norm(maps, mean, variance, self.weight, self.bias, True, momentum, self.eps)

    def _by_kernels(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise over all processes by the kernels that ``nn.SyncBatchNorm`` is made of."""
        moved = self.track_running_stats and not _moves.kept
        running = (self.running_mean, self.running_var) if moved else (None, None)
        momentum = self._count_batch() if moved else 0.0
        return _NormaliseByKernels.apply(maps, self.weight, self.bias, *running, momentum, self.eps)


def _copy(statistic: torch.Tensor | None) -> torch.Tensor | None:
    return None if statistic is None else statistic.clone()


class _NormaliseByKernels(torch.autograd.Function):
    """What ``_NormaliseTogether`` computes, on a CUDA device, in one kernel and one collective each way.

    ``nn.SyncBatchNorm``'s own function leaves out processes without images by a boolean mask, for which the host waits
    in every layer; here every process has some. The running statistics move within.
    """

    @staticmethod
    def forward(ctx, maps, weight, bias, running_mean, running_var, momentum, eps):  # noqa: ANN001
        maps = _dense(maps)
        mean, scale = torch.batch_norm_stats(maps, eps)
        mine = torch.cat([mean, scale, mean.new_full((1,), float(maps.numel() // maps.shape[1]))])
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
        maps, weight, mean, scale, counts = ctx.saved_tensors
        needs_maps, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        grad = _dense(grad)
        # A parameter's gradient is this process's share: the data-parallel wrapper adds those up.
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


class _NormaliseTogether(torch.autograd.Function):
    """y = weight * (x - mean) / sqrt(var + eps) + bias with mean and var over the batches of all processes.

    Returns y, the mean and the unbiased variance; the latter two carry no gradient.
    """

    @staticmethod
    def forward(ctx, maps, weight, bias, eps):  # noqa: ANN001
        ctx.shape = (1, -1) + (1,) * (maps.dim() - 2)
        ctx.dims = [dim for dim in range(maps.dim()) if dim != 1]
        wide = _widen(maps)
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
        maps, weight, mean, scale, total = ctx.saved_tensors
        grad = _widen(grad)
        centred = (_widen(maps) - mean.view(ctx.shape)).mul_(scale.view(ctx.shape))
        sums = torch.cat([grad.sum(ctx.dims), (grad * centred).sum(ctx.dims)])
        # A parameter's gradient is this process's share: the data-parallel wrapper adds those up.
        grad_bias, grad_weight = sums.clone().chunk(2)
        distributed.all_reduce(sums)
        mean_grad, mean_product = (sums / total).chunk(2)
        # dx = weight / sigma * (dy - mean(dy) - xhat * mean(dy * xhat)), means over the batch of all processes.
        inner = (grad - mean_grad.view(ctx.shape)).addcmul_(centred, mean_product.view(ctx.shape), value=-1)
        factor = scale if weight is None else scale * weight
        grad_maps = inner.mul_(factor.view(ctx.shape)).to(maps.dtype)
        _, needs_weight, needs_bias, _ = ctx.needs_input_grad
        return grad_maps, grad_weight if needs_weight else None, grad_bias if needs_bias else None, None


def _widen(maps: torch.Tensor) -> torch.Tensor:
    """Return half-precision maps as float32, others as they are."""
    return maps.float() if maps.dtype in (torch.float16, torch.bfloat16) else maps


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


def convert_batch_norm(model: nn.Module, group: int = 0) -> nn.Module:
    """Make every batch norm of a model a ``GroupBatchNorm``, or for ``group`` 0 a ``GlobalBatchNorm``, in place.

    Parameters and buffers stay the same objects, so optimizers built before stay valid, and ``state_dict`` keys stay
    the same, so weights can be loaded before or after. Norms within ``DomainBatchNorm`` are converted too.

    Args:
        model: any module.
        group: images per group; 0 is the whole batch, of all processes.

    Returns:
        ``model``; only where it is a batch norm itself, the converted one.
    """
    if group < 0:
        raise ValueError(f"convert_batch_norm: group must be 0 (the whole batch) or more, got {group}")

    def convert(norm: nn.Module) -> nn.Module | None:
        if not isinstance(norm, _BatchNorm):
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
