"""``reidzoo crops`` from the command line."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from reidzoo.commands import call
from reidzoo.errors import UserError


def test_people_who_were_labelled_by_name(tmp_path, capsys):
    images = [{"id": n, "file_name": f"gate_{n}.png"} for n in range(2)]
    for image in images:
        Image.new("RGB", (80, 60), "gray").save(tmp_path / image["file_name"])
    boxes = [{"image_id": n, "category_id": kind, "bbox": [20 * kind, 0, 20, 50]} for n in range(2) for kind in (1, 2)]
    categories = [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}]
    file = tmp_path / "result.json"
    file.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    words = ("crops", file, "--no-split", "--shared-ids", "--every", 1, "--output-dir", tmp_path / "people")
    with pytest.raises(UserError, match="which class"):
        call(*words)
    call(*words, "--identity", "class")
    assert "2 people, 4 crops" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "people").iterdir()) == ["Ann", "Bob"]
    with pytest.raises(UserError, match="no folder or file"):
        call("crops", tmp_path / "gone", "--output-dir", tmp_path / "new")
