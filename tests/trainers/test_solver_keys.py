"""What SOLVER's keys of memory and precision change: nothing that is learnt but by rounding."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.testing.tiny import tiny_arguments, tiny_config, write_images


def train(folder, name="run", steps=None, state=None, **solver):
    """Return the trainer after two epochs of two steps, or after ``steps``."""
    group = solver.pop("BN_GROUP", 4)
    cfg = tiny_config(folder, {"SOLVER": solver, "MODEL": {"BN_GROUP": group}})
    torch.manual_seed(0)
    trainer = TRAINER.build(cfg.TRAINER, **tiny_arguments(cfg, folder / name))
    if state is not None:
        trainer.load_state_dict(state)
    trainer.max_epochs = steps or trainer.max_epochs
    trainer.train()
    return trainer


@pytest.fixture
def folder(tmp_path):
    write_images(tmp_path)
    return tmp_path


@pytest.mark.parametrize("solver", [{"CHUNK": 4}, {"RECOMPUTE": True}, {"CHUNK": 4, "RECOMPUTE": True}])
def test_less_memory_learns_the_same(folder, solver):
    plain, other = train(folder), train(folder, **solver)
    for (name, one), two in zip(plain.parts.state_dict().items(), other.parts.state_dict().values(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_resumes_bit_by_bit(folder, precision):
    whole = train(folder, PRECISION=precision)
    half = train(folder, steps=1, PRECISION=precision)
    state = half.state_dict()
    assert ("scaler" in state["optims"]["model"]) == (precision == "fp16")
    again = train(folder, state=state, PRECISION=precision)
    for one, two in zip(whole.parts.state_dict().values(), again.parts.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    assert all(value.isfinite().all() for value in whole.model.parameters())


@pytest.mark.parametrize(
    "solver, message",
    [
        ({"CHUNK": 6}, "multiple of MODEL.BN_GROUP"),
        ({"COMPILE": "default", "RECOMPUTE": True}, "forwarded twice"),
        ({"COMPILE": "fast"}, "SOLVER.COMPILE"),
    ],
)
def test_mistakes_are_named(folder, solver, message):
    with pytest.raises(ConfigError, match=message):
        train(folder, **solver)
