"""Parity with the CPU: losses, memories, batch norm, augmentation, ranking, clustering."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from shared import ARGS, base_yaml, config, device, say, switches
from torch import Tensor, nn

from reidzoo import losses, memories
from reidzoo.backbones.ibn import IBN
from reidzoo.clustering import dbscan_radii, jaccard_graph, kmeans
from reidzoo.evaluation import evaluate_ranking, rerank_k_reciprocal
from reidzoo.models.batch_norm import GroupBatchNorm
from reidzoo.transforms import BatchDraw, Compose

SIZE, DIM = 32, 64
"""Images of a batch, and values of a feature."""

Note = Callable[[str, float, float], None]
Attempt = Callable[[str, Callable[[], None]], None]
Distance = Callable[[Any, Any], float]


def parity() -> dict:
    """Compare the CPU with the device: losses, memories, batch norm, augmentation, ranking, clustering."""
    found: dict = {}

    def note(name: str, error: float, limit: float) -> None:
        found[name] = {"error": float(error), "limit": limit, "ok": bool(error <= limit)}

    def attempt(name: str, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:
            found[name] = {"ok": False, "traceback": traceback.format_exc(limit=4)}

    def distance(a: Any, b: Any) -> float:
        a, b = torch.as_tensor(a).double().cpu(), torch.as_tensor(b).double().cpu()
        return float((a - b).abs().max() / b.abs().max().clamp(min=1e-12)) if b.numel() else 0.0

    with switches(conv_tf32=False, matmul_tf32=False):
        _parity_of_parts(note, attempt, distance)
        _parity_of_retrieval(note, attempt, distance)
    bad = [name for name, value in found.items() if not value["ok"]]
    say("parity:", f"{len(found) - len(bad)} of {len(found)} agree" + (f"; NOT: {', '.join(bad)}" if bad else ""))
    return found


def _parity_of_parts(note: Note, attempt: Attempt, distance: Distance) -> None:
    for name, (loss, inputs) in loss_cases().items():

        def one(name: str = name, loss: nn.Module = loss, inputs: dict = inputs) -> None:
            here, there = (value_and_gradients(copy.deepcopy(loss), inputs, place) for place in ("cpu", device()))
            note(f"loss {name}", distance(there[0], here[0]), 1e-5)
            note(f"grad {name}", max(distance(a, b) for a, b in zip(there[1], here[1])), 1e-4)

        attempt(f"loss {name}", one)
    cases = {"HybridMemory": _hybrid, "ExemplarMemory": _exemplar, "norms": _norms, "augmentation": _augmentation}
    for name, function in cases.items():
        attempt(name, partial(function, note, distance))


def loss_cases() -> dict[str, tuple[nn.Module, dict[str, Tensor]]]:
    """Return name -> a loss and what it is given."""
    torch.manual_seed(0)
    size, dim, classes = SIZE, DIM, 8
    feat, logits = torch.randn(size, dim), torch.randn(size, classes)
    pid = torch.arange(size) // 4
    label, prior = torch.arange(size) % 5, torch.softmax(torch.randn(size, 5), 1)
    scores, columns = torch.randn(size, 100), torch.randint(0, 100, (size, 6))
    shares = torch.rand(size, 6)
    return {
        "CrossEntropyLoss": (losses.CrossEntropyLoss(0.1), {"logits": logits, "pid": pid}),
        "TripletLoss soft": (losses.TripletLoss(), {"feat": feat, "pid": pid}),
        "TripletLoss 0.3": (losses.TripletLoss(0.3), {"feat": feat, "pid": pid}),
        "CenterLoss": (losses.CenterLoss(classes, dim), {"feat": feat, "pid": pid}),
        "ContrastiveLoss": (losses.ContrastiveLoss(), {"feat": feat, "pid": pid}),
        "DomainBalanceLoss": (losses.DomainBalanceLoss(), {"domain_logits": torch.randn(size, 2)}),
        "NegativeEntropyLoss": (losses.NegativeEntropyLoss(), {"nuisance_logits": torch.randn(size, 5)}),
        "NegatedCrossEntropyLoss": (
            losses.NegatedCrossEntropyLoss(), {"nuisance_logits": torch.randn(size, 5), "nuisance_label": label}),
        "CalibratedNegativeEntropyLoss": (
            losses.CalibratedNegativeEntropyLoss(),
            {"nuisance_logits": torch.randn(size, 5), "nuisance_label": label, "nuisance_prior": prior}),
        "InvarianceLoss": (losses.InvarianceLoss(), {"scores": scores, "columns": columns, "weights": shares}),
    }  # fmt: skip


def value_and_gradients(loss: nn.Module, inputs: dict[str, Tensor], place: Any) -> tuple[Tensor, list[Tensor]]:
    """Return a loss on a device, and its gradients with respect to what it is given."""
    loss = loss.to(place)
    given = {k: v.detach().clone().to(place) for k, v in inputs.items()}
    leaves = [v.requires_grad_() for v in given.values() if v.is_floating_point()]
    value = loss(**given)
    grads = torch.autograd.grad(value, leaves, allow_unused=True)
    return value.detach(), [torch.zeros_like(p) if g is None else g for g, p in zip(grads, leaves)]


def _hybrid(note: Note, distance: Distance) -> None:
    answers = []
    for place in ("cpu", device()):
        torch.manual_seed(1)
        memory = memories.HybridMemory(DIM, 10, 50).to(place)
        memory.initialise(torch.randn(10, DIM), torch.randn(50, DIM))
        memory.relabel(torch.arange(50) // 5)
        f = F.normalize(torch.randn(SIZE, DIM), dim=1).to(place).requires_grad_()
        index = torch.randint(0, 60, (SIZE,)).to(place)  # with repeated rows
        value = F.cross_entropy(memory(f, index), memory.targets(index))
        (grad,) = torch.autograd.grad(value, f)
        memory.update(f.detach(), index)
        answers.append((value, grad, memory.features, memory.target_sums))
    for n, what in enumerate(("loss", "grad", "features", "sums")):
        note(f"HybridMemory {what}", distance(answers[1][n].detach(), answers[0][n].detach()), 1e-4)


def _exemplar(note: Note, distance: Distance) -> None:
    answers = []
    for place in ("cpu", device()):
        torch.manual_seed(2)
        memory = memories.ExemplarMemory(DIM, 200).to(place)
        memory.keys.copy_(F.normalize(torch.randn(200, DIM), dim=1))
        f = F.normalize(torch.randn(SIZE, DIM), dim=1).to(place)
        index = torch.randint(0, 200, (SIZE,)).to(place)
        got = memory(f, index)
        columns, weights = memory.targets(got, index, 9)
        memory.update(f, index, 9)
        answers.append((got, columns.sort(1).values, weights.sum(1), memory.keys))
    for n, what in enumerate(("scores", "columns", "weights", "keys")):
        note(f"ExemplarMemory {what}", distance(answers[1][n], answers[0][n]), 1e-4)


def _norms(note: Note, distance: Distance) -> None:
    for layout in (torch.contiguous_format, torch.channels_last):
        for name, make in {"GroupBatchNorm": lambda: GroupBatchNorm(16, group=4), "IBN": lambda: IBN(16)}.items():
            answers = []
            for place in ("cpu", device()):
                torch.manual_seed(3)
                norm = make().to(place).train()
                x = torch.randn(16, 16, 8, 4).to(place).contiguous(memory_format=layout).requires_grad_()
                y = norm(x)
                (grad,) = torch.autograd.grad(
                    (y * torch.linspace(0, 1, y.numel(), device=y.device).view(y.shape)).sum(), x
                )
                answers.append((y.detach(), grad))
            tag = "NHWC" if layout is torch.channels_last else "NCHW"
            note(f"{name} {tag} forward", distance(answers[1][0], answers[0][0]), 1e-4)
            note(f"{name} {tag} grad", distance(answers[1][1], answers[0][1]), 1e-3)


def _augmentation(note: Note, distance: Distance) -> None:
    nodes = config(base_yaml("r50")).INPUT.TRANSFORMS
    images = torch.randint(0, 256, (SIZE, 3, 64, 32), dtype=torch.uint8)
    here, there = (
        Compose(nodes, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])(
            images.to(d), BatchDraw(0, 1, 2, SIZE)
        ).cpu()
        for d in ("cpu", device())
    )
    note("augmentation, pixels that differ by more than 1e-6", int(((here - there).abs() > 1e-6).sum()), 0)


def _parity_of_retrieval(note: Note, attempt: Attempt, distance: Distance) -> None:
    generator = torch.Generator().manual_seed(0)
    n, dim = (400, 32) if ARGS.tiny else (4096, 256)
    centres = torch.randn(n // 16, dim, generator=generator)
    pids = torch.randint(len(centres), (n,), generator=generator)
    features = F.normalize(centres[pids] + 1.1 * torch.randn(n, dim, generator=generator))
    camids = torch.randint(6, (n,), generator=generator).numpy()
    pids, q = pids.numpy(), n // 8
    case = (pids[:q], pids[q:], camids[:q], camids[q:])

    def ranking() -> None:
        for metric in ("cosine", "euclidean"):
            here = evaluate_ranking(features[:q], features[q:], *case, metric=metric, roc=True)
            there = evaluate_ranking(
                features[:q].to(device()), features[q:].to(device()), *case, metric=metric, roc=True, device=device()
            )
            note(f"ranking {metric} mAP", abs(here.mAP - there.mAP), 1e-6)
            note(f"ranking {metric} CMC", float(np.abs(here.cmc - there.cmc).max()), 2 / q)
            note(
                f"ranking {metric} AP of a query",
                float(np.nanmax(np.abs(here.per_query_ap - there.per_query_ap))),
                0.02,
            )

    def rerank() -> None:
        here, there = (rerank_k_reciprocal(features[:q], features[q:], device=d) for d in ("cpu", device()))
        note("re-ranking distance", float(np.abs(here - there).max()), 1e-5)

    def jaccard() -> None:
        here, there = (jaccard_graph(features.to(d), max_distance=0.62) for d in ("cpu", device()))
        note("jaccard, entries that only one has", abs(here.nnz - there.nnz), 0)
        if here.nnz == there.nnz:
            note("jaccard distance", float(np.abs(here.data - there.data).max()), 1e-5)
        labels = zip(dbscan_radii(here, [0.6, 0.58, 0.62]), dbscan_radii(there, [0.6, 0.58, 0.62]))
        note("DBSCAN labels that differ", int(sum((a != b).sum() for a, b in labels)), 0)

    def means() -> None:
        init = features[: n // 16]
        here, there = (kmeans(features.to(d), n // 16, init=init.to(d))[0] for d in ("cpu", device()))
        note("K-means labels that differ", int((here != there).sum()), 0)

    for name, function in {"ranking": ranking, "rerank": rerank, "jaccard": jaccard, "kmeans": means}.items():
        attempt(name, function)
