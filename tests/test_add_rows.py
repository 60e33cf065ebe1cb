from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.add_rows import add_rows

REPOSITORY = Path(__file__).parent.parent


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_it_adds_to_the_rows_named_often_or_never(device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = []
    for _ in range(2):
        sums, index = torch.ones(3, 2, device=device), torch.arange(5000, device=device) % 2 * 2
        add_rows(sums, index, torch.linspace(0, 1, 10000, device=device).view(5000, 2))
        found.append(sums)
    assert torch.equal(*found) and found[0][1].tolist() == [1, 1]
    assert found[0].sum() == pytest.approx(6 + 5000)


def test_nothing_adds_rows_in_another_way():
    """``index_add_`` adds on a GPU in an order that varies."""
    files = [path for name in ("reidzoo", "projects") for path in (REPOSITORY / name).rglob("*.py")]
    assert [path.name for path in files if ".index_add" in path.read_text(encoding="utf-8")] == ["add_rows.py"]
