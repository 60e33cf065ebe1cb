from __future__ import annotations

from collections import Counter

import pytest

from reidzoo.datasets import HoldOut, Market1501, Thinned
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import DATASET

COUNTS = {1: 40, 2: 30, 3: 60}


@pytest.fixture
def root(tmp_path, market):
    names = [f"{n % 10 + 1:04d}_c{cam}s1_{n:06d}_00.jpg" for cam, count in COUNTS.items() for n in range(count)]
    rest = {"query": ["0100_c1s1_000001_00.jpg"], "bounding_box_test": ["0100_c2s1_000001_00.jpg"]}
    market(tmp_path / "market1501", {"bounding_box_train": names, **rest})
    return tmp_path


def cameras(dataset):
    return dict(sorted(Counter(record.camid for record in dataset.train).items()))


@pytest.mark.parametrize(
    "shares, expected",
    [([4, 3, 6], {0: 40, 1: 30, 2: 60}), ([0.1, 0.3, 0.6], {0: 10, 1: 30, 2: 60}), ([20, 1, 1], {0: 40, 1: 2, 2: 2})],
)
def test_cameras_have_their_shares_and_one_keeps_all(root, shares, expected):
    dataset = DATASET.build({"type": "Thinned", "dataset": "Market1501", "shares": shares}, root=root)
    assert cameras(dataset) == expected
    whole = Market1501(root)
    assert [record for record in whole.train if record in set(dataset.train)] == dataset.train
    assert (dataset.query, dataset.gallery) == (whole.query, whole.gallery)


def test_the_draw_depends_on_its_seed_alone(root):
    def draw(seed):
        return [r.path for r in Thinned("Market1501", [1, 1, 1], seed=seed, root=root).train]

    assert draw(0) == draw(0) and len({tuple(draw(seed)) for seed in range(5)}) == 5


def test_both_parts_of_a_hold_out_share_the_draw(root):
    node = {"type": "Thinned", "dataset": "Market1501", "shares": [1, 1, 1]}
    train, val = (HoldOut(node, part, root=root).train for part in ("train", "val"))
    assert sorted(train + val) == sorted(Thinned("Market1501", [1, 1, 1], root=root).train) and val


def test_mistakes(root):
    with pytest.raises(ConfigError, match="shares must be"):
        Thinned("Market1501", [1, 0, 1], root=root)
    with pytest.raises(DatasetError, match="shares of cameras 0 to 1, and the training images are of cameras 0, 1, 2"):
        _ = Thinned("Market1501", [1, 1], root=root).train
