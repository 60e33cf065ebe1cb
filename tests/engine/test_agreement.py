"""What differs between processes is found out when a run is saved."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from reidzoo import distributed
from reidzoo.engine.agreement import _agree, _digest, check_agreement
from reidzoo.engine.checkpoint import save
from reidzoo.errors import UserError
from reidzoo.memories import ExemplarMemory
from reidzoo.models import convert_batch_norm
from reidzoo.testing import in_two_processes
from reidzoo.testing.values import noise


def said_in_two_processes(change, path):
    """Return what each of two processes is told when it saves parts after ``change(parts, rows of its share)``."""

    def work():
        torch.manual_seed(0)
        memory, model = ExemplarMemory(4, 6), nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        trainer = SimpleNamespace(parts=nn.ModuleDict({"model": model, "memory": memory}))
        trainer.state_dict = trainer.parts.state_dict
        share = slice(2 * distributed.rank(), 2 * distributed.rank() + 2)
        change(trainer.parts, share)
        try:
            save(trainer, path)
        except UserError as error:
            return str(error)
        return ""

    return in_two_processes(work)


FEAT, INDEX = noise(4, 4), torch.tensor([0, 3, 3, 5])


def update_with_the_share(parts, share):
    parts["memory"].update(FEAT[share], INDEX[share], 0)


def update_with_the_batch(parts, share):
    feat, index = (distributed.gather(rows[share]) for rows in (FEAT, INDEX))
    parts["memory"].update(feat, index, 0)


def move_the_first_process_alone(parts, share):
    with torch.no_grad():
        parts["model"][0].weight[share.start // 2 :, 0] += 0.01


def norm_of_the_share(parts, share):
    parts["model"](FEAT[share])


def norm_of_the_batch(parts, share):
    convert_batch_norm(parts["model"])(FEAT[share])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "place"),
    [
        (update_with_the_share, "the buffer 'keys' of the part 'memory'"),
        (move_the_first_process_alone, "the parameter '0.weight' of the part 'model'"),
        (norm_of_the_share, "the buffer '1.running_mean' of the part 'model'"),
    ],
)
def test_a_difference_is_said_in_both_and_nothing_is_written(tmp_path, change, place):
    both = said_in_two_processes(change, tmp_path / "last.pth")
    assert both[0] == both[1] and both[0].startswith(f"{place} is not the same in all processes"), both
    assert "memory.update(gather(feat), gather(index))" in both[0] and not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("change", [update_with_the_batch, norm_of_the_batch])
def test_what_saw_the_whole_batch_is_saved(tmp_path, change):
    assert said_in_two_processes(change, tmp_path / "last.pth") == ["", ""]
    assert Path(tmp_path / "last.pth").is_file()


def test_one_process_agrees_with_itself():
    check_agreement(nn.ModuleDict({"model": nn.Linear(2, 2)}))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (noise(50, 8), noise(50, 8), True),
        (noise(50, 8), noise(50, 8) * (1 + 1e-7 * noise(50, 8, seed=1).sign()), True),  # as another order of sums does
        (noise(50, 8), noise(50, 8).flip(0), False),
        (noise(50, 8), noise(49, 8), False),
        (noise(50, 8), noise(50, 8).double(), False),
        (torch.arange(5), torch.tensor([0, 1, 2, 4, 3]), False),
        (torch.arange(30000), torch.arange(30000).index_fill(0, torch.tensor([5]), 6), False),
        (torch.tensor(3), torch.tensor(3), True),
        (torch.tensor(3), torch.tensor(4), False),
        (torch.zeros(0, 4), torch.zeros(0, 4), True),
        (torch.zeros(4), torch.zeros(4), True),
        (torch.tensor([torch.nan, 1]), torch.tensor([torch.nan, 1]), True),
        (torch.tensor([torch.nan, 1]), torch.tensor([0.0, 1]), False),
        (torch.tensor([True, False]), torch.tensor([False, True]), False),
    ],
)
def test_digests(one, other, same):
    assert _agree(_digest(one), _digest(other)) == same


def test_one_row_of_a_large_memory_is_noticed():
    rows = nn.functional.normalize(noise(3000, 64))
    other = rows.clone()
    other[1234] = nn.functional.normalize(0.9 * rows[1234] + 0.1 * rows[7], dim=0)
    assert not _agree(_digest(rows), _digest(other))
