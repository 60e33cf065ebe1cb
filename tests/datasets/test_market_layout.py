from __future__ import annotations

import re

from reidzoo.datasets import MarketLayout


def test_a_new_dataset_needs_only_attributes(tmp_path, touch):
    class Vehicles(MarketLayout):
        name = "Vehicles"
        folders = ("vehicles",)
        parts = {"train": "image_train", "query": "image_query", "gallery": "image_test"}
        required = tuple(parts.values())
        pattern = re.compile(r"(\d+)_c(\d+)")

    for part in Vehicles.parts.values():
        touch(tmp_path / "vehicles" / part, ["0001_c020_00001.jpg"])
    dataset = Vehicles(tmp_path)
    assert [records[0][1:3] for records in (dataset.train, dataset.query, dataset.gallery)] == [(1, 19)] * 3
