"""Networks whose kernels are recorded once and then launched together, by CUDA graphs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.models.batch_norm import immediate_statistics

__all__ = ["GraphedForward"]

MOST = 4  # recordings of one module, each with the memory of a forward and a backward pass


class GraphedForward:
    """A module's forward pass that replays recorded kernels, in training on a CUDA device; set it as ``forward``.

    A ResNet-50 launches more than a thousand kernels a step, and a host needs 5 to 30 us for each, often longer than
    the kernels run. A replay is one launch for the forward and one for the backward pass; the kernels are the same.

    A recording is of one size of batch, one choice of frozen weights and layers, and one precision; for another one it
    is made anew, at most ``MOST`` times, after which the module runs as it is. So it does without gradient, in
    evaluation mode, and from the second forward pass of a step on, whose activations would overwrite the first one's
    before its backward pass.

    Args:
        module: takes one tensor and returns one or several.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module, self.plain = module, module.forward
        self.recordings: dict[Any, Callable[[Tensor], Any]] = {}
        self.used = False

    def begin_step(self) -> None:
        """Allow the next forward pass to be a replay: the backward pass of the last one is over."""
        self.used = False

    def __call__(self, images: Tensor) -> Any:
        """Return what the module makes of ``images`` (B, ...)."""
        if self.used or not (self.module.training and torch.is_grad_enabled() and _can_record(images)):
            return self.plain(images)
        key = self._key(images)
        if key not in self.recordings:
            if len(self.recordings) == MOST:
                return self.plain(images)
            self.recordings[key] = self._record(images)
        self.used = True
        return self.recordings[key](images)

    def _key(self, images: Tensor) -> Any:
        """Return all that a recording depends on and that may change between two steps."""
        modes = tuple(module.training for module in self.module.modules())
        weights = tuple((p.data_ptr(), p.requires_grad) for p in self.module.parameters())
        return images.shape, images.stride(), images.dtype, _autocast(images.device.type), modes, weights

    def _record(self, images: Tensor) -> Callable[[Tensor], Any]:
        """Record both passes; the passes that warm up leave no trace in buffers and random numbers."""
        state = [(buffer, buffer.clone()) for buffer in self.module.buffers()]
        dtype = _autocast(images.device.type)
        with (
            torch.random.fork_rng([images.device] if images.is_cuda else []),
            immediate_statistics(),
            torch.autocast(images.device.type, dtype, enabled=dtype is not None, cache_enabled=False),
        ):
            sample = torch.empty_like(images).copy_(images)
            recorded = _make_graphed(_Holder(self.module, self.plain), sample)
        with torch.no_grad():
            for buffer, before in state:
                buffer.copy_(before)
        return recorded

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphedForward:
        """Return one for the copied module, without recordings, whose weights are others."""
        module = copy.deepcopy(self.module, memo)
        new = object.__new__(GraphedForward)
        new.module, new.plain = module, self.plain.__func__.__get__(module)  # type: ignore[attr-defined]
        new.recordings, new.used = {}, False
        return new


class _Holder(nn.Module):
    """A module by its own forward pass, which a recording may replace."""

    def __init__(self, module: nn.Module, forward: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.module, self.plain = module, forward

    def forward(self, images: Tensor) -> Any:
        return self.plain(images)


def _can_record(images: Tensor) -> bool:
    return images.is_cuda and not torch.cuda.is_current_stream_capturing()


def _autocast(device_type: str) -> torch.dtype | None:
    return torch.get_autocast_dtype(device_type) if torch.is_autocast_enabled(device_type) else None


def _make_graphed(holder: nn.Module, sample: Tensor) -> Callable[[Tensor], Any]:
    return torch.cuda.make_graphed_callables(holder, (sample,), allow_unused_input=True)
