"""What saving costs, and whether a run repeats itself and resumes bit for bit."""

from __future__ import annotations

from typing import Any

import torch
from shared import ARGS, Steps, free, left, make_trainer, say, timed

from reidzoo.engine.backends import backends
from reidzoo.engine.checkpoint import resume as take_up
from reidzoo.engine.checkpoint import save
from reidzoo.trainers import Trainer

KINDS = {
    "default": (),
    "DETERMINISTIC": ("SOLVER.DETERMINISTIC", "True"),
    "DETERMINISTIC, graph": ("SOLVER.DETERMINISTIC", "True", "SOLVER.COMPILE", "graph"),
}


def checkpoint() -> dict:
    """What saving costs beside an epoch of Market-1501's 187 steps."""
    trainer = make_trainer("r50ibn", "SOLVER.PRECISION", "bf16", "DATALOADER.CACHE", "on")
    step = Steps(trainer)
    step()
    seconds = [timed(lambda: save(trainer, trainer.output_dir / "last.pth"))[0] for _ in range(3)]
    size = (trainer.output_dir / "last.pth").stat().st_size / 1e6
    say("checkpoint", [round(s, 3) for s in seconds], "s", round(size), "MB")
    return {"seconds": seconds, "megabytes": size}


def resume() -> dict:
    """Whether a run repeats itself and resumes bit for bit on this device, with and without deterministic kernels."""
    found: dict = {}
    half, whole = (2, 4) if ARGS.tiny else (6, 12)

    def state(trainer: Trainer) -> list[torch.Tensor]:
        return [v.detach().clone() for v in trainer.parts.state_dict().values() if v.is_floating_point()]

    def differs(a: list[torch.Tensor], b: list[torch.Tensor]) -> float:
        return max(float((x.double() - y.double()).abs().max()) for x, y in zip(a, b))

    def straight(*opts: Any, save_at: int = 0) -> Trainer:
        trainer = make_trainer(*opts)
        with backends(trainer.cfg):
            step = Steps(trainer)
            for number in range(whole):
                step()
                if number + 1 == save_at:
                    save(trainer, trainer.output_dir / "last.pth")
        return trainer

    for case in ("r18", "r50ibn"):
        for precision in ("fp32", "bf16"):
            for name, more in KINDS.items():
                if left() < 40 and not ARGS.tiny:
                    break
                opts = (case, "SOLVER.PRECISION", precision, "DATALOADER.CACHE", "on", *more)
                first = straight(*opts, save_at=half)
                second = straight(*opts)
                third = make_trainer(*opts)
                take_up(third, first.output_dir / "last.pth")
                with backends(third.cfg):
                    step = Steps(third)
                    for _ in range(whole - half):
                        step()
                key = f"{case} {precision} {name}"
                found[key] = {
                    "repeated": differs(state(first), state(second)),
                    "resumed": differs(state(first), state(third)),
                }
                say("resume", key, found[key])
                del first, second, third, step
                free()
    return found
