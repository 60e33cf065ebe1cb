from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from reidzoo.hooks import EMAHook


def test_average_follows_the_formula_and_survives_a_checkpoint():
    runner = SimpleNamespace(model=nn.Linear(3, 2))
    hook = EMAHook(momentum=0.75)
    hook.before_train(runner)
    expected = runner.model.weight.detach().double().clone()
    for step in range(8):
        with torch.no_grad():
            runner.model.weight += 1.0
        hook.after_train_iter(runner, step)
        alpha = min(1 - 1 / (step + 1), 0.75)
        expected = alpha * expected + (1 - alpha) * runner.model.weight.detach().double()
        if step == 4:
            state, hook = hook.state_dict(), EMAHook(momentum=0.75)
            hook.load_state_dict(state)
            hook.before_train(runner)
    torch.testing.assert_close(hook.model.weight.double(), expected, rtol=1e-6, atol=1e-6)
    assert not hook.model.weight.requires_grad
