from __future__ import annotations

import torch

from reidzoo.neighbours.tiles import pack, unpack


def test_keys_order_and_return_what_they_hold():
    similarities = torch.tensor([-torch.inf, -1.0, -1e-30, 0.0, 1e-30, 0.5, 0.5, 1.0, torch.inf])
    indices = torch.tensor([0, 5, 2**31 - 1, 7, 1, 9, 8, 3, 4])
    keys = pack(similarities, indices)
    assert (keys.diff() > 0).all()
    back = unpack(keys)
    assert torch.equal(back[0], indices) and torch.equal(back[1], similarities)
