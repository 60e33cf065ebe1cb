"""``reidzoo search``: a folder ranked by one image, in words and in a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import reidzoo
from reidzoo import visualization
from reidzoo.commands import call
from reidzoo.errors import DatasetError, UserError
from reidzoo.evaluation import Calibration
from reidzoo.visualization import strips_png

from ..served_models import home, write_tiny  # noqa: F401

CALIBRATION = Calibration(0.5, 0.01, (0.4, 0.6), 0.5, "logistic", 8.0, -4.0, (0.0, 1.0), (0.1, 0.9))


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_ranking_is_the_similarities(write_tiny, tmp_path, capsys, monkeypatch, calibrated):  # noqa: F811
    drawn = []
    monkeypatch.setattr(visualization, "strips_png", lambda strips: drawn.append(strips) or strips_png(strips))
    folder = tmp_path / "people" / "more"
    folder.mkdir(parents=True)
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 16, 3), np.uint8)
        Image.fromarray(pixels).save((folder if number % 2 else folder.parent) / f"{number}.png")
    info = {"name": "tiny", "calibration": CALIBRATION.to_dict()} if calibrated else None
    path, query = write_tiny(info=info)[0], folder.parent / "0.png"
    call("search", path, query, folder.parent, "--output", tmp_path / "found.png", "--top", "2", "--device", "cpu")
    said = capsys.readouterr().out
    model, others = reidzoo.load(path), [folder / "1.png", folder.parent / "2.png", folder / "3.png"]
    similarity = model.similarity(query, others)
    first, second = similarity.argsort(descending=True)[:2].tolist()
    lines = [line for line in said.splitlines() if ".png" in line]
    assert f"{similarity[first]:.4f}" in lines[0] and str(others[first]) in lines[0]
    assert f"{similarity[second]:.4f}" in lines[1] and len(lines) == 3  # not the query itself; the last: the picture
    if calibrated:
        probability = float(model.calibration.probability(float(similarity[first])))
        assert f"{probability:.3f}" in lines[0] and "of one identity at a prior of 50 % (the share" in said
        assert "above" in lines[0] and "0.5000, the threshold of 1 % false accepts" in said
        tiles, title = drawn[0][0].tiles, drawn[0][0].title
        assert [tile.mark for tile in tiles] == ["query", "plain", "plain"]  # a tick would be the truth
        assert tiles[1].caption == f"{similarity[first]:.2f}, {100 * probability:.0f} %"
        assert title == "0.png: 2 of 2 above the threshold of 1 % false accepts; % at a prior of 50 %"
    else:
        assert "reidzoo calibrate can find out" in said
    picture = Image.open(tmp_path / "found.png")
    assert picture.height > 160 and picture.width > 3 * 80

    if not calibrated:
        for words, message in (
            ([query, query], "is not a folder"),
            ([folder / "gone.png", folder], "gone.png does not exist"),
            ([query, folder, "--top", "0"], "--top"),
            ([query, folder, "--prior", "0.1"], "--prior"),
            ([query, folder, "--output", "x.svg"], "png"),
        ):
            with pytest.raises(UserError, match=message):
                call("search", path, *words)


def test_files_that_cannot_be_read_stop_the_search_or_are_left_out(write_tiny, tmp_path, capsys):  # noqa: F811
    for name in ("query", "other"):
        Image.new("RGB", (16, 32), "red").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_text("no image")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty holds no image$"):
        call("search", "no model", tmp_path / "query.png", tmp_path / "empty", "--output", "x.png")
    words = (write_tiny()[0], tmp_path / "query.png", tmp_path, "--output", tmp_path / "out" / "found.png")
    with pytest.raises(DatasetError, match=r"(?s)broken\.jpg cannot be read.*--skip-unreadable leaves such files out"):
        call("search", *words)
    call("search", *words, "--skip-unreadable")
    said = capsys.readouterr().out
    assert "left out: " in said and "broken.jpg" in said and "the 1 most similar of 1 images" in said
