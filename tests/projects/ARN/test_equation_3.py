"""Eq. 3, which torch's own losses compute: as configured, to the letter, and as the authors' code has it."""

from __future__ import annotations

import pytest
import torch

from reidzoo.losses import LossSet

from .conftest import stages


def losses(file, **changes):
    """Return the two losses of a file, unweighted, by what they are to be given."""
    (cfg,) = stages(file).values()
    nodes = {name: {**node, "weight": 1.0, **changes} for name, node in cfg.LOSSES.items() if "reconstruction" in name}
    names = ("source_original", "source_rebuilt", "target_original", "target_rebuilt")
    return lambda *maps: sum(LossSet(nodes)(dict(zip(names, maps))).values())


def plain(maps, form):
    """Eq. 3, element by element; what the code divides by are images x height x width."""
    total = 0.0
    for original, rebuilt in (maps[:2], maps[2:]):
        differences = [a - b for a, b in zip(original.flatten().tolist(), rebuilt.flatten().tolist())]
        batch, _, height, width = original.shape
        if form == "code":
            total += sum(map(abs, differences)) / (batch * height * width)
        else:
            squares = sum(d * d for d in differences)
            total += squares if form == "sum" else squares / len(differences)
    return total


@pytest.mark.parametrize("form", ["mean", "sum", "code"])
def test_equals_the_formula(form):
    file = "duke_market_draft.yml" if form == "code" else "duke_market.yml"
    loss = losses(file, **({"reduction": "sum"} if form == "sum" else {"weight": 3.0} if form == "code" else {}))
    maps = [torch.randn(2, 3, 2, 1, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    assert loss(*maps).item() == pytest.approx(plain(maps, form), rel=1e-6)
    kind = torch.nn.L1Loss() if form == "code" else torch.nn.MSELoss(reduction=form)
    assert torch.autograd.gradcheck(lambda a, b, c, d: kind(b, a) + kind(d, c), maps)


def test_to_the_letter_it_leaves_nothing_of_the_other_losses():
    """Beta times errors of 0.5, beside the identities' loss before training, log 702 = 6.6."""
    maps = [torch.zeros(16, 2048, 7, 7), torch.full((16, 2048, 7, 7), 0.5)] * 2
    assert 2.0 * losses("duke_market.yml", reduction="sum")(*maps) > 1e5 * 6.6
    assert 0.1 * 6.6 < 2.0 * losses("duke_market.yml")(*maps) < 10 * 6.6
