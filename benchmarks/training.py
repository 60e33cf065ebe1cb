"""Time training steps against a bare PyTorch loop of the same net, losses and optimizer, in turns in one process.

    python benchmarks/training.py                                  # small: ResNet-18 of a quarter's width, 64 x 32
    python benchmarks/training.py --net osnet --rounds 12          # OSNet x0.25, 128 x 64
    python benchmarks/training.py --net r50ibn --each 3            # ResNet-50-IBN, 256 x 128, batches of 16

Ours is ``Trainer.train`` with its loader, losses and hooks: images are cached and augmented anew at each step. The bare
loop trains on one batch that lies ready. Both begin with the same weights, and their losses on the first batch are
compared. The ratio is the bare loop's CPU time to ours, the median over the rounds: 0.97 is an overhead of 3 %. Memory
is the peak beyond the built models and the cached images, of ours while both train, of the bare loop when it goes on.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import measured, memory_ratio, parser, record
from people import NETS, Clock, Cost, config, cost, draw_people, median, ratio
from torch import Tensor, nn

from reidzoo.engine.build import build_train_sets
from reidzoo.engine.freed_memory import keep_freed_memory
from reidzoo.engine.seed import seed_everything
from reidzoo.hooks.hook import Hook, order_hooks
from reidzoo.registry import MODEL, TRAINER


class BareLoop:
    """Steps of a plain loop on one batch.

    Args:
        model: with torch's own batch norm.
        precision: ``fp32`` or ``bf16``.
    """

    def __init__(self, model: nn.Module, precision: str) -> None:
        self.model, self.precision = model.train().to(memory_format=torch.channels_last), precision
        trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=3.5e-4, weight_decay=5e-4, fused=True)
        self.images = self.pid = torch.empty(0)

    def step(self) -> float:
        """Take a step and return its loss before it."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            out = self.model(self.images)
        logits, feat = out["logits"].float(), out["feat"].float()
        loss = F.cross_entropy(logits, self.pid, label_smoothing=0.1) + triplet(feat, self.pid)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def triplet(feat: Tensor, pid: Tensor) -> Tensor:
    """Return the soft batch-hard triplet loss (Hermans et al., 2017) in its plain form."""
    with torch.no_grad():
        distance, same = torch.cdist(feat, feat), pid[:, None] == pid[None]
        hardest = distance.where(same, -1).argmax(1), distance.where(~same, torch.inf).argmin(1)
    positive, negative = ((feat - feat[rows]).square().sum(1).clamp(min=1e-12).sqrt() for rows in hardest)
    return F.softplus(positive - negative).mean()


class Turns(Hook):
    """Lets the bare loop take as many steps as the trainer has just taken, and notes what each took.

    Args:
        bare: the loop; it is given the trainer's first batch.
        each: steps at a time.
    """

    priority = 1000  # behind all others

    def __init__(self, bare: BareLoop, each: int) -> None:
        self.bare, self.each = bare, each
        self.losses: list[float] = []
        self.clock = Clock()
        self.costs: dict[str, list[Cost]] = {"ours": [], "bare": []}

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Give the bare loop the first batch."""
        if batch_idx == 0:
            self.bare.images = data_batch["img"].contiguous(memory_format=torch.channels_last)
            self.bare.pid = data_batch["pid"]

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Compare the losses on it."""
        if batch_idx == 0:
            self.losses = [float(sum(outputs.values())), self.bare.step()]

    def save_point(self, runner: Any) -> None:
        """Note the trainer's turn, and let the bare loop have its own."""
        if runner.step == 0 or runner.iter % self.each:
            return
        if runner.iter > self.each:  # the first turn warms up
            self.costs["ours"].append(self.clock.passed())
            self.costs["bare"].append(cost(lambda: [self.bare.step() for _ in range(self.each)]))
        self.clock = Clock()


def build(folder: Path, options: Any) -> tuple[Any, Turns]:
    """Return the trainer, its images cached, and the hook that interrupts it."""
    net = NETS[options.net]
    cfg = config(folder, net, options.each * (options.rounds + 1), "SOLVER.PRECISION", options.precision)
    seed_everything(0)
    sets = build_train_sets(cfg)
    trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=folder, device=torch.device("cpu"))
    for rows in np.array_split(np.arange(len(trainer.loader.table)), 8):
        trainer.loader.table[rows]
    node = {key: value for key, value in cfg.MODEL.items() if not key.isupper()}
    plain = MODEL.build(node, backbone=cfg.BACKBONE, head=cfg.HEAD, num_classes=trainer.num_classes)
    plain.load_state_dict(copy.deepcopy(trainer.model.state_dict()))
    turns = Turns(BareLoop(plain, options.precision), options.each)
    trainer.hooks = order_hooks({**trainer.hooks, "turns": turns})
    return trainer, turns


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the losses differ."""
    options = parser(__doc__)
    options.add_argument("--net", choices=NETS, default="r18")
    options.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    options.add_argument("--each", type=int, default=10, help="steps at a time")
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--ids", type=int, default=64, help="identities that are drawn, of 16 images each")
    options = options.parse_args(argv)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_people(folder, options.ids, 16)
        trainer, turns = build(folder, options)
        peak = measured(trainer.train).peak  # of both, in turns
        alone = measured(lambda: [turns.bare.step() for _ in range(options.each)])
    ours, bare = (median(turns.costs[way], peak=most) for way, most in (("ours", peak), ("bare", alone.peak)))
    of_seconds, of_cpu = ratio(turns.costs["bare"], turns.costs["ours"])
    net = NETS[options.net]
    size = f"{net.size[0]} x {net.size[1]}"
    title = f"training, {options.net} {size}, {options.precision}, {options.each} batches of {net.batch}"
    if options.skip_reference:
        print(ours.line("ours"))
        record(options.json, title, ours)
        return 0
    apart = abs(turns.losses[0] / turns.losses[1] - 1)
    difference = f"first losses differ by {apart:.1e} of them"
    notes = [f"overhead {100 * (1 / of_cpu - 1):.1f} % of CPU time, {100 * (1 / of_seconds - 1):.1f} % of seconds"]
    print(f"{title}: {notes[0]}")
    print(ours.line("ours"))
    print(bare.line("bare loop"))
    print(f"ratio {of_cpu:.3f} x")
    print(difference)
    equal = apart < (5e-2 if options.precision == "bf16" else 1e-3)
    figures = {"reference": bare, "ratio": of_cpu, "agree": equal, "difference": difference, "notes": notes}
    record(options.json, title, ours, memory_ratio=memory_ratio(ours, bare), **figures)
    return int(not equal)


if __name__ == "__main__":
    raise SystemExit(main())
