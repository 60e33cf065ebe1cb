"""Time one step of the memories against a transcription of the authors' way, on the same input in the same run.

    python benchmarks/memories.py                                                              # small, a second
    python benchmarks/memories.py --images 16522 --dim 2048 --batch 128                        # ECN, Duke's size
    python benchmarks/memories.py --memory hybrid --images 12936 --dim 2048 --clusters 600     # SpCL, Market-1501's
    python benchmarks/memories.py --memory hybrid --images 32621 --dim 2048 --clusters 9400    # SpCL, MSMT17's

A step is the scores, the loss, its gradient to the features, and the memory's update. The authors' way is autograd
through every score, a full sort for ECN's neighbours, SpCL's scores of all images summed by class, and a Python loop
that updates row by row in the backward pass. Steps of both alternate, and the median counts, of the time by the clock
and of the processor's, which other jobs on the machine disturb less. Memory is the first step's peak beyond the rows.
Features are synthetic.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from common import Measurement, measured, memory_ratio, parser, record
from torch import Tensor

from reidzoo.losses import CrossEntropyLoss, InvarianceLoss
from reidzoo.memories import ExemplarMemory, HybridMemory

ALPHA_EPOCH = 20
NEIGHBOURS = 6


class CompareThenUpdate(torch.autograd.Function):
    """Scores of all rows; the backward pass moves the rows one by one, as both papers' codes do."""

    @staticmethod
    def forward(ctx: Any, feat: Tensor, index: Tensor, rows: Tensor, momentum: float) -> Tensor:
        """Return (B, N) inner products."""
        ctx.rows, ctx.momentum = rows, momentum
        ctx.save_for_backward(feat, index)
        return feat.mm(rows.t())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of the features, then update."""
        feat, index = ctx.saved_tensors
        result = grad.mm(ctx.rows)
        for f, i in zip(feat, index):
            ctx.rows[i] = ctx.momentum * ctx.rows[i] + (1 - ctx.momentum) * f
            ctx.rows[i] /= ctx.rows[i].norm()
        return result, None, None, None


def synthetic_features(count: int, dim: int, ids: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return L2-normalised features (count, dim) around ``ids`` centres, and whose they are; every id occurs."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(ids, dim, generator=torch.Generator().manual_seed(0))
    labels = torch.cat([torch.arange(ids), torch.randint(0, ids, (max(count - ids, 0),), generator=generator)])[:count]
    features = torch.randn(count, dim, generator=generator).mul_(2).add_(centres[labels])
    return F.normalize(features), labels


def exemplar_step(memory: ExemplarMemory, feat: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Return our loss and gradient of ECN's invariance learning, and update."""
    feat = feat.detach().requires_grad_()
    scores = memory(feat, index)
    loss = InvarianceLoss()(scores, *memory.targets(scores.detach(), index, ALPHA_EPOCH))
    (grad,) = torch.autograd.grad(loss, feat)
    memory.update(feat, index, ALPHA_EPOCH)
    return loss.detach(), grad


