"""Trades computation for memory: forwards a batch in chunks, and recomputes activations in the backward pass.

Neither changes what is learnt: batch norm's running statistics move in the first pass only, and random numbers, such as
dropout's, are drawn again as they were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint
from yacs.config import CfgNode

from reidzoo.errors import ConfigError
from reidzoo.models.batch_norm import joint_statistics, kept_statistics

__all__ = ["check_chunks", "forward_in_chunks", "recompute_blocks"]

CONTAINERS = (nn.Sequential, nn.ModuleList)
Run = Callable[[Tensor], dict[str, Tensor]]


def check_chunks(cfg: CfgNode) -> None:
    """Check that batch norm's groups and domains lie within chunks.

    Raises:
        ConfigError: they do not.
    """
    chunk, group = cfg.SOLVER.CHUNK, cfg.MODEL.BN_GROUP
    if chunk and cfg.MODEL.BN_DOMAINS > 1:
        raise ConfigError("SOLVER.CHUNK: a chunk has one domain's images only; set it to 0 with MODEL.BN_DOMAINS")
    if chunk and chunk % max(group, 1):
        raise ConfigError(f"SOLVER.CHUNK {chunk} is not a multiple of MODEL.BN_GROUP {group}")


def forward_in_chunks(run: Run, images: Tensor, size: int, parameters: Sequence[nn.Parameter]) -> dict[str, Tensor]:
    """Return what ``run`` makes of the batch, with the memory of a chunk of it (Gao et al., RepL4NLP 2021).

    The first pass keeps no activations; losses see the outputs of the whole batch, so that batch-hard mining is over
    all of it. In the backward pass each chunk is forwarded once more, and the gradients of its outputs go through it.
    Gradients are those of the whole batch, up to rounding, if an image's output does not depend on other chunks: batch
    norm's statistics are of a chunk's images, or of its groups where MODEL.BN_GROUP divides a chunk.

    Args:
        run: what the outputs are computed with, images (b, 3, H, W) -> name -> (b, ...).
        images: (B, 3, H, W) of this process.
        size: images of a chunk.
        parameters: that ``run`` uses; those without ``requires_grad`` are left out.

    Raises:
        ConfigError: an output does not have a row for each image of a chunk.
    """
    if size >= len(images):
        return run(images)
    if not torch.is_grad_enabled():
        with joint_statistics():
            return _joined([_checked(run(chunk), len(chunk)) for chunk in images.split(size)])
    names: list[str] = []
    trained = [p for p in parameters if p.requires_grad]
    values = _Chunks.apply(run, names, size, images, *trained)
    return dict(zip(names, values))


class _Chunks(torch.autograd.Function):
    """The whole batch's outputs; its backward pass forwards each chunk again."""

    @staticmethod
    def forward(ctx: Any, run: Run, names: list[str], size: int, images: Tensor, *parameters: Tensor) -> Any:
        """Forward each chunk without a graph; return the whole batch's outputs, whose ``names`` are filled in."""
        ctx.run, ctx.size, ctx.parameters = run, size, parameters
        ctx.states, parts = [], []
        ctx.save_for_backward(images)
        with joint_statistics():
            for chunk in images.split(size):
                ctx.states.append(_random_state(images.device))
                parts.append(_checked(run(chunk), len(chunk)))
        outputs = _joined(parts)
        names += outputs
        ctx.names = list(names)
        ctx.mark_non_differentiable(*(value for value in outputs.values() if not value.is_floating_point()))
        ctx.set_materialize_grads(False)
        return tuple(outputs.values())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        """Forward each chunk once more, with its random numbers; return the parameters' gradients, summed up."""
        (images,) = ctx.saved_tensors
        wanted = [(name, grad.split(ctx.size)) for name, grad in zip(ctx.names, grads) if grad is not None]
        sums: list[Tensor | None] = [None] * len(ctx.parameters)
        for number, chunk in enumerate(images.split(ctx.size)):
            with _drawn_again(ctx.states[number], images.device), kept_statistics(), torch.enable_grad():
                outputs = ctx.run(chunk)
            pairs = [(outputs[name], parts[number]) for name, parts in wanted if outputs[name].requires_grad]
            if not pairs:
                continue
            values, of_values = zip(*pairs)
            found = torch.autograd.grad(values, ctx.parameters, of_values, allow_unused=True)
            for place, grad in enumerate(found):
                sums[place] = _sum(sums[place], grad)
        return None, None, None, None, *sums


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _joined(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _checked(outputs: dict[str, Tensor], rows: int) -> dict[str, Tensor]:
    for name, value in outputs.items():
        if not value.dim() or len(value) != rows:
            raise ConfigError(
                f"SOLVER.CHUNK: the output {name!r}, of shape {tuple(value.shape)} has no row for each of {rows}. "
                f"This model cannot be computed in chunks, set SOLVER.CHUNK 0"
            )
    return outputs


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Return the state of the generators, which lie in the host's memory."""
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextlib.contextmanager
def _drawn_again(state: tuple[Tensor, Tensor | None], device: torch.device) -> Iterator[None]:
    """Repeat inside the block the random draws made from ``state``, and restore the generators on exit."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.set_rng_state(state[0])
        if state[1] is not None:
            torch.cuda.set_rng_state(state[1], device)
        yield


def recompute_blocks(backbone: nn.Module) -> int:
    """Make each block of a backbone keep only its input and be recomputed in the backward pass; return how many.

    Chen et al., "Training deep nets with sublinear memory cost" (2016). Blocks are the members of the backbone's
    ``nn.Sequential`` children, ResNet's residual blocks for example; its other children are searched for them further
    within, as the network of another library is. Names of weights stay as they are.
    """
    blocks = _blocks(backbone)
    for block in blocks:
        block.forward = _Recomputed(block.forward)
    return len(blocks)


def _blocks(module: nn.Module) -> list[nn.Module]:
    children = list(module.children())
    within = [block for child in children if not isinstance(child, CONTAINERS) for block in _blocks(child)]
    for kind in CONTAINERS:
        if found := [block for child in children if isinstance(child, kind) for block in child.children()]:
            # Layers of a stem are no blocks, and the ReLUs among them write into their inputs.
            return [block for block in (*found, *within) if any(block.children())] or found
    return within


class _Recomputed:
    """A block's forward pass that is recomputed in the backward pass."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward = forward

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.forward(*inputs, **options)
        return checkpoint(self.forward, *inputs, use_reentrant=False, context_fn=_contexts, **options)


def _contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return the contexts of the first pass and of the second."""
    return contextlib.nullcontext(), kept_statistics()