def exemplar_reference(keys: Tensor, feat: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same in the authors' way: a full sort, dense soft labels."""
    feat = feat.detach().requires_grad_()
    scores = CompareThenUpdate.apply(feat, index, keys, 0.01 * ALPHA_EPOCH) / 0.05
    with torch.no_grad():
        order = scores.sort(dim=1, descending=True).indices
        wanted = torch.zeros_like(scores)
        wanted.scatter_(1, order[:, :NEIGHBOURS], 1 / NEIGHBOURS)
        wanted.scatter_(1, index[:, None], 1.0)
    loss = -(wanted * F.log_softmax(scores, dim=1)).sum(1).mean()
    return loss.detach(), torch.autograd.grad(loss, feat)[0]


def hybrid_step(memory: HybridMemory, feat: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Return our loss and gradient of SpCL's contrastive learning, and update."""
    feat = feat.detach().requires_grad_()
    loss = CrossEntropyLoss()(memory(feat, index), memory.targets(index))
    (grad,) = torch.autograd.grad(loss, feat)
    memory.update(feat, index)
    return loss.detach(), grad


def hybrid_reference(rows: Tensor, labels: Tensor, feat: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same in the authors' way: every image's score, summed by class; 1e-6 in the softmax and the log."""
    feat = feat.detach().requires_grad_()
    scores = CompareThenUpdate.apply(feat, index, rows, 0.2) / 0.05
    clusters = int(labels.max()) + 1
    sums = torch.zeros(clusters, len(feat)).index_add(0, labels, scores.t().contiguous())
    counts = torch.zeros(clusters, 1).index_add(0, labels, torch.ones(len(labels), 1))
    filled = (counts > 0).float().expand_as(sums)
    exponents = torch.exp(sums / (filled * counts + (1 - filled))).t() * filled.t()
    p = exponents / (exponents.sum(1, keepdim=True) + 1e-6)
    loss = F.nll_loss(torch.log(p + 1e-6), labels[index])
    return loss.detach(), torch.autograd.grad(loss, feat)[0]


def alternated(
    functions: Sequence[Callable], batches: Sequence[tuple[Tensor, Tensor]]
) -> tuple[list[Measurement], float, float]:
    """Run all functions on each batch in turn, the first two of which give a loss and a gradient.

    Returns:
        The median times of each, with the peak memory of its first step, which counts for nothing else; and the largest
        relative differences of the losses, and of the gradients by their norms.
    """
    first = [measured(lambda: function(*batches[0])) for function in functions]  # noqa: B023
    times: list[list[tuple[float, float]]] = [[] for _ in functions]
    loss_off, grad_off = _differences(first[0].answer, first[1].answer)
    for batch in batches[1:]:
        answers = []
        for spent, function in zip(times, functions):
            start = time.perf_counter(), time.process_time()
            answers.append(function(*batch))
            spent.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        loss_off, grad_off = map(max, zip((loss_off, grad_off), _differences(*answers[:2])))
    medians = [map(statistics.median, zip(*spent)) for spent in times]
    return [Measurement(None, *median, one.peak) for median, one in zip(medians, first)], loss_off, grad_off


def _differences(ours: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]) -> tuple[float, float]:
    (loss, grad), (wanted, wanted_grad) = ours, reference
    return float((loss - wanted).abs() / wanted.abs()), float((grad - wanted_grad).norm() / wanted_grad.norm())


def case(options: argparse.Namespace, features: Tensor, labels: Tensor) -> tuple[str, list[Callable], Tensor, Tensor]:
    """Return the title, the functions to time (ours, the authors' way, the products alone), and the rows of both."""
    rows = features.clone()
    if options.memory == "exemplar":
        memory = ExemplarMemory(options.dim, options.images, neighbours=NEIGHBOURS)
        memory.keys.copy_(features)
        functions = [lambda f, i: exemplar_step(memory, f, i), lambda f, i: exemplar_reference(rows, f, i)]
        kept, classes, title = memory.keys, memory.keys, f"ECN's memory, k={NEIGHBOURS}"
    else:
        memory = HybridMemory(options.dim, 0, options.images)
        memory.initialise(torch.zeros(0, options.dim), features)
        memory.relabel(labels)
        functions = [lambda f, i: hybrid_step(memory, f, i), lambda f, i: hybrid_reference(rows, labels, f, i)]
        kept, classes, title = memory.features, memory.target_sums, f"SpCL's memory, {options.clusters} clusters"
    functions.append(lambda f, _: (f @ classes.t()) @ classes)
    return f"{title}, {options.images} x {options.dim}, batch {options.batch}", functions, kept, rows


def make_batches(options: argparse.Namespace, features: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the features and rows of each step: the rows' own features with noise."""
    batches = []
    for step in range(options.steps + 1):
        generator = torch.Generator().manual_seed(step)
        index = torch.randint(0, options.images, (options.batch,), generator=generator)
        noise = torch.randn(options.batch, options.dim, generator=generator)
        batches.append((F.normalize(features[index] + 0.5 * noise / options.dim**0.5), index))
    return batches


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the answers differ."""
    options = parser(__doc__)
    options.add_argument("--memory", choices=("exemplar", "hybrid"), default="exemplar")
    options.add_argument("--images", type=int, default=2000)
    options.add_argument("--dim", type=int, default=256)
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--clusters", type=int, default=100)
    options.add_argument("--steps", type=int, default=5)
    options = options.parse_args(argv)
    features, labels = synthetic_features(options.images, options.dim, options.clusters, seed=1)
    title, functions, kept, rows = case(options, features, labels)
    if options.skip_reference:
        functions[1] = functions[0]
    (ours, reference, limit), loss_off, grad_off = alternated(functions, make_batches(options, features))
    notes = [f"the two products alone take {1e3 * limit.seconds:.3g} ms"]
    print(title)
    print(ours.line("ours"))
    print(limit.line("products alone"))
    if options.skip_reference:
        record(options.json, title, ours, notes=notes)
        return 0
    print(reference.line("authors' way"))
    moved = float((kept - rows).abs().max())
    ratio, memory = reference.seconds / ours.seconds, memory_ratio(ours, reference)
    difference = f"largest difference of the loss {loss_off:.1e}, of the gradient {grad_off:.1e}, of a row {moved:.1e}"
    print(f"ratio {ratio:.1f} x, CPU {reference.cpu / ours.cpu:.1f} x, of memory {memory:.1f} x\n{difference}")
    # SpCL's 1e-6 moves its loss and gradient a little.
    bounds = (1e-5, 1e-4) if options.memory == "exemplar" else (1e-3, 1e-2)
    agree = loss_off < bounds[0] and grad_off < bounds[1] and moved < 1e-5
    figures = {"ratio": ratio, "memory_ratio": memory, "agree": agree, "difference": difference, "notes": notes}
    record(options.json, title, ours, reference=reference, **figures)
    return int(not agree)


if __name__ == "__main__":
    raise SystemExit(main())
